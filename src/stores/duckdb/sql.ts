import { type Position, type Resume, formatResume } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import type { ColumnType, Table } from '../database.ts';
import { MAX_PAGE_BYTES, type RejectsOf } from '../reject-source.ts';
import { FED_REJECT_COLUMNS } from './feed.ts';

export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** The name of the file's database in a connection of ours. */
export const CATALOG = 'store';

/** Quotes `name` or `schema.name`, and says in which database: a schema may be called as one is (`store`, `temp`, `memory`). */
export function quoteName(table: string): string {
  const [name, schema] = nameAndSchema(table);
  return `${quoteSchema(schema)}.${quote(name)}`;
}

function quoteSchema(schema: string): string {
  return `${CATALOG}.${quote(schema)}`;
}

// The instant is UTC, and the type knows no zone: that needs nothing but what is built in.
const NOW = 'epoch_ms(epoch_ms(now()))';

export function createOwnTables(schema: string): readonly string[] {
  return [
    `CREATE SCHEMA IF NOT EXISTS ${quoteSchema(schema)}`,
    `CREATE TABLE IF NOT EXISTS ${quoteSchema(schema)}.positions (
      pipeline VARCHAR, sink VARCHAR, shard VARCHAR,
      epoch BIGINT NOT NULL,
      position VARCHAR,
      updated_at TIMESTAMP NOT NULL DEFAULT ${NOW},
      PRIMARY KEY (pipeline, sink, shard))`,
    `CREATE TABLE IF NOT EXISTS ${quoteSchema(schema)}.rejects (
      pipeline VARCHAR, sink VARCHAR, shard VARCHAR,
      sequence BIGNUM, sub_sequence BIGINT,
      arrived_at TIMESTAMP NOT NULL,
      step VARCHAR, code VARCHAR,
      reason VARCHAR NOT NULL, path VARCHAR NOT NULL,
      raw BLOB NOT NULL,
      rejected_at TIMESTAMP NOT NULL DEFAULT ${NOW},
      PRIMARY KEY (pipeline, sink, shard, sequence, sub_sequence, step, code))`,
  ];
}

export function createTable({ name, columns }: Table): readonly string[] {
  const [schema, inSchema] = name.split('.');
  const defined = columns.map((column) => `${quote(column.name)} ${sqlType(column.type)}${column.required ? ' NOT NULL' : ''}`);
  return [
    ...(inSchema === undefined ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoteSchema(schema!)}`]),
    `CREATE TABLE IF NOT EXISTS ${quoteName(name)} (${defined.join(', ')})`,
  ];
}

/** The columns of a table. */
export function selectColumns(table: string): string {
  const [name, schema] = nameAndSchema(table);
  return `SELECT column_name AS name, data_type AS type, data_type AS "typeName", NOT is_nullable AND column_default IS NULL AS wanted, NOT is_nullable AS required
FROM duckdb_columns() WHERE database_name = current_database() AND ${isNamed('schema_name', schema)} AND ${isNamed('table_name', name)}`;
}

/** The view of that name, if it is one. */
export function selectView(table: string): string {
  const [name, schema] = nameAndSchema(table);
  return `SELECT view_name FROM duckdb_views()
WHERE database_name = current_database() AND ${isNamed('schema_name', schema)} AND ${isNamed('view_name', name)}`;
}

/** To DuckDB, names are the same that differ in capitals. */
function isNamed(column: string, name: string): string {
  return `lower(${column}) = lower(${literal(name)})`;
}

/** Columns that were found, by the names that a table has for them. */
export function asNamed<T extends { readonly name: string }>({ columns }: Table, found: readonly T[]): T[] {
  const names = new Map(columns.map(({ name }) => [name.toLowerCase(), name]));
  return found.map((column) => ({ ...column, name: names.get(column.name.toLowerCase()) ?? column.name }));
}

function nameAndSchema(table: string): readonly [name: string, schema: string] {
  const [name, schema = 'main'] = table.split('.').reverse() as [string, string?];
  return [name, schema];
}

/** DuckDB's types; it reads over the length of a VARCHAR, so lines are checked for it as they are loaded. */
export function sqlType({ kind }: ColumnType): string {
  return kind === 'text' || kind === 'char' || kind === 'varchar' ? 'VARCHAR' : kind.toUpperCase();
}

/** Stores the rejects of the feed. */
export function insertRejects(schema: string, { pipeline, sink }: Owner): string {
  const column = (name: (typeof FED_REJECT_COLUMNS)[number]): string => `c${FED_REJECT_COLUMNS.indexOf(name)}`;
  return `INSERT INTO ${quoteSchema(schema)}.rejects (pipeline, sink, shard, sequence, sub_sequence, arrived_at, step, code, reason, path, raw)
SELECT ${literal(pipeline)}, ${literal(sink)}, ${column('shard')}, CAST(${column('sequence')} AS BIGNUM), CAST(${column('sub_sequence')} AS BIGINT),
  epoch_ms(CAST(${column('arrived_at_ms')} AS BIGINT)), ${column('step')}, ${column('code')}, ${column('reason')}, ${column('path')}, ${column('raw')}
FROM millrace_fed_rejects() ON CONFLICT DO NOTHING`;
}

/** Of which shards there are rejects, and of how many records. */
export function selectRejectedShards(schema: string, of: RejectsOf): string {
  return `SELECT shard, CAST(count(DISTINCT (sequence, sub_sequence)) AS INTEGER) AS records FROM ${quoteSchema(schema)}.rejects
WHERE ${isAskedFor(of)} GROUP BY shard ORDER BY shard`;
}

/** A page of the records of which there are rejects in a shard, behind a position. By their keys first: the bytes of what is not on it stay in the file. */
export function selectRejectedRecords(
  schema: string,
  of: RejectsOf,
  shard: string,
  after: Position | undefined,
  limit: number,
): string {
  const table = `${quoteSchema(schema)}.rejects`;
  const behind = after && ` AND (sequence, sub_sequence) > (CAST(${literal(after.sequence)} AS BIGNUM), ${after.subSequence})`;
  return `SELECT CAST(sequence AS VARCHAR) AS sequence, CAST(sub_sequence AS DOUBLE) AS sub_sequence, CAST(epoch_ms(arrived_at) AS DOUBLE) AS arrived_at_ms, raw
FROM (SELECT *, row_number() OVER place AS nth, sum(octet_length(raw)) OVER place AS bytes FROM (
  SELECT DISTINCT ON (sequence, sub_sequence) sequence, sub_sequence, arrived_at, raw FROM ${table}
  WHERE rowid IN (SELECT unnest(rows) FROM (
    SELECT list(rowid) AS rows FROM ${table} WHERE ${isAskedFor(of)} AND shard = ${literal(shard)}${behind ?? ''}
    GROUP BY sequence, sub_sequence ORDER BY sequence, sub_sequence LIMIT ${limit}))
  ORDER BY sequence, sub_sequence, octet_length(raw) DESC)
  WINDOW place AS (ORDER BY sequence, sub_sequence))
WHERE nth = 1 OR bytes <= ${MAX_PAGE_BYTES} ORDER BY nth`;
}

function isAskedFor({ pipeline, since, until, step, code }: RejectsOf): string {
  return [
    `pipeline = ${literal(pipeline)} AND arrived_at >= epoch_ms(${since.getTime()}) AND arrived_at < epoch_ms(${until.getTime()})`,
    ...(step === undefined ? [] : [`step = ${literal(step)}`]),
    ...(code === undefined ? [] : [`code = ${literal(code)}`]),
  ].join(' AND ');
}

/** Where an owner stands in all shards, and the epoch of each. */
export function selectStandings(schema: string, { pipeline, sink }: Owner): string {
  return `SELECT shard, epoch, position FROM ${quoteSchema(schema)}.positions
WHERE pipeline = ${literal(pipeline)} AND sink = ${literal(sink)}`;
}

/** The same of these shards. */
export function selectPositions(schema: string, owner: Owner, shards: readonly string[]): string {
  return `${selectStandings(schema, owner)} AND shard IN (${shards.map(literal).join(', ')})`;
}

/** Raises the epoch by one, and says where the owner stands. */
export function acquire(schema: string, { pipeline, sink }: Owner, shard: string): string {
  return `INSERT INTO ${quoteSchema(schema)}.positions AS p (pipeline, sink, shard, epoch) VALUES (${[pipeline, sink, shard].map(literal).join(', ')}, 1)
ON CONFLICT (pipeline, sink, shard) DO UPDATE SET epoch = p.epoch + 1, updated_at = ${NOW} RETURNING epoch, position`;
}

export function movePositions(
  schema: string,
  { pipeline, sink }: Owner,
  positions: ReadonlyMap<string, Resume>,
): readonly string[] {
  return [...positions].map(
    ([shard, to]) => `UPDATE ${quoteSchema(schema)}.positions SET position = ${literal(formatResume(to))}, updated_at = ${NOW}
WHERE pipeline = ${literal(pipeline)} AND sink = ${literal(sink)} AND shard = ${literal(shard)}`,
  );
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
