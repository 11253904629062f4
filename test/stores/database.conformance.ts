import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { faultOf } from '../../src/fault.ts';
import type { Position, Resume } from '../../src/position.ts';
import type { Owner } from '../../src/owner.ts';
import { PositionBehindError } from '../../src/stores/database/position.ts';
import type { Column, ColumnType, OpenDatabase, RejectRow, RowFault, Table } from '../../src/stores/database.ts';
import type { TestDatabase } from '../support/databases.ts';

const owner: Owner = { pipeline: 'warehouse', sink: 'copy' };
const at = (sequence: number | string, shard = 'a', subSequence = 0): Position => ({
  shard,
  sequence: String(sequence),
  subSequence,
});
const column = (name: string, type: ColumnType | ColumnType['kind'], required = false): Column => ({
  name,
  type: typeof type === 'string' ? ({ kind: type } as ColumnType) : type,
  required,
});
const oneLine: Table = { name: 'lines', columns: [column('line', 'text')] };
const typed: Table = {
  name: 'typed',
  columns: [
    column('id', 'text', true),
    column('code', { kind: 'varchar', length: 3 }),
    column('n', 'integer'),
    column('x', 'double'),
    column('t', 'timestamp'),
    column('b', 'boolean'),
    column('j', 'json'),
  ],
};
const bytes = (text: string): Uint8Array => Buffer.from(text);
const reject = (position: Position, over: Partial<RejectRow> = {}): RejectRow => ({
  position,
  arrivedAtMs: Date.UTC(2026, 10, 22, 9, 0, 0, 7),
  why: { step: 'decode', code: 'column_count', reason: 'expected 131 columns, got 2', path: 'somewhere' },
  raw: bytes('raw'),
  ...over,
});

// Each is refused for one thing alone; the rest of it would load.
const faulty: readonly [what: string, line: string | Uint8Array, path: string, code: string][] = [
  ['a text that is no number', 'x\t\tmany', 'n', '22P02'],
  ['a number that is not whole', 'x\t\t1.5', 'n', '22P02'],
  ['a number that is too great', 'x\t\t\t-1e400', 'x', '22003'],
  ['a text that is no time', 'x\t\t\t\tsome day', 't', '22007'],
  ['a text that is neither true nor false', 'x\t\t\t\t\tperhaps', 'b', '22P02'],
  ['broken JSON', 'x\t\t\t\t\t\t{"a":', 'j', '22P02'],
  ['a byte order mark before a number', 'x\t\t\t\ufeff1.5', 'x', '22P02'],
  ['a byte order mark before a time', 'x\t\t\t\t\ufeff2026-11-22 09:00:00', 't', '22007'],
  ['a byte order mark before true', 'x\t\t\t\t\t\ufefft', 'b', '22P02'],
  ['a byte order mark before JSON', 'x\t\t\t\t\t\t\ufeff{}', 'j', '22P02'],
  ['a text that is too long', 'x\tabcd', 'code', '22001'],
  ['nothing where something has to be', '\tabc', 'id', '23502'],
  ['a column too few', Buffer.from('few\tabc'), '', '22P04'],
  ['a column too many', Buffer.from('many\t\t\t\t\t\t\tmore'), '', '22P04'],
  ['bad UTF-8', Buffer.from([0x78, 0xc3, 0x28, 9, 9, 9, 9, 9, 9]), '', '22021'],
];
// Written short above: the columns that are empty at the end are added here, but where their count is what is wrong.
const lineOf = (line: string | Uint8Array): Uint8Array =>
  typeof line === 'string' ? bytes(line + '\t'.repeat(6 - (line.split('\t').length - 1))) : line;

/** The contract of `Database`: one suite for every database. */
export function databaseConformance(name: string, setUp: () => Promise<TestDatabase>): void {
  describe(`${name} keeps the contract of a database`, () => {
    let fixture: TestDatabase;
    const opened: OpenDatabase[] = [];

    beforeEach(async () => {
      fixture = await setUp();
    });

    afterEach(async () => {
      for (const database of opened.splice(0)) await database.close();
      await fixture.close();
    });

    async function open(options?: { schema: string }): Promise<OpenDatabase> {
      const database = await fixture.declare(options).open({ report: () => {} });
      opened.push(database);
      return database;
    }

    /** An open database with a table, and the shards taken over. */
    async function ready(table: Table, shards = ['a']): Promise<OpenDatabase> {
      const database = await open();
      await database.createTable(table);
      for (const shard of shards) await database.acquire(owner, shard);
      return database;
    }

    /** Loads lines, and gives back what was refused, by index. */
    async function load(
      database: OpenDatabase,
      table: Table,
      lines: readonly Uint8Array[],
      to: Position,
    ): Promise<(readonly [number, RowFault])[]> {
      const refused: (readonly [number, RowFault])[] = [];
      const refuse = (index: number, fault: RowFault): RejectRow => {
        refused.push([index, fault]);
        return reject(at(index + 1, to.shard), { why: { step: 'copyInto', ...fault }, raw: lines[index]! });
      };
      await database.commit(owner, { rows: { table, lines }, refuse, positions: new Map([[to.shard, to]]) });
      return refused;
    }

    const stored = async (): Promise<unknown[]> => (await fixture.query('SELECT line FROM lines')).map((row) => row['line']);
    const rejects = () =>
      fixture.query(`SELECT pipeline, sink, shard, CAST(sequence AS text) AS sequence, sub_sequence, step, code, reason, path
        FROM millrace.rejects ORDER BY millrace.rejects.sequence, sub_sequence, step`);

    describe('tables', () => {
      test('are made by several at once', async () => {
        const databases = await Promise.all(Array.from({ length: 6 }, () => open()));
        await Promise.all(databases.map((database) => database.createTable({ ...typed, name: 'shop.events' })));
        expect(await fixture.query('SELECT * FROM shop.events')).toEqual([]);
        expect(await fixture.query('SELECT * FROM millrace.positions')).toEqual([]);
        expect(await fixture.query('SELECT * FROM millrace.rejects')).toEqual([]);
      });

      test('say whether they were absent', async () => {
        const database = await open();
        for (const name of ['lines', 'shop.lines'])
          expect([await database.createTable({ ...typed, name }), await database.createTable({ ...typed, name })]).toEqual([
            true,
            false,
          ]);
      });

      test('keep names as they are given, whatever is in them', async () => {
        const odd = { name: 'Odd "schema".select', columns: [column('from', 'text'), column('He said "hi"; --', 'text')] };
        const database = await ready(odd);
        await load(database, odd, [bytes('1\t2')], at(1));
        expect(await fixture.query(`SELECT * FROM "Odd ""schema""".select`)).toEqual([{ from: '1', 'He said "hi"; --': '2' }]);
      });

      test('of the store itself lie in the schema that is asked for', async () => {
        const database = await open({ schema: 'Else where' });
        await database.acquire(owner, 'a');
        expect(await fixture.query('SELECT shard FROM "Else where".positions')).toEqual([{ shard: 'a' }]);
      });

      test.each(['store', 'temp', 'memory', 'main', 'public'])('may lie in a schema of any name, such as %s', async (schema) => {
        const table = { ...typed, name: `${schema}.events` };
        const database = await open({ schema });
        await database.createTable(table);
        await database.acquire(owner, 'a');
        expect(await load(database, table, [lineOf('sound'), lineOf('x\t\tmany')], at(2))).toHaveLength(1);
        expect(await database.positions(owner, ['a'])).toEqual(new Map([['a', at(2)]]));
        expect(await fixture.declare({ schema }).check!(table)).toBe(
          `table ${schema}.events is there, schema ${schema} is there`,
        );
      });

      test('that are there serve when they have the columns, in any order, and more', async () => {
        await (
          await open()
        ).createTable({ name: 'there', columns: [column('more', 'text'), column('b', 'text'), column('a', 'integer')] });
        const table = { name: 'there', columns: [column('a', 'integer'), column('b', 'text')] };
        const database = await ready(table);
        await load(database, table, [bytes('1\ttwo')], at(1));
        expect(await fixture.query('SELECT * FROM there')).toEqual([{ more: null, b: 'two', a: 1 }]);
      });

      test('that would cut values without a word are an error that names the columns', async () => {
        const database = await open();
        await fixture.query('CREATE TABLE cut (day DATE, n BIGINT, tstamp TIMESTAMP, price DECIMAL(18, 2), w DECIMAL(9, 0))');
        const columns = [
          column('day', 'timestamp'),
          column('n', 'double'),
          column('tstamp', 'timestamp'),
          column('price', 'double'),
          column('w', 'double'),
        ];
        await expect(database.createTable({ name: 'cut', columns })).rejects.toThrow(
          /the table cut would cut values without a word: day is date, expected timestamp; n is bigint, expected double; w is (numeric|decimal)\(9,0\), expected double; change them/,
        );
      });

      test('that lack a column are an error that names it', async () => {
        const database = await open();
        await database.createTable({ name: 'there', columns: [column('a', 'text')] });
        const wider = { name: 'there', columns: [column('a', 'text'), column('b', 'text'), column('c', 'text')] };
        await expect(database.createTable(wider)).rejects.toThrow(/there.*lacks b, c/);
      });

      test('that want a column which nobody fills are an error that names it', async () => {
        const database = await open();
        await database.createTable({ name: 'there', columns: [column('a', 'text'), column('b', 'text', true)] });
        await expect(database.createTable({ name: 'there', columns: [column('a', 'text')] })).rejects.toThrow(/there.*wants b/);
      });
    });

    describe('rows', () => {
      test('come out as the types they have', async () => {
        const database = await ready(typed);
        const lines = [
          bytes('full\tabc\t-42\t52.5\t2026-11-22 09:00:07.123\t1\t{"a": "\\"b\\""}'),
          bytes('zero\t\t0\t0\t2026-11-22 09:00:07\t0\t[]'),
          bytes('only\t\t\t\t\t\t'),
        ];
        expect(await load(database, typed, lines, at(3))).toEqual([]);
        const [full, zero, only] = await fixture.query(
          `SELECT id, code, n, x, CAST(t AS text) AS t, b, CAST(j AS text) AS j FROM typed ORDER BY length(code) NULLS LAST, id DESC`,
        );
        expect(full).toEqual({
          id: 'full',
          code: 'abc',
          n: -42,
          x: 52.5,
          t: '2026-11-22 09:00:07.123',
          b: true,
          j: '{"a": "\\"b\\""}',
        });
        expect(zero).toEqual({ id: 'zero', code: null, n: 0, x: 0, t: '2026-11-22 09:00:07', b: false, j: '[]' });
        expect(only).toEqual({ id: 'only', code: null, n: null, x: null, t: null, b: null, j: null });
      });

      test('are NULL where a field is empty, also when it is the only one', async () => {
        const database = await ready(oneLine);
        await load(database, oneLine, [bytes('a'), bytes(''), bytes('b')], at(3));
        expect(new Set(await stored())).toEqual(new Set(['a', null, 'b']));
      });

      test('hold any text but tabs byte for byte', async () => {
        const database = await ready(oneLine);
        let sequence = 0;
        const awkward = fc.constantFrom(
          '\\',
          '"',
          "'",
          '\\N',
          '\\.',
          '\r',
          '\n',
          '\r\n',
          '\\t',
          ' ',
          'é',
          '🛒',
          '{}',
          ',',
          '|',
          '\u{1}',
          '%',
        );
        const text = fc.array(fc.oneof(awkward, fc.string({ unit: 'binary' })), { maxLength: 12 }).map((parts) => parts.join(''));
        const line = text.filter((value) => value !== '' && !/[\t\0]/.test(value));
        await fc.assert(
          fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 50 }), async (lines) => {
            await fixture.query('DELETE FROM lines');
            expect(await load(database, oneLine, lines.map(bytes), at(++sequence))).toEqual([]);
            expect((await stored()).map(String).toSorted()).toEqual(lines.toSorted());
          }),
          { numRuns: 30 },
        );
      });

      test('may be longer than what is sent at once', async () => {
        const database = await ready(oneLine);
        const lines = [1, 131_000, 131_067, 131_072, 400_000, 3, 3_145_713, 4_000_000, 2].map((length, i) =>
          String.fromCharCode(97 + i).repeat(length),
        );
        expect(await load(database, oneLine, lines.map(bytes), at(1))).toEqual([]);
        expect(new Set(await stored())).toEqual(new Set(lines));
      });
    });

    describe('a row that is refused', () => {
      test.each(faulty)('for %s is a reject, and the rows around it load', async (_, line, path, code) => {
        const database = await ready(typed);
        const refused = await load(database, typed, [lineOf('before'), lineOf(line), lineOf('after')], at(3));
        expect(refused).toEqual([[1, { path, code, reason: expect.stringMatching(/../) }]]);
        expect(await fixture.query('SELECT id FROM typed ORDER BY id')).toEqual([{ id: 'after' }, { id: 'before' }]);
        const { reason } = refused[0]![1];
        expect(await rejects()).toEqual([
          { ...owner, shard: 'a', sequence: '2', sub_sequence: expect.anything(), step: 'copyInto', code, reason, path },
        ]);
        expect(await fixture.query('SELECT raw FROM millrace.rejects')).toEqual([
          { raw: Buffer.from(lineOf(line)).toString('hex') },
        ]);
      });

      test('is found wherever it stands, whatever the others are', async () => {
        const database = await ready(typed);
        const kinds = faulty.map(([, line]) => lineOf(line));
        let sequence = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.oneof({ weight: 4, arbitrary: fc.constant(-1) }, fc.nat(kinds.length - 1)), {
              minLength: 1,
              maxLength: 40,
            }),
            async (plan) => {
              await fixture.query('DELETE FROM typed');
              const lines = plan.map((kind, i) => (kind < 0 ? lineOf(`row ${i}`) : kinds[kind]!));
              const refused = await load(database, typed, lines, at(++sequence));
              expect(refused.map(([index, { code }]) => [index, code])).toEqual(
                plan.flatMap((kind, i) => (kind < 0 ? [] : [[i, faulty[kind]![3]]])),
              );
              expect(
                await fixture.query("SELECT count(*) AS n FROM typed WHERE id LIKE 'row %'").then(([row]) => Number(row!['n'])),
              ).toBe(plan.filter((kind) => kind < 0).length);
            },
          ),
          { numRuns: 25 },
        );
      });

      test('is found also in a table whose values are mostly written in other ways', async () => {
        const database = await ready(typed);
        await load(database, typed, [lineOf('a\t\t1\t1e3'), lineOf('b\t\t1\tinfinity')], at(1));
        const lines = ['c\t\t1.5\t1e3', 'd\t\t2\t1e2', 'e\t\t1e1\t1e3', 'f\t\t3\t1e400', 'g\t\t4\t-infinity'].map(lineOf);
        const refused = await load(database, typed, lines, at(9));
        expect(refused.map(([index, { code, path }]) => [index, code, path])).toEqual([
          [0, '22P02', 'n'],
          [2, '22P02', 'n'],
          [3, '22003', 'x'],
        ]);
        expect((await fixture.query('SELECT n FROM typed ORDER BY id')).map(({ n }) => n)).toEqual([1, 1, 2, 4]);
      });

      test('for a constraint of the table is a reject too', async () => {
        await (await open()).createTable({ name: 'before', columns: [column('id', 'text')] });
        await fixture.query('CREATE TABLE only_once (id text PRIMARY KEY, n integer CHECK (n < 100))');
        const table = { name: 'only_once', columns: [column('id', 'text'), column('n', 'integer')] };
        const database = await ready(table);
        await load(database, table, [bytes('a\t1')], at(1));
        const lines = ['b\t1', 'a\t2', 'c\t100', 'd\t1', 'b\t2', 'x\tx', 'e\t99'].map(bytes);
        const refused = await load(database, table, lines, at(8));
        expect(refused.map(([index]) => index)).toEqual([1, 2, 4, 5]);
        expect(await fixture.query('SELECT id FROM only_once ORDER BY id')).toEqual(['a', 'b', 'd', 'e'].map((id) => ({ id })));
      });

      test('is one of which a column of another type, which is called text, makes nothing', async () => {
        await (await open()).createTable({ name: 'before', columns: [column('id', 'text')] });
        await fixture.query('CREATE TABLE own_types (id bigint, price decimal(10, 2))');
        const table = { name: 'own_types', columns: [column('id', 'text'), column('price', 'text')] };
        const lines = ['9007199254740993\t0.10', 'x\t1', '\t', '-1\ttwo', '2\t12.34'].map(bytes);
        const refused = await load(await ready(table), table, lines, at(5));
        expect(refused.map(([index]) => index)).toEqual([1, 3]);
        expect(await fixture.query('SELECT id::text AS id, price::text AS price FROM own_types ORDER BY 1')).toEqual([
          { id: '2', price: '12.34' },
          { id: '9007199254740993', price: '0.10' },
          { id: null, price: null },
        ]);
      });

      test('may be one of very many', async () => {
        const database = await ready(typed);
        const lines = Array.from({ length: 3000 }, (_, i) => lineOf(i < 1000 || i % 500 === 7 ? `x\t\tbad ${i}` : `row ${i}`));
        const refused = await load(database, typed, lines, at(3000));
        expect(refused.map(([index]) => index)).toEqual([...Array(1000).keys(), 1007, 1507, 2007, 2507]);
        expect(await fixture.query('SELECT count(*) AS n FROM typed').then(([row]) => Number(row!['n']))).toBe(1996);
        expect(await rejects()).toHaveLength(1004);
      });

      test('fails the load when nobody asked for refusals', async () => {
        const database = await ready(typed);
        const rows = { table: typed, lines: [lineOf('good'), lineOf('x\t\tmany')] };
        await expect(database.commit(owner, { rows, positions: new Map([['a', at(2)]]) })).rejects.toThrow(/many/);
        expect(await fixture.query('SELECT * FROM typed')).toEqual([]);
        expect(await database.positions(owner, ['a'])).toEqual(new Map());
      });
    });

    describe('rejects', () => {
      const positions = new Map<string, Resume>([['a', at(9)]]);

      test('are stored as they are, also when their reason is odd', async () => {
        const database = await ready(oneLine);
        const reason = 'a "quoted", \\back\\slashed,\nbroken\ttext; it\'s \0 odd \ud800 🛒';
        const odd = reject(at('49590338271490256608559692538361571095921575989136588898', 'a', 7), {
          why: { step: 'validate', code: 'too_big', reason },
          raw: Buffer.from([0, 1, 0x5c, 0x0a, 0x0d, 0x09, 0xff, 0xc3]),
        });
        await database.commit(owner, { rejects: [odd, reject(at(10))], positions });
        const [first, second] = await rejects();
        expect(first).toEqual({ ...owner, shard: 'a', sequence: '10', sub_sequence: expect.anything(), ...reject(at(10)).why });
        expect(second).toEqual({
          ...owner,
          shard: 'a',
          sequence: odd.position.sequence,
          sub_sequence: expect.anything(),
          step: 'validate',
          code: 'too_big',
          reason: reason.replace('\0', '\\0').toWellFormed(),
          path: '',
        });
        expect(await fixture.query("SELECT raw FROM millrace.rejects WHERE step = 'validate'")).toEqual([
          { raw: '00015c0a0d09ffc3' },
        ]);
        expect(await fixture.query('SELECT CAST(arrived_at AS text) AS t FROM millrace.rejects LIMIT 1')).toEqual([
          { t: expect.stringMatching(/^2026-11-22 09:00:00\.007/) },
        ]);
      });

      test('may have a code of any length, of which the beginning is kept', async () => {
        const database = await ready(oneLine);
        // Of one letter only, an index would pack it.
        const code = Array.from({ length: 5000 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 0).toString(36)).join('');
        await database.commit(owner, { rejects: [reject(at(1), { why: { step: 'transform', code, reason: 'r' } })], positions });
        const [{ code: kept } = {}] = (await rejects()) as { code?: string }[];
        expect(kept!.slice(0, 200)).toBe(code.slice(0, 200));
      });

      test('are stored once, however often they come', async () => {
        const database = await ready(oneLine);
        const twice = [reject(at(1)), reject(at(2)), reject(at(1))];
        await database.commit(owner, { rejects: twice, positions });
        await database.commit(owner, { rejects: twice, positions });
        expect(await rejects()).toHaveLength(2);
      });

      test('of a load are stored with those of its rows', async () => {
        const database = await ready(typed);
        const refuse = (_: number, fault: RowFault): RejectRow => reject(at(5), { why: { step: 'copyInto', ...fault } });
        const rows = { table: typed, lines: [lineOf('x\t\tmany')] };
        await database.commit(owner, { rows, refuse, rejects: [reject(at(4))], positions });
        expect((await rejects()).map(({ sequence, step }) => [sequence, step])).toEqual([
          ['4', 'decode'],
          ['5', 'copyInto'],
        ]);
      });
    });

    describe('positions', () => {
      test('of no shards are none', async () => {
        const database = await ready(oneLine);
        expect(await database.positions(owner, [])).toEqual(new Map());
      });

      test('are none where nothing was ever made', async () => {
        expect(await fixture.declare().stands!(owner)).toEqual([]);
      });

      test('never move backwards, and nothing of what would move them is stored', async () => {
        const database = await ready(oneLine, ['a', 'b']);
        await database.commit(owner, { positions: new Map([['a', at(10)]]) });
        for (const back of [at(9), at(10, 'a', -1), new Date(0), 'TRIM_HORIZON'] as const) {
          const rows = { table: oneLine, lines: [bytes('again')] };
          const load = { rows, rejects: [reject(at(1))], positions: new Map<string, Resume>([['a', back]]).set('b', at(1, 'b')) };
          await expect(database.commit(owner, load)).rejects.toThrow(PositionBehindError);
        }
        expect(await stored()).toEqual([]);
        expect(await rejects()).toEqual([]);
        expect(await database.positions(owner, ['a', 'b'])).toEqual(new Map([['a', at(10)]]));
      });

      test('never move back from the end of a shard', async () => {
        const database = await ready(oneLine);
        const ended = new Map<string, Resume>([['a', 'SHARD_END']]);
        await database.commit(owner, { positions: ended });
        for (const back of [at(11), new Date(5000), 'TRIM_HORIZON'] as const)
          await expect(database.commit(owner, { positions: new Map([['a', back]]) })).rejects.toThrow(PositionBehindError);
        expect(await database.positions(owner, ['a'])).toEqual(ended);
      });

      test('never move back from a time', async () => {
        const database = await ready(oneLine);
        const began = new Map<string, Resume>([['a', new Date(1000)]]);
        await database.commit(owner, { positions: began });
        for (const back of [new Date(999), 'TRIM_HORIZON'] as const)
          await expect(database.commit(owner, { positions: new Map([['a', back]]) })).rejects.toThrow(PositionBehindError);
        expect(await database.positions(owner, ['a'])).toEqual(began);
      });

      test('may stay, and move on from any kind of place', async () => {
        const database = await ready(oneLine);
        const way: Resume[] = [
          'TRIM_HORIZON',
          new Date(1),
          new Date(1),
          new Date(1000),
          at(9),
          at(10),
          at(10),
          at(10, 'a', 3),
          at('1'.repeat(56)),
          { ...at('1'.repeat(56)), quietUntilMs: 1000 },
          { ...at('1'.repeat(56), 'a', 1), quietUntilMs: 2000 },
          'SHARD_END',
          'SHARD_END',
        ];
        for (const to of way) await database.commit(owner, { positions: new Map([['a', to]]) });
        expect(await database.positions(owner, ['a'])).toEqual(new Map([['a', way.at(-1)]]));
      });

      test.each<Resume>([at(1), new Date(1000), 'SHARD_END'])(
        'must move on where rows are stored: an attempt of which nothing was heard may have stored them: %j',
        async (to) => {
          const database = await ready(oneLine);
          const load = { rows: { table: oneLine, lines: [bytes('once')] }, positions: new Map([['a', to]]) };
          await database.commit(owner, load);
          const error = await database.commit(owner, load).catch((thrown: unknown) => thrown);
          expect(error).toBeInstanceOf(PositionBehindError);
          expect(faultOf(error)).toBe('transient');
          expect(await stored()).toHaveLength(1);
        },
      );

      test('must move on where rows are stored, also when their shard was quiet since', async () => {
        const database = await ready(oneLine);
        const load = { rows: { table: oneLine, lines: [bytes('once')] }, positions: new Map([['a', at(1)]]) };
        await database.commit(owner, load);
        const quiet = { ...at(1), quietUntilMs: Date.UTC(2026, 10, 22) };
        await database.commit(owner, { positions: new Map([['a', quiet]]) });
        const error = await database.commit(owner, load).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(PositionBehindError);
        expect(faultOf(error)).toBe('transient');
        expect(await stored()).toEqual(['once']);
        expect(await database.positions(owner, ['a'])).toEqual(new Map([['a', quiet]]));
      });

      test('may tell that a shard was quiet, together with rows of another one', async () => {
        const database = await ready(oneLine, ['a', 'b']);
        await database.commit(owner, { positions: new Map([['a', at(1)]]) });
        const quiet = (hour: number) => ({ ...at(1), quietUntilMs: Date.UTC(2026, 10, 22, hour) });
        const load = (hour: number) => ({
          rows: { table: oneLine, lines: [bytes(`hour ${hour}`)] },
          positions: new Map([
            ['a', quiet(hour)],
            ['b', at(hour, 'b')],
          ]),
        });
        for (const hour of [9, 10]) await database.commit(owner, load(hour));
        expect(await stored()).toEqual(['hour 9', 'hour 10']);
        expect(await database.positions(owner, ['a'])).toEqual(new Map([['a', quiet(10)]]));
        for (const late of [9, 10]) await expect(database.commit(owner, load(late))).rejects.toThrow(PositionBehindError);
      });

      test('are a must where something is stored', async () => {
        const database = await ready(oneLine);
        await expect(database.commit(owner, { rejects: [reject(at(1))], positions: new Map() })).rejects.toThrow(RangeError);
        await database.commit(owner, { positions: new Map() });
      });

      test('of a shard that was not taken over are refused', async () => {
        const database = await ready(oneLine);
        await expect(database.commit(owner, { positions: new Map([['b', at(1, 'b')]]) })).rejects.toThrow(/has not acquired b/);
        await expect(database.positions(owner, ['b'])).rejects.toThrow(/has not acquired b/);
      });
    });

    describe('rows of a table that are known by a column', () => {
      const known: Table = { ...typed, name: 'known', missingBy: 'id' };
      const row = (id: string, n: number | string = ''): Uint8Array => lineOf(`${id}\t\t${n}`);

      /** Loads lines; gives back which were refused, and how many were left out. */
      async function loadMissing(
        database: OpenDatabase,
        table: Table,
        lines: readonly Uint8Array[],
        to: Position,
      ): Promise<{ refused: number[]; leftOut: number }> {
        const refused: number[] = [];
        let leftOut = 0;
        await database.commit(owner, {
          rows: { table, lines },
          refuse: (index, fault) => {
            refused.push(index);
            return reject(at(index + 1, to.shard), { why: { step: 'copyInto', ...fault }, raw: lines[index]! });
          },
          leftOut: (count) => (leftOut += count),
          positions: new Map([[to.shard, to]]),
        });
        return { refused, leftOut };
      }

      const found = async (): Promise<unknown[]> =>
        (await fixture.query('SELECT id, n FROM known ORDER BY id, n')).map(({ id, n }) => `${String(id)} ${String(n)}`);

      test('are loaded as far as they are missing, with the position', async () => {
        const database = await ready(known);
        expect(await loadMissing(database, known, [row('a', 1), row('b', 2)], at(2))).toEqual({ refused: [], leftOut: 0 });
        const again = [row('a', 9), row('c', 3), row('b', 9), row('d', 4)];
        expect(await loadMissing(database, known, again, at(4))).toEqual({ refused: [], leftOut: 2 });
        expect(await found()).toEqual(['a 1', 'b 2', 'c 3', 'd 4']);
        expect(await database.positions(owner, ['a'])).toEqual(new Map([['a', at(4)]]));
      });

      test('are counted where they are left out, also when nobody takes refusals', async () => {
        const database = await ready(known);
        const counts: number[] = [];
        for (const to of [1, 2])
          await database.commit(owner, {
            rows: { table: known, lines: [row('a', 1), row('b', 2), row('a', 3)] },
            leftOut: (count) => counts.push(count),
            positions: new Map([['a', at(to)]]),
          });
        expect(counts).toEqual([1, 3]);
      });

      test('are counted where they are left out, also before and behind one that is written in another way', async () => {
        const database = await ready(known);
        await loadMissing(database, known, [row('a', 1)], at(1));
        const lines = [row('a', 9), row('a', 9), row('b', '+2'), row('a', 9), row('c', 3), row('b', '+9')];
        expect(await loadMissing(database, known, lines, at(2))).toEqual({ refused: [], leftOut: 4 });
        expect(await found()).toEqual(['a 1', 'b 2', 'c 3']);
      });

      test('are rejects where they are refused for the value by which they are known, whatever the database would make of it', async () => {
        const table: Table = { name: 'by_whole', columns: [column('key', 'integer')], missingBy: 'key' };
        const database = await ready(table);
        await loadMissing(database, table, [bytes('2')], at(1));
        expect(await loadMissing(database, table, ['1.5', '2'].map(bytes), at(2))).toEqual({ refused: [0], leftOut: 1 });
      });

      test('are found whoever stored them, and all of them may be there', async () => {
        const database = await ready(known);
        await fixture.query("INSERT INTO known (id, n) VALUES ('a', 1), ('b', 2), ('b', 3)");
        expect(await loadMissing(database, known, [row('b', 9), row('a', 9)], at(2))).toEqual({ refused: [], leftOut: 2 });
        expect(await found()).toEqual(['a 1', 'b 2', 'b 3']);
      });

      test('are loaded once where they come twice in one load, the first one', async () => {
        const database = await ready(known);
        const lines = [row('a', 1), row('b', 2), row('a', 3), row('a', 4), row('b', 5)];
        expect(await loadMissing(database, known, lines, at(5))).toEqual({ refused: [], leftOut: 3 });
        expect(await found()).toEqual(['a 1', 'b 2']);
      });

      test('are loaded each time where they have nothing in the column', async () => {
        const table: Table = { name: 'loose', columns: [column('id', 'text'), column('n', 'integer')], missingBy: 'id' };
        const database = await ready(table);
        const lines = ['\t1', '\t2', 'a\t3', '\t4'].map(bytes);
        expect((await loadMissing(database, table, lines, at(1))).leftOut).toBe(0);
        expect((await loadMissing(database, table, lines, at(2))).leftOut).toBe(1);
        expect(await fixture.query('SELECT n FROM loose ORDER BY n')).toEqual([1, 1, 2, 2, 3, 4, 4].map((n) => ({ n })));
      });

      test('are compared by their values, whatever the type', async () => {
        const types: [ColumnType['kind'], string, string, string][] = [
          ['integer', '1', '01', '2'],
          ['double', '1.5', '1.50', '2'],
          ['timestamp', '2026-11-22 09:00:07', '2026-11-22 09:00:07.000', '2026-11-22 09:00:08'],
          ['boolean', '1', 'true', 'f'],
          ['text', 'a', 'a', 'A'],
        ];
        for (const [kind, value, same, other] of types) {
          const table: Table = { name: `by_${kind}`, columns: [column('before', 'text'), column('key', kind)], missingBy: 'key' };
          const database = await ready(table);
          const lines = [value, same, other].map((key) => bytes(`x\t${key}`));
          await database.acquire(owner, kind);
          expect((await loadMissing(database, table, lines, at(1, kind))).leftOut, kind).toBe(1);
          expect((await loadMissing(database, table, [lines[1]!], at(2, kind))).leftOut, kind).toBe(1);
        }
      });

      test('are rejects where they are refused, and one that comes again is loaded then', async () => {
        await (await open()).createTable({ name: 'before', columns: [column('id', 'text')] });
        await fixture.query(
          'CREATE TABLE known (id text, code text, n integer CHECK (n < 100), x float8, t timestamp, b boolean, j json)',
        );
        const database = await ready(known);
        const lines = [
          row('a', 'many'),
          row('b', 2),
          row('a', 100),
          row('a', 3),
          row('a', 4),
          row('c', 'some'),
          row('d', 200),
          row('b', 'x'),
        ];
        const { refused, leftOut } = await loadMissing(database, known, lines, at(9));
        expect(await found()).toEqual(['a 3', 'b 2']);
        // The last one is refused and there already.
        expect(refused.filter((index) => index < 7)).toEqual([0, 2, 5, 6]);
        expect(refused.length + leftOut).toBe(6);
        expect(await rejects()).toHaveLength(refused.length);
      });

      test('are in the end what they are one by one, whatever comes', async () => {
        const database = await ready(known);
        let sequence = 0;
        const line = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e'), n: fc.constantFrom('1', '2', 'x', '') });
        await fc.assert(
          fc.asyncProperty(fc.array(fc.array(line, { maxLength: 30 }), { minLength: 1, maxLength: 3 }), async (loads) => {
            await fixture.query('DELETE FROM known');
            const expected = new Map<string, string>();
            for (const lines of loads) {
              for (const { id, n } of lines) if (n !== 'x' && !expected.has(id)) expected.set(id, n === '' ? 'null' : n);
              const { refused, leftOut } = await loadMissing(
                database,
                known,
                lines.map(({ id, n }) => row(id, n)),
                at(++sequence),
              );
              expect(await found()).toEqual([...expected].map(([id, n]) => `${id} ${n}`).toSorted());
              expect(refused.every((index) => lines[index]!.n === 'x')).toBe(true);
              expect(leftOut).toBeLessThanOrEqual(lines.length - refused.length);
            }
          }),
          { numRuns: 30 },
        );
      });

      test('may be very many, and long', async () => {
        const database = await ready(known);
        const lines = Array.from({ length: 9000 }, (_, i) =>
          lineOf(`id ${i}\t\t${i}\t\t\t\t"${'x'.repeat(i % 100 === 0 ? 40_000 : 10)}"`),
        );
        const part = lines.filter((_, i) => i % 3 !== 1);
        expect(await loadMissing(database, known, part, at(1))).toEqual({ refused: [], leftOut: 0 });
        expect(await loadMissing(database, known, lines, at(2))).toEqual({ refused: [], leftOut: 6000 });
        const counted = await fixture.query('SELECT count(*) AS n, count(DISTINCT id) AS ids FROM known');
        expect(counted.map(({ n, ids }) => [Number(n), Number(ids)])).toEqual([[9000, 9000]]);
      });

      test('are loaded once by two that load them at once', async () => {
        const shards = Array.from({ length: 4 }, (_, i) => `shard ${i}`);
        const databases = await Promise.all(shards.map((shard) => ready(known, [shard])));
        const lines = Array.from({ length: 500 }, (_, i) => row(`id ${i}`, i));
        const loads = await Promise.all(shards.map((shard, i) => loadMissing(databases[i]!, known, lines, at(1, shard))));
        expect(loads.map(({ leftOut }) => leftOut).toSorted((a, b) => a - b)).toEqual([0, 500, 500, 500]);
        expect(await found()).toHaveLength(500);
      });

      test('are not stored at all by an owner that was replaced, or without anybody who takes refusals', async () => {
        const database = await ready(known);
        const rows = { table: known, lines: [row('a', 1), row('b', 'many')] };
        await expect(database.commit(owner, { rows, positions: new Map([['a', at(2)]]) })).rejects.toThrow(/many/);
        const newer = await open();
        await newer.acquire(owner, 'a');
        await expect(loadMissing(database, known, [row('a', 1)], at(2))).rejects.toThrow(FencedError);
        expect(await found()).toEqual([]);
      });
    });

    describe('an owner', () => {
      test('that a newer one has replaced stores nothing, not even rejects', async () => {
        const zombie = await ready(oneLine, ['a', 'b']);
        const newer = await open();
        expect(await newer.acquire(owner, 'a')).toBeUndefined();
        const rows = { table: oneLine, lines: [bytes('late')] };
        const positions = new Map<string, Resume>([
          ['b', at(1, 'b')],
          ['a', at(1)],
        ]);
        await expect(zombie.commit(owner, { rows, rejects: [reject(at(1))], positions })).rejects.toThrow(
          expect.objectContaining({ name: 'FencedError', shard: 'a', epoch: 1 }),
        );
        await expect(zombie.positions(owner, ['a'])).rejects.toThrow(FencedError);
        expect(await stored()).toEqual([]);
        expect(await rejects()).toEqual([]);
        expect(await zombie.positions(owner, ['b'])).toEqual(new Map());
        await newer.commit(owner, { rows, positions: new Map([['a', at(1)]]) });
        expect(await stored()).toEqual(['late']);
      });

      test('raises the epoch by one each time', async () => {
        for (let i = 0; i < 3; i++) await (await open()).acquire(owner, 'a');
        expect((await fixture.query('SELECT epoch FROM millrace.positions')).map(({ epoch }) => Number(epoch))).toEqual([3]);
      });

      test('that takes over together with others gets an epoch of its own', async () => {
        const databases = await Promise.all(Array.from({ length: 5 }, () => open()));
        await Promise.all(databases.map((database) => database.acquire(owner, 'a')));
        expect((await fixture.query('SELECT epoch FROM millrace.positions')).map(({ epoch }) => Number(epoch))).toEqual([5]);
        const own = await Promise.allSettled(databases.map((database) => database.positions(owner, ['a'])));
        expect(own.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      });

      test('is told when the database forgot it', async () => {
        const database = await ready(oneLine);
        await database.acquire(owner, 'a');
        await fixture.query('UPDATE millrace.positions SET epoch = 1');
        await expect(database.commit(owner, { positions: new Map([['a', at(1)]]) })).rejects.toThrow(/went back in time/);
        await expect(database.positions(owner, ['a'])).rejects.toThrow(/went back in time/);
      });
    });
  });
}
