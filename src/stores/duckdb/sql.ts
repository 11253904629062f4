import { type Position, type Resume, formatResume } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import type { Column, ColumnType, Table } from '../database.ts';
import { MAX_PAGE_BYTES, type RejectsOf } from '../reject-source.ts';
import { FED_REJECT_COLUMNS } from './feed.ts';
import type { TableKey } from './missing.ts';

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** The name of the file's database in a connection of ours. */
export const CATALOG = 'store';

/** Quotes `name` or `schema.name`, and says in which database: a schema may be called as one is (`store`, `temp`, `memory`). */
function quoteName(table: string): string {
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

/** A column as it is in the file, which somebody else may have made. */
export interface FileColumn extends Column {
  /** Its type there, as DuckDB spells it. */
  readonly fileType: string;
}

/** A table whose columns are as they are in the file. */
export interface FileTable extends Table {
  readonly columns: readonly FileColumn[];
}

/** DuckDB's types; it reads over the length of a VARCHAR, so lines are checked for it as they are loaded. */
export function sqlType({ kind }: ColumnType): string {
  return kind === 'text' || kind === 'char' || kind === 'varchar' ? 'VARCHAR' : kind.toUpperCase();
}

/**
 * Loads the rows of the feed, of which JSON is text, and what has another type in the file than we would have given it; or all is. DuckDB reads
 * what is text: a price of DECIMAL from its digits, not from a double. A row with a value that it cannot read is left out
 * and told to `millrace_suspect`; so the load goes on, and it is known which ones. (A filter on the casts themselves would
 * have them done twice: DuckDB takes it below them.)
 */
export function insertRows({ name, columns }: FileTable, asText: boolean): string {
  const read = columns.flatMap((column, i) => {
    const { type, fileType } = column;
    const isRead = fileType !== 'VARCHAR' && (asText || type.kind === 'json' || fileType !== sqlType(type));
    return isRead ? [{ from: `c${i}`, to: `t${i}`, type: fileType, fault: valueFault(column, `c${i}`, `t${i}`) }] : [];
  });
  const isSuspect = ({ from, to, fault }: (typeof read)[number]): string =>
    `${from} IS NOT NULL AND (${to} IS NULL${fault === undefined ? '' : ` OR ${fault}`})`;
  const values = columns.map((_, i) => read.find(({ from }) => from === `c${i}`)?.to ?? `c${i}`);
  const insert = `INSERT INTO ${quoteName(name)} (${columns.map((column) => quote(column.name)).join(', ')})
SELECT ${values.join(', ')} FROM `;
  if (read.length === 0) return `${insert} millrace_fields()`;
  return `${insert} (
  SELECT *, CASE WHEN ${read.map(isSuspect).join(' OR ')} THEN millrace_suspect(line) ELSE true END AS is_sound
  FROM (SELECT *, ${read.map(({ from, to, type }) => `${castOf(from, type)} AS ${to}`).join(', ')} FROM millrace_fields()))
WHERE is_sound`;
}

/**
 * Of the values of the feed, by number: those that a table has, and those that come a second time. DuckDB makes its hash table of the fewer of
 * both, which are these.
 */
export function selectKnown({ table, column }: TableKey): string {
  const name = quote(column.name);
  const cast = castOf('value', column.fileType);
  const fault = valueFault(column, 'value', cast);
  const key = fault === undefined ? cast : `CASE WHEN ${fault} THEN NULL ELSE ${cast} END`;
  return `WITH keys AS MATERIALIZED (SELECT line, ${key} AS key FROM (SELECT c0 AS line, nullif(decode(c1), '') AS value FROM millrace_numbered_lines()))
SELECT line, false FROM (SELECT line, row_number() OVER (PARTITION BY key ORDER BY line) AS nth FROM keys WHERE key IS NOT NULL) WHERE nth > 1
UNION ALL SELECT DISTINCT line, true FROM keys JOIN ${quoteName(table)} AS has ON has.${name} = keys.key`;
}

/** Times of the file that are read in a zone. */
export const ZONED = /^TIMESTAMP WITH TIME ZONE$/;
const MORE_PLACES = 15;

/**
 * What DuckDB makes of a field, NULL when it is none of that type. A decimal whose exponent is below zero has more places at first: whatever it
 * moves behind the last place would be rounded up, 5.0E-4 to a cent. A name of a zone is not read at all: all times behind it would be in that zone.
 */
function castOf(field: string, type: string): string {
  const cast = `TRY_CAST(${field} AS ${type})`;
  const [, scale] = /^DECIMAL\(\d+,(\d+)\)$/.exec(type) ?? [];
  if (scale !== undefined) {
    const finer = `TRY_CAST(TRY_CAST(${field} AS DECIMAL(38,${Math.min(38, Number(scale) + MORE_PLACES)})) AS ${type})`;
    return `CASE WHEN contains(lower(${field}), 'e-') THEN coalesce(${finer}, ${cast}) ELSE ${cast} END`;
  }
  return ZONED.test(type) ? `CASE WHEN ${namesZone(field)} THEN NULL ELSE ${cast} END` : cast;
}

/** Whether a word stands in a time that is none of these. */
function namesZone(field: string): string {
  return `(regexp_matches(${field}, '[A-Za-z]{2}') AND NOT regexp_matches(${field}, '(UTC|infinity|epoch)$', 'i'))`;
}

/** What is wrong with a field although DuckDB's own cast would take it. @param cast what that makes of it */
function valueFault({ type, fileType }: FileColumn, field: string, cast: string): string | undefined {
  if (fileType === 'VARCHAR') return 'length' in type ? `length(${field}) > ${type.length}` : undefined;
  // The cast rounds 1.5 to 2, and makes infinity of 1e400: other data than came.
  if (WHOLE.test(fileType)) return `NOT regexp_full_match(${field}, '[+-]?[0-9]+')`;
  if (ZONED.test(fileType)) return namesZone(field);
  return FLOATING.test(fileType) ? `isinf(${cast}) AND regexp_matches(${field}, '[0-9]')` : undefined;
}

/** Types of the file: those of whole numbers, and those that have an infinity. */
export const WHOLE = /INT(EGER)?$|^DECIMAL\(\d+,0\)$|^BIGNUM$/;
const FLOATING = /^(DOUBLE|FLOAT)$/;

/** The kinds of fault that `selectFaults` finds in a column. */
export const FAULTS = ['missing', 'value', 'cast'] as const;
export const BAD_COUNT = -1;

/**
 * Says of each line of the feed that cannot be loaded which fault is its first: `BAD_COUNT` (with the count as value), or the
 * column's index times the number of `FAULTS` and the kind. The value comes in bytes, as text would lose a byte order mark. All lines have to be UTF-8.
 */
export function selectFaults(columns: readonly FileColumn[]): string {
  const faults = columns.flatMap((column, i) => {
    const field = `f[${i + 1}]`;
    const type = column.fileType;
    const cast = castOf(field, type);
    const found: readonly (string | undefined)[] = [
      column.required ? `${field} = ''` : undefined,
      valueFault(column, field, cast),
      type === 'VARCHAR' ? undefined : `${cast} IS NULL`,
    ];
    return found.flatMap((fault, kind) => {
      if (fault === undefined) return [];
      return `WHEN ${kind === 0 ? fault : `${field} <> '' AND ${fault}`} THEN ${i * FAULTS.length + kind}`;
    });
  });
  return `SELECT line, fault, encode(CASE WHEN fault = ${BAD_COUNT} THEN CAST(len(f) AS VARCHAR) ELSE f[fault // ${FAULTS.length} + 1] END) AS value
FROM (SELECT line, f, CASE WHEN len(f) <> ${columns.length} THEN ${BAD_COUNT} ${faults.join('\n')} END AS fault
  FROM (SELECT c0 AS line, string_split(decode(c1), chr(9)) AS f FROM millrace_numbered_lines()))
WHERE fault IS NOT NULL ORDER BY line`;
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
