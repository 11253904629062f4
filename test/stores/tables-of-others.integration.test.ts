import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ColumnType, OpenDatabase, Table } from '../../src/stores/database.ts';
import { type TestDatabase, emptyDuckdb, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

const owner = { pipeline: 'warehouse', sink: 'copy' };
const uuid = 'cf3caf2b-d035-44f4-a236-0123456789ab';

/** What a column is said to be, what it is, and what becomes of values: a text, or the code of a refusal. */
const columns: readonly (readonly [ColumnType, string, Readonly<Record<string, string>>])[] = [
  [
    { kind: 'integer' },
    'BIGINT',
    { '1': '1', '3000000000': '3000000000', '1.5': '22P02', x: '22P02', '9223372036854775808': '22003' },
  ],
  [{ kind: 'integer' }, 'SMALLINT', { '-7': '-7', '40000': '22003', '1.5': '22P02' }],
  [{ kind: 'integer' }, 'INTEGER', { '2147483648': '22003', '1e3': '22P02' }],
  [{ kind: 'integer' }, 'VARCHAR', { '007': '007', x: 'x' }],
  [{ kind: 'double' }, 'VARCHAR', { '12.250': '12.250', '1e5': '1e5' }],
  [{ kind: 'boolean' }, 'VARCHAR', { '1': '1', true: 'true', maybe: 'maybe' }],
  [{ kind: 'boolean' }, 'SMALLINT', { '1': '1', t: '22P02' }],
  [{ kind: 'timestamp' }, 'VARCHAR', { '2026-11-22 09:00:00.000': '2026-11-22 09:00:00.000' }],
  [
    { kind: 'timestamp' },
    'TIMESTAMP',
    { '2026-02-30 09:00:00': '22008', '2026-11-22 09:60:00.5': '22008', '2026-11-22 9h': '22007' },
  ],
  [
    { kind: 'timestamp' },
    'TIMESTAMPTZ',
    {
      '2026-11-22 09:00:00 utc': '2026-11-22 09:00:00+00',
      '2026-11-22 09:00:00+01': '2026-11-22 08:00:00+00',
      Infinity: 'infinity',
      epoch: '1970-01-01 00:00:00+00',
      someday: '22007',
    },
  ],
  [{ kind: 'json' }, 'VARCHAR', { '{"a": 1}': '{"a": 1}', '{': '{' }],
  [
    { kind: 'double' },
    'DECIMAL(18, 2)',
    {
      '1.005': '1.01',
      '5.0E-4': '0.00',
      '9.5e-5': '0.00',
      '-7e-3': '-0.01',
      '123456789012345.67': '123456789012345.67',
      '1e2': '100.00',
      x: '22P02',
      '12345678901234567890': '22003',
    },
  ],
  // With more places there would be none left, for either side of the point.
  [{ kind: 'double' }, 'DECIMAL(38, 30)', { '1.5e-3': `0.0015${'0'.repeat(26)}` }],
  [{ kind: 'double' }, 'DECIMAL(38, 2)', { '1234567890123456789012345678000e-5': '12345678901234567890123456.78' }],
  [{ kind: 'double' }, 'REAL', { '0.1': '0.1', '1e39': '22003', '1e': '22P02' }],
  [{ kind: 'char', length: 36 }, 'UUID', { [uuid]: uuid, [uuid.toUpperCase().replaceAll('-', '')]: uuid, x: '22P02' }],
  [{ kind: 'text' }, 'INTEGER', { '7': '7', '1.5': '22P02', '2147483648': '22003' }],
  [{ kind: 'text' }, 'TIMESTAMP', { '2026-11-22 09:00:00': '2026-11-22 09:00:00', soon: '22007' }],
];

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

describe.each<[string, () => Promise<TestDatabase>]>([
  ['postgres', () => emptyPostgres(server)],
  ['duckdb', emptyDuckdb],
])('a table of %s that somebody else has made', (name, setUp) => {
  let place: TestDatabase;
  let database: OpenDatabase;
  let sequence = 0;
  beforeAll(async () => {
    // Neither the machine nor the server has UTC.
    process.env['TZ'] = 'Asia/Tokyo';
    place = await setUp();
    if ('url' in place)
      await place.query(`ALTER DATABASE ${new URL(place.url as string).pathname.slice(1)} SET timezone = 'Asia/Tokyo'`);
    database = await place.declare().open({ report: () => {} });
    await database.acquire(owner, 'a');
  });
  afterAll(async () => {
    await database.close();
    await place.close();
  });

  /** Loads lines; gives back the codes of those that are refused, by index. */
  async function load(table: Table, lines: readonly string[], column: unknown = 'value'): Promise<ReadonlyMap<number, string>> {
    const codes = new Map<number, string>();
    const position = { shard: 'a', sequence: String(++sequence), subSequence: 0 };
    await database.commit(owner, {
      rows: { table, lines: lines.map((line) => Buffer.from(line)) },
      refuse: (index, fault) => {
        codes.set(index, fault.code);
        expect(fault.path).toEqual(column);
        const why = { step: 'copyInto', ...fault };
        return { position: { ...position, subSequence: index }, arrivedAtMs: 0, why, raw: Buffer.from(lines[index]!) };
      },
      positions: new Map([['a', position]]),
    });
    return codes;
  }

  test.each(columns)('takes and refuses what its own types do: %j as %s', async (type, own, values) => {
    const table: Table = {
      name: `table_${++sequence}`,
      columns: [
        { name: 'id', type: { kind: 'integer' }, required: true },
        { name: 'value', type, required: false },
      ],
    };
    await place.query(`CREATE TABLE ${table.name} (value ${own}, id INTEGER)`);
    await database.createTable(table);
    const codes = await load(table, [...Object.keys(values).map((value, i) => `${i}\t${value}`), '-1\t']);
    const rows = await place.query(`SELECT id, CAST(value AS VARCHAR) AS value FROM ${table.name} WHERE id >= 0`);
    const stored = new Map([...rows.map((row) => [row['id'], row['value']] as const), ...codes]);
    expect(Object.fromEntries(Object.keys(values).map((value, i) => [value, stored.get(i)]))).toEqual(values);
    expect(await place.query(`SELECT value FROM ${table.name} WHERE id = -1`)).toEqual([{ value: null }]);
  });

  test('wants what the table itself does, and no more', async () => {
    const column = (name: string, required: boolean) => ({ name, type: { kind: 'text' }, required }) as const;
    const table: Table = { name: 'wants', columns: [column('value', false), column('other', true)] };
    await place.query('CREATE TABLE wants (value VARCHAR NOT NULL, other VARCHAR)');
    await database.createTable(table);
    expect(await load(table, ['a\tb', '\tb', 'c\t'])).toEqual(new Map([[1, '23502']]));
    expect(await place.query('SELECT value, other FROM wants ORDER BY value')).toEqual([
      { value: 'a', other: 'b' },
      { value: 'c', other: null },
    ]);
  });

  test('takes times for UTC also where its own have a zone', async () => {
    const table: Table = { name: 'zoned', columns: [{ name: 'value', type: { kind: 'timestamp' }, required: false }] };
    await place.query('CREATE TABLE zoned (value TIMESTAMPTZ)');
    await database.createTable(table);
    await load(table, ['2026-11-22 09:00:00', '2026-11-22T09:00:00.000Z', '2026-11-22 10:00:00+01']);
    const seconds = Date.UTC(2026, 10, 22, 9) / 1000;
    expect(await place.query(`SELECT DISTINCT CAST(date_part('epoch', value) AS INTEGER) AS seconds FROM zoned`)).toEqual([
      { seconds },
    ]);
  });

  // Postgres reads it, and the next one as if nothing had been.
  test.runIf(name === 'duckdb')('takes no zone by its name, in which all times behind it would be', async () => {
    const table: Table = { name: 'named', columns: [{ name: 'value', type: { kind: 'timestamp' }, required: false }] };
    await place.query('CREATE TABLE named (value TIMESTAMPTZ)');
    await database.createTable(table);
    const time = '2026-11-22 09:00:00';
    const lines = [`${time} Europe/Berlin`, time, `${time} PST`, `${time} UTC`, `${time}Z`, time];
    for (const loads of [table, { ...table, missingBy: 'value' }])
      expect(await load(loads, lines)).toEqual(
        new Map([
          [0, '22007'],
          [2, '22007'],
        ]),
      );
    expect(await place.query(`SELECT epoch(value) AS seconds, count(*)::INTEGER AS n FROM named GROUP BY ALL`)).toEqual([
      { seconds: Date.UTC(2026, 10, 22, 9) / 1000, n: 4 },
    ]);
  });

  test.runIf(name === 'duckdb').each(['DECIMAL(18, 0)', 'BIGNUM'])('takes no fraction for a whole number: %s', async (own) => {
    const table: Table = {
      name: `whole_${++sequence}`,
      columns: [{ name: 'value', type: { kind: 'integer' }, required: false }],
    };
    await place.query(`CREATE TABLE ${table.name} (value ${own})`);
    await database.createTable(table);
    expect(await load(table, ['7', '1.5', '3000000000'])).toEqual(new Map([[1, '22P02']]));
    const rows = await place.query(`SELECT CAST(value AS VARCHAR) AS value FROM ${table.name} ORDER BY 1`);
    expect(rows).toEqual([{ value: '3000000000' }, { value: '7' }]);
  });

  test.runIf(name === 'duckdb')('takes JSON for a list, a map or a structure', async () => {
    const types = ['STRUCT(a INTEGER, b VARCHAR)', 'MAP(VARCHAR, VARCHAR)', 'INTEGER[]'];
    const column = (i: number) => ({ name: i === 0 ? 'value' : `v${i}`, type: { kind: 'json' as const }, required: false });
    const table: Table = { name: 'nested', columns: types.map((_, i) => column(i)) };
    await place.query(`CREATE TABLE nested (${types.map((type, i) => `${column(i).name} ${type}`).join(', ')})`);
    await database.createTable(table);
    const nested = '{"a": 1, "b": "it\\"s"}';
    const refused = await load(
      table,
      [`${nested}\t${nested}\t[1, 2]`, '{"a": "x"}\t\t', '\t\t[1, "x"]', '{\t\t'],
      expect.any(String),
    );
    expect([...refused.keys()]).toEqual([1, 2, 3]);
    expect(await place.query(`SELECT value.b AS b, v1['b'] AS map, v2[2] AS second FROM nested`)).toEqual([
      { b: 'it"s', map: 'it"s', second: 2 },
    ]);
  });

  test.runIf(name === 'duckdb')('serves whatever the capitals of its names are', async () => {
    await place.query('CREATE SCHEMA Shop');
    await place.query('CREATE TABLE Shop.Capitals (APP_ID VARCHAR NOT NULL, "Value" DECIMAL(9, 2))');
    const table: Table = {
      name: 'shop.capitals',
      columns: [
        { name: 'app_id', type: { kind: 'text' }, required: false },
        { name: 'value', type: { kind: 'double' }, required: false },
      ],
    };
    await database.createTable(table);
    expect(await load(table, ['web\t1.005', 'web\tx'])).toEqual(new Map([[1, '22P02']]));
    expect(await place.query('SELECT * FROM shop.capitals')).toEqual([{ APP_ID: 'web', Value: expect.anything() }]);
    expect(await place.declare().check!(table)).toMatch(/^table shop.capitals is there/);
  });
});
