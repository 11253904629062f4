import fc from 'fast-check';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Column, OpenDatabase, RejectRow, RowFault, Table } from '../../../src/stores/database.ts';
import { Copy, CopyMessage, copyData, textLines } from '../../../src/stores/postgres/copy.ts';
import { complaintOf } from '../../../src/stores/postgres/faults.ts';
import { postgres } from '../../../src/stores/postgres.ts';
import { type TestPostgres, emptyPostgres } from '../../support/databases.ts';
import type { Postgres } from '../../support/postgres.ts';

const owner = { pipeline: 'warehouse', sink: 'copy' };

/** Values of each type, as SQL names it: what people write, and what is odd about it. */
const types: Readonly<Record<string, { readonly usual: readonly string[]; readonly odd: readonly string[] }>> = {
  'text NOT NULL': { usual: ['a', 'é', '\\N', '"', "'", 'x'.repeat(300)], odd: ['', ' ', '\r', '\n', '\\', '\\.', '\0', '🛒\0'] },
  'varchar(5)': {
    usual: ['a', 'abcde', 'ééééé', '🛒🛒🛒🛒🛒', 'ab   '],
    odd: ['abcdef', 'éééééé', 'abcde ', 'ab     ', '      ', 'abcde\\', 'ábc de', '🛒🛒🛒🛒🛒🛒', '\0'],
  },
  'char(4)': { usual: ['a', 'abcd', 'éééé', 'ab  '], odd: ['abcde', 'abcd ', '     ', 'ééééé', 'éééé  '] },
  varchar: { usual: ['a', 'b'.repeat(257)], odd: ['\\t', ' a ', '\u{7f}'] },
  json: {
    usual: ['{}', '{"a": "\\"b\\""}', '[1, 2]', ' null'],
    odd: ['{', '{"a":}', '"\\u0000"', '"\\ud800"', "{'a':1}", '1 2', '\\'],
  },
  jsonb: {
    usual: ['{}', '{"b": 1, "a": "\\\\"}', '1e3'],
    odd: ['{"a":1,"a":2}', '"\\u0000"', '"\\ud800"', '[', ' ', '1e400000'],
  },
  bool: {
    usual: ['0', '1', 't', 'f', 'true', 'false', 'TRUE'],
    odd: ['tr', 'yes', 'off', 'on', ' t', 'T ', '2', 'truee', '\u{11}', '\u{10}', 'o', 'FALSE', 'falsE'],
  },
  int2: {
    usual: ['0', '7', '-32768', '32767'],
    odd: ['32768', '-32769', '+7', '007', '-0', '1_0', '0x1f', '', ' 7', '7 ', '-', '--7', '1e2', '1.0'],
  },
  int4: {
    usual: ['0', '1', '-2147483648', '2147483647', '00012'],
    odd: ['2147483648', '-2147483649', '+7', '0b1', '0o7', '9'.repeat(18), '9'.repeat(19), '9'.repeat(40), '٣'],
  },
  int8: {
    usual: ['0', '-1', '999999999999999999', '123456789012'],
    odd: [
      '9223372036854775807',
      '9223372036854775808',
      '-9223372036854775808',
      '-9223372036854775809',
      '1.5',
      '0'.repeat(30) + '1',
    ],
  },
  float4: {
    usual: ['0', '1.5', '-0', '3.25', '0.1', '59.32894'],
    odd: [
      '1.17549435e-38',
      '1e-45',
      '1e-46',
      '3.4028235e38',
      '3.4028236e38',
      '3.5e38',
      '7.038531e-26',
      '1.000000059604644775390625',
      '1.00000005960464477539062500001',
      '8388608.5',
      '16777217',
      '8388609.5',
      'nan',
      '-inf',
      '0x1p3',
    ],
  },
  float8: {
    usual: [
      '0',
      '-0',
      '52.5',
      '-12.3456',
      '52.37402343750001',
      '1e5',
      '1E+22',
      '.5',
      '5.',
      '0.1',
      '123456789012345678',
      '9007199254740993',
      '900719925474099.5',
      '90071992547409.93',
      '-0.0000000000000001',
      '1.7976931348623157e308',
      '2.2250738585072014e-308',
      '0.30000000000000004',
    ],
    odd: [
      '5e-324',
      '2.4e-324',
      '2.2250738585072011e-308',
      '1e-400',
      '1.7976931348623159e308',
      '1e400',
      '-1e400',
      '0e999',
      '0e-999',
      'Infinity',
      '-infinity',
      'NaN',
      'inf',
      '1e',
      '1e+',
      '.',
      '-',
      '-.',
      '1.2.3',
      '+1',
      ' 1',
      '1 ',
      '0x10',
      '1_000',
      '1d',
      '1e5.5',
      '9'.repeat(400),
      `0.${'0'.repeat(400)}1`,
      '1,5',
    ],
  },
  timestamp: {
    usual: [
      '2026-11-22 09:00:07',
      '2026-11-22 09:00:07.1',
      '2026-11-22 09:00:07.123456',
      '1970-01-01 00:00:00',
      '1999-12-31 23:59:59.999999',
      '2000-02-29 12:00:00',
      '0001-01-01 00:00:00',
      '9999-12-31 23:59:59',
    ],
    odd: [
      '2026-11-22',
      '2026-11-22T09:00:07',
      '2026-11-22 09:00:07Z',
      '2026-11-22 09:00:07+02',
      '2026-11-22 09:00:07.',
      '2026-11-22 09:00:07.1234567',
      '2026-11-22 09:00:07.9999999',
      '2026-11-22 24:00:00',
      '2026-11-22 23:59:60',
      '2026-11-22 24:00:01',
      '2026-02-29 00:00:00',
      '1900-02-29 00:00:00',
      '2100-02-29 00:00:00',
      '0000-01-01 00:00:00',
      '2026-13-01 00:00:00',
      '2026-00-01 00:00:00',
      '2026-01-00 00:00:00',
      '2026-01-32 00:00:00',
      'infinity',
      '-infinity',
      'epoch',
      '2026-11-2',
      '202',
      '12026-11-22 09:00:07',
      '22/11/2026 09:00',
      '2026-11-22  9:00:07',
      '2026-11-22 09:60:00',
      '2026-11-22 0a:00:00',
      '2026-11-22 09:00:0/',
      '2026-11-22 09:00:07 BC',
      '2026/11/22 09:00:07',
      '2026-11-22 09.00.07',
    ],
  },
  'timestamp(3)': {
    usual: ['2026-11-22 09:00:07.123', '2026-11-22 09:00:07.1235', '2026-11-22 09:00:07.9996'],
    odd: ['2026-11-22 09:00:07.1234999', '1999-12-31 23:59:59.9995'],
  },
  date: {
    usual: ['2026-11-22', '1970-01-01', '2000-02-29', '0001-01-01', '9999-12-31'],
    odd: ['2026-2-9', '2025-02-29', '22.11.2026', '2026-11-22 09:00:00', 'infinity', '20261122', '0000-12-31', '10000-01-01'],
  },
  uuid: {
    usual: ['cf3caf2b-d035-44f4-a236-0123456789ab', 'CF3CAF2B-D035-44F4-A236-0123456789AB'],
    odd: [
      'cf3caf2bd03544f4a2360123456789ab',
      '{cf3caf2b-d035-44f4-a236-0123456789ab}',
      'cf3caf2b-d035-44f4-a236-0123456789a',
      'cf3caf2b-d035-44f4-a236-0123456789ag',
      'cf3c-af2b-d035-44f4-a236-0123456789ab',
      '-f3caf2b-d035-44f4-a236-0123456789ab',
      'cf3caf2b-d035-44f4-a236-0123456789a-',
    ],
  },
};
const names = Object.keys(types);
const column = (name: string): Column => ({ name, type: { kind: 'text' }, required: false });
const columns = [...names.map((_, i) => column(`c${i}`)), column('key')];

const tab = Buffer.from('\t');
const joined = (fields: readonly Uint8Array[]): Buffer =>
  Buffer.concat(fields.flatMap((field, i) => (i === 0 ? [field] : [tab, field])));

const bytes = (text: string): Buffer => Buffer.from(text);
const withoutTabs = (value: Uint8Array): Buffer => Buffer.from(value).map((byte) => (byte === 9 ? 32 : byte)) as Buffer;
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 12 }).map(withoutTabs),
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => withoutTabs(bytes(text))),
  fc.stringMatching(/^[-+ ]?[0-9]{0,20}\.?[0-9]{0,20}(e[-+]?[0-9]{1,3})?$/).map(bytes),
  fc.stringMatching(/^[0-9]{4}-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?$/).map(bytes),
  fc.double().map((value) => bytes(String(value))),
  fc.double({ min: -200, max: 200, noNaN: true }).map((value) => bytes(String(value))),
  fc.float().map((value) => bytes(String(value))),
  fc.integer().map((value) => bytes(String(value))),
);
const usual = (type: string) =>
  fc.constantFrom('', ...types[type]!.usual).map((text) => bytes(type.endsWith('NOT NULL') ? text || 'x' : text));
const odd = (type: string) => fc.oneof(fc.constantFrom(...types[type]!.odd).map(bytes), anything);
/** Small, so that they meet: what is there already is refused, so that it matters which one was first. */
const key = fc.oneof(fc.nat(400).map(String), fc.constant(''), fc.constantFrom('+7', ' 7', '7 ', '07', '7')).map(bytes);

const line = fc
  .tuple(
    fc.tuple(...names.map(usual)),
    fc.oneof(
      { weight: 6, arbitrary: fc.constant<number[]>([]) },
      { weight: 4, arbitrary: fc.array(fc.nat(names.length - 1), { minLength: 1, maxLength: 2 }) },
    ),
    fc.tuple(...names.map(odd)),
    key,
  )
  .map(([fields, at, others, last]) => joined([...fields.map((field, i) => (at.includes(i) ? others[i]! : field)), last]));
/** Bytes put into a line or taken out of it: tabs, too. */
const damaged = fc.tuple(line, fc.nat(400), fc.nat(3), fc.uint8Array({ maxLength: 3 })).map(([whole, at, cut, more]) => {
  const from = Math.min(at, whole.length);
  return Buffer.concat([whole.subarray(0, from), more, whole.subarray(from + cut)]);
});
const lines = fc.array(fc.oneof({ weight: 9, arbitrary: line }, { weight: 1, arbitrary: damaged }), {
  minLength: 1,
  maxLength: 40,
});

/** What of each line becomes of it: that COPY's binary format stores and refuses what text does. One suite for every version. */
export function formatsConformance(name: string, server: () => Postgres): void {
  describe(`${name} stores the same by way of the binary format`, () => {
    let database: TestPostgres;
    let client: pg.Client;
    let store: OpenDatabase;
    /** The columns that are filled; behind them is one that numbers the rows. */
    let copied = '';
    let sequence = 0;

    beforeEach(async () => {
      database = await emptyPostgres(server());
      client = new pg.Client(database.url);
      await client.connect();
      store = await postgres(database.url).open({ report: () => {} });
      await store.acquire(owner, 'a');
    });

    afterEach(async () => {
      await store.close();
      await client.end();
      await database.close();
    });

    /** Makes the table twice: the store loads into one, and text goes into the other. */
    async function make(definition: string, of: readonly Column[]): Promise<Table> {
      for (const schema of ['ours', 'text']) {
        await client.query(
          `DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.typed (${definition}, arrival serial)`,
        );
      }
      copied = of.map((one) => one.name).join(', ');
      const table = { name: 'ours.typed', columns: of };
      await store.createTable(table);
      return table;
    }

    const makeAll = (): Promise<Table> => make(`${names.map((type, i) => `c${i} ${type}`).join(', ')}, key int4 UNIQUE`, columns);

    async function load(table: Table, all: readonly Uint8Array[]): Promise<(readonly [number, RowFault])[]> {
      const refused: (readonly [number, RowFault])[] = [];
      const refuse = (index: number, fault: RowFault): RejectRow => {
        refused.push([index, fault]);
        const position = { shard: 'a', sequence: String(sequence), subSequence: index };
        return { position, arrivedAtMs: 0, why: { step: 'copyInto', ...fault }, raw: all[index]! };
      };
      const position = { shard: 'a', sequence: String(++sequence), subSequence: 0 };
      await store.commit(owner, { rows: { table, lines: all }, refuse, positions: new Map([['a', position]]) });
      return refused;
    }

    async function copyAsText(all: readonly Uint8Array[], from: number, to: number): Promise<void> {
      const copy = `COPY text.typed (${copied}) FROM STDIN WITH (FORMAT text, NULL '', ENCODING 'UTF8')`;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const messages = new Copy(copyData(textLines(all, from, to)));
      client.query(new CopyMessage(copy, [messages], (error) => (error ? reject(error) : resolve())));
      await promise;
    }

    /** Every line alone, as text. */
    async function loadAsText(all: readonly Uint8Array[]): Promise<(readonly [number, RowFault])[]> {
      const refused: (readonly [number, RowFault])[] = [];
      await client.query('BEGIN');
      for (let i = 0; i < all.length; i++) {
        await client.query('SAVEPOINT line');
        try {
          await copyAsText(all, i, i + 1);
          await client.query('RELEASE SAVEPOINT line');
        } catch (error) {
          refused.push([i, complaintOf(error)!.fault]);
          await client.query('ROLLBACK TO SAVEPOINT line');
        }
      }
      await client.query('COMMIT');
      return refused;
    }

    /** Each row's bytes, in the order in which they were stored. */
    async function stored(schema: string): Promise<unknown[]> {
      const { rows } = await client.query(
        `SELECT encode(record_send(row), 'hex') AS bytes, row::text FROM (SELECT ${copied} FROM ${schema}.typed ORDER BY arrival) row`,
      );
      return rows;
    }

    test('of any lines, in the order in which they come', async () => {
      const table = await makeAll();
      await fc.assert(
        fc.asyncProperty(lines, async (all) => {
          await client.query('TRUNCATE ours.typed, text.typed');
          expect(await load(table, all)).toEqual(await loadAsText(all));
          expect(await stored('ours')).toEqual(await stored('text'));
        }),
        { numRuns: 150 },
      );
    });

    test.each(Object.entries(types))('of every %s', async (type, { usual: plain, odd: strange }) => {
      const table = await make(`c0 ${type}`, [column('c0')]);
      // Each in a load of its own: next to a line in doubt others go as text with it.
      for (const value of [...plain, ...strange, '']) {
        const all = [plain[0]!, value, plain[0]!].map(bytes);
        expect(await load(table, all)).toEqual(await loadAsText(all));
      }
      expect(await stored('ours')).toEqual(await stored('text'));
    });

    test('of many lines, few of them odd, and then all of them', async () => {
      const table = await make('n int4, t text', [column('n'), column('t')]);
      const many = Array.from({ length: 30_000 }, (_, i) =>
        bytes(`${i > 20_000 || i % 4999 === 7 ? '+' : ''}${i}\t${'x'.repeat(i % 50)}`),
      );
      expect(await load(table, many)).toEqual([]);
      await copyAsText(many, 0, many.length);
      expect(await stored('ours')).toEqual(await stored('text'));
    });

    test('of lines as long as a message, and longer than all that is looked at together', async () => {
      const table = await make('n int4, t text', [column('n'), column('t')]);
      const around = (length: number): number[] => [-3, -2, -1, 0, 1, 2, 3].map((more) => length + more);
      const lengths = [
        1,
        60_000,
        ...around(131_000),
        ...around(131_072),
        3,
        ...around(262_000),
        ...around(262_144),
        3_000_000,
        5,
      ];
      const all = lengths.map((length, i) => bytes(`${i}\t${'y'.repeat(length)}`));
      expect(await load(table, all)).toEqual([]);
      await copyAsText(all, 0, all.length);
      expect(await stored('ours')).toEqual(await stored('text'));
    });

    describe('of a table that is altered meanwhile', () => {
      beforeEach(async () => {
        await client.query(`ALTER DATABASE ${client.database} SET timezone TO 'Asia/Tokyo'; SET timezone TO 'UTC'`);
      });

      test.each([
        ['a text that becomes a number', 'text', ['12', '1234', '12345678'], 'int4 USING length(c0)'],
        ['a text that becomes an array', 'text', ['{1,2}', '{}'], 'int4[] USING ARRAY[]::int4[]'],
        ['a number that becomes longer', 'int4', ['12', '1234'], 'int8'],
        ['a number that becomes shorter', 'int8', ['12', '1234'], 'int2'],
        ['a number that becomes a text', 'int4', ['12', '1234'], 'text'],
        ['a number that becomes another', 'int8', ['12', '1234'], 'float8'],
        ['a time that gets a zone', 'timestamp', ['2026-11-22 09:00:00'], 'timestamptz'],
        ['a text that becomes shorter', 'varchar(5)', ['ab', 'abc', 'abcde'], 'varchar(4) USING left(c0, 4)'],
        ['a JSON that becomes binary', 'json', ['{"b":1, "a":2}', '[]'], 'jsonb'],
        ['a JSON that no longer is', 'jsonb', ['{"b":1, "a":2}', '[]'], 'text'],
      ])('%s', async (_, type, values, becomes) => {
        await store.close();
        store = await postgres(database.url).open({ report: () => {} });
        await store.acquire(owner, 'a');
        const table = await make(`c0 ${type}`, [column('c0')]);
        const all = [...values, '', 'other', ...values].map(bytes);
        const loadBoth = async (): Promise<void> => expect(await load(table, all)).toEqual(await loadAsText(all));
        await loadBoth();
        for (const schema of ['ours', 'text']) await client.query(`ALTER TABLE ${schema}.typed ALTER c0 TYPE ${becomes}`);
        await loadBoth();
        await loadBoth();
        expect(await stored('ours')).toEqual(await stored('text'));
      });

      test('while a load waits for it', async () => {
        const table = await make('c0 text', [column('c0')]);
        const all = ['12', '1234', '12345678'].map(bytes);
        await client.query('BEGIN; ALTER TABLE ours.typed ALTER c0 TYPE int4 USING length(c0)');
        const loading = load(table, all);
        const waiting = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%COPY%'`;
        while ((await database.query(waiting)).length === 0);
        await client.query('COMMIT; ALTER TABLE text.typed ALTER c0 TYPE int4 USING length(c0)');
        expect(await loading).toEqual(await loadAsText(all));
        expect(await stored('ours')).toEqual(await stored('text'));
      });
    });

    /** Has each row write down the whole message that it came with; gives the format of each message since the last call. */
    async function noteMessages(): Promise<() => Promise<string[]>> {
      await client.query(`CREATE TABLE notes (message text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO notes VALUES (current_query()); RETURN NULL; END $$;
        CREATE TRIGGER note AFTER INSERT ON ours.typed FOR EACH ROW EXECUTE FUNCTION note()`);
      return async () => {
        const { rows } = await client.query(
          'WITH gone AS (DELETE FROM notes RETURNING message) SELECT DISTINCT message FROM gone',
        );
        return rows.map(({ message }: { message: string }) => (message.includes('(FORMAT binary)') ? 'binary' : 'text'));
      };
    }

    test('with all that is usual in one message', async () => {
      const table = await makeAll();
      const formats = await noteMessages();
      const most = Math.max(...names.map((type) => types[type]!.usual.length));
      const all = Array.from({ length: most }, (_, i) =>
        joined([...names.map((type) => bytes(types[type]!.usual[i % types[type]!.usual.length]!)), bytes(String(i))]),
      );
      expect(await load(table, all)).toEqual([]);
      expect(await formats()).toEqual(['binary']);
    });

    test('again once a table is known that was altered', async () => {
      const table = await make('n int4', [column('n')]);
      const formats = await noteMessages();
      const all = [bytes('1'), bytes('2')];
      await load(table, all);
      expect(await formats()).toEqual(['binary']);
      await client.query('ALTER TABLE ours.typed ADD more text');
      await load(table, all);
      expect(await formats()).toEqual(['text']);
      await load(table, all);
      expect(await formats()).toEqual(['binary']);
    });

    test.each([
      ['timestamptz', '2026-11-22 09:00:00'],
      ['numeric(18, 2)', '1.005'],
      ['int4[]', '{1,2}'],
      ['interval', '1 day'],
      ['bytea', '\\x00ff'],
      ['inet', '192.0.2.1'],
      ['mood', 'good'],
      ['small', '7'],
    ])('not of one with a column of the type %s, which goes as text', async (type, value) => {
      await client.query(`CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN small AS int4 CHECK (VALUE < 100)`);
      const table = await make(`n int4, c ${type}`, [column('n'), column('c')]);
      const formats = await noteMessages();
      const all = [`1\t${value}`, '2\t', '3\tnonsense', `x\t${value}`].map(bytes);
      expect(await load(table, all)).toEqual(await loadAsText(all));
      expect(await stored('ours')).toEqual(await stored('text'));
      expect(new Set(await formats())).toEqual(new Set(['text']));
    });
  });
}
