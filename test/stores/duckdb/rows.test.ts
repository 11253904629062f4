import { type DuckDBConnection, DuckDBInstance, LIST, VARCHAR, listValue } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Column, OpenDatabase } from '../../../src/stores/database.ts';
import { CHUNK_ROWS } from '../../../src/stores/duckdb/lines.ts';
import { emptyDuckdb } from '../../support/databases.ts';

const owner = { pipeline: 'warehouse', sink: 'copy' };
const at = (sequence: number) => ({ shard: 'a', sequence: String(sequence), subSequence: 0 });

let database: Awaited<ReturnType<typeof emptyDuckdb>>;
let store: OpenDatabase;
let instance: DuckDBInstance;
let plain: DuckDBConnection;
let loads = 0;

beforeAll(async () => {
  database = await emptyDuckdb();
  store = await database.declare().open({ report: () => {} });
  await store.acquire(owner, 'a');
  instance = await DuckDBInstance.create(':memory:');
  plain = await instance.connect();
});

afterAll(async () => {
  plain.closeSync();
  instance.closeSync();
  await store.close();
  await database.close();
});

/** For each kind of column how its values look: as they usually do, and otherwise. */
const VALUES: Readonly<Record<Column['type']['kind'], fc.Arbitrary<string>>> = {
  text: text(30),
  char: text(6),
  varchar: text(14),
  integer: fc.oneof(fc.integer().map(String), fc.constantFrom('007', '+5', '1.5', '2147483648', ' 7', '1e3', 'x')),
  double: fc.oneof(
    fc.double().map(String),
    fc.constantFrom('12.250', '-0', '.5', '5.', '1e400', 'nan', '0.1234567890123456789', ' 1'),
  ),
  boolean: fc.constantFrom('0', '1', 't', 'false', 'TRUE', 'yes', '2', ''),
  timestamp: fc.oneof(
    fc.constantFrom('2026-11-22 09:00:00', '2026-11-22T09:00:00.123', '2026-1-2', '1969-12-31 23:59:59.999999'),
    fc.constantFrom('0044-03-15 10:00:00', '2026-02-30 10:00:00', '2026-11-22 24:00:00', '2026-11-22 09:00:00+02'),
    fc.constantFrom('infinity', 'now', '2026-11-22 09:00:00.1234567'),
  ),
  json: fc.oneof(fc.json(), fc.constantFrom('{"a":1', '"', ' null ', 'é', '[1,]')).map((json) => json.replaceAll(/[\t\0]/g, '')),
};

/** Texts around the 12 bytes that DuckDB keeps beside their length; a tab would end the field, and a NUL the text of our question. */
function text(maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: 'binary', maxLength }).map((all) => all.replaceAll(/[\t\0]/g, ' '));
}

const column = fc.record({
  kind: fc.constantFrom(...(Object.keys(VALUES) as Column['type']['kind'][])),
  length: fc.integer({ min: 1, max: 12 }),
  required: fc.boolean(),
});

interface Drawn {
  readonly columns: readonly Column[];
  readonly lines: readonly Buffer[];
}

/** A table and lines for it, some of a wrong number of fields, or no UTF-8; many of them as often as it takes to fill chunks of rows. */
const drawn: fc.Arbitrary<Drawn> = fc.array(column, { minLength: 1, maxLength: 12 }).chain((kinds) => {
  const columns = kinds.map(({ kind, length, required }, i): Column => ({
    name: `c${i}`,
    type: kind === 'char' || kind === 'varchar' ? { kind, length } : { kind },
    required,
  }));
  const field = ({ type, required }: Column) =>
    fc.oneof({ weight: required ? 20 : 3, arbitrary: VALUES[type.kind] }, { weight: 1, arbitrary: fc.constant('') });
  const line = fc.tuple(fc.tuple(...columns.map(field)), fc.integer({ min: 0, max: 40 })).map(([fields, chance]) => {
    const came = chance === 0 ? [...fields, 'x'] : chance === 1 ? fields.slice(1) : fields;
    return Buffer.concat([Buffer.from(came.join('\t')), chance === 2 ? Buffer.of(0xff) : Buffer.of()]);
  });
  return fc
    .tuple(fc.array(line, { minLength: 1, maxLength: 60 }), fc.constantFrom(1, 1, 1, 250))
    .map(([few, times]) => ({ columns, lines: Array.from({ length: times }, () => few).flat() }));
});

const sqlType = ({ type }: Column): string => (/text|char/.test(type.kind) ? 'VARCHAR' : type.kind);

/** What DuckDB's own cast makes of the texts of a column, as text; null for what it refuses. */
async function castOf(one: Column, texts: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
  const different = [...new Set(texts)];
  if (different.length === 0) return new Map();
  const reader = await plain.runAndReadAll(
    `SELECT CAST(TRY_CAST(t AS ${sqlType(one)}) AS VARCHAR) FROM (SELECT unnest($1) AS t)`,
    [listValue(different)],
    [LIST(VARCHAR)],
  );
  return new Map(reader.getRows().map(([value], i) => [different[i]!, value as string | null]));
}

/** The row that a line is to become, value by value as text; nothing when it is to be refused. */
async function expectedRows({ columns, lines }: Drawn): Promise<readonly ((string | null)[] | undefined)[]> {
  const split = lines.map((line) => {
    const fields = line.toString().split('\t');
    return Buffer.from(line.toString()).equals(line) && fields.length === columns.length ? fields : undefined;
  });
  const casts = await Promise.all(
    columns.map((one, i) =>
      castOf(
        one,
        split.flatMap((fields) => fields?.[i] || []),
      ),
    ),
  );
  return split.map((fields) => {
    const row = fields?.map((field, i) => {
      const { type, required } = columns[i]!;
      if (field === '') return required ? undefined : null;
      if ('length' in type && Array.from(field).length > type.length) return undefined;
      if (type.kind === 'integer' && !/^[+-]?[0-9]+$/.test(field)) return undefined;
      const cast = casts[i]!.get(field) ?? undefined;
      return type.kind === 'double' && /\d/.test(field) && /inf/.test(cast ?? '') ? undefined : cast;
    });
    return row?.includes(undefined) ? undefined : (row as (string | null)[] | undefined);
  });
}

test('the rows of a table are what DuckDB makes of each field, and every other line is refused', async () => {
  let [stored, refusals] = [0, 0];
  await fc.assert(
    fc.asyncProperty(drawn, async ({ columns, lines }) => {
      const table = { name: `t${++loads}`, columns };
      const refused: number[] = [];
      await store.createTable(table);
      await store.commit(owner, {
        rows: { table, lines },
        refuse: (index, fault) => {
          refused.push(index);
          return {
            position: { ...at(loads), subSequence: index },
            arrivedAtMs: 0,
            why: { step: 'copy', ...fault },
            raw: lines[index]!,
          };
        },
        positions: new Map([['a', at(loads)]]),
      });
      const values = columns.map(({ name }) => `CAST(${name} AS VARCHAR) AS ${name}`);
      const found = await database.query(`SELECT ${values.join(', ')} FROM ${table.name}`);
      const expected = await expectedRows({ columns, lines });
      expect(refused).toEqual([...expected.keys()].filter((index) => !expected[index]));
      const rows = expected.filter((row) => row !== undefined);
      expect(counted(found.map((row) => Object.values(row)))).toEqual(counted(rows));
      stored += rows.length;
      refusals += refused.length;
    }),
    { numRuns: 60 },
  );
  expect(Math.min(stored, refusals)).toBeGreaterThan(500);
}, 60_000);

test('a chunk of nothing but lines that are refused is not the end of a load, and each is refused for what it was', async () => {
  const table = { name: 'chunks', columns: [{ name: 'n', type: { kind: 'integer' }, required: true }] as const };
  // One chunk after the other lies in the same memory: the first is written over before the load ends.
  const lines = Array.from({ length: 6 * CHUNK_ROWS }, (_, i) => Buffer.from(i < CHUNK_ROWS ? `x${i}` : String(i)));
  const reasons: string[] = [];
  await store.createTable(table);
  const position = at(++loads);
  await store.commit(owner, {
    rows: { table, lines },
    refuse(index, fault) {
      reasons.push(fault.reason);
      return {
        position: { ...position, subSequence: index },
        arrivedAtMs: 0,
        why: { step: 'copy', ...fault },
        raw: lines[index]!,
      };
    },
    positions: new Map([['a', position]]),
  });
  expect(reasons).toEqual(Array.from({ length: CHUNK_ROWS }, (_, i) => expect.stringContaining(`'x${i}'`)));
  expect(await database.query('SELECT CAST(count(*) AS integer) AS rows, min(n) AS least, max(n) AS most FROM chunks')).toEqual([
    { rows: 5 * CHUNK_ROWS, least: CHUNK_ROWS, most: 6 * CHUNK_ROWS - 1 },
  ]);
});

/** How often each row is there. */
function counted(rows: readonly (readonly unknown[])[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const row of rows.map((values) => JSON.stringify(values)).sort()) counts.set(row, (counts.get(row) ?? 0) + 1);
  return counts;
}
