import { escapeIdentifier, escapeLiteral } from 'pg';
import type { ColumnType, Table } from '../database.ts';
import { BEGIN, createSchema } from './sql.ts';

/** Quotes `name` or `schema.name`. */
export function quoteName(name: string): string {
  return name.split('.').map(escapeIdentifier).join('.');
}

export function createTable(table: Table): string {
  const { name, columns, missingBy } = table;
  const [schema, inSchema] = name.split('.');
  const create = inSchema === undefined ? '' : `${createSchema(schema!)};\n`;
  const defined = columns.map(
    (column) => `${escapeIdentifier(column.name)} ${sqlType(column.type)}${column.required ? ' NOT NULL' : ''}`,
  );
  return `${create}CREATE TABLE IF NOT EXISTS ${quoteName(name)} (\n  ${defined.join(',\n  ')})${missingBy === undefined ? '' : `;\n${createIndex(table, missingBy)}`}`;
}

/** A trigger that may fill a row before it is stored. Its type is bits: 1 for each row, 2 BEFORE, 4 INSERT. */
const FILLER = `SELECT FROM pg_trigger WHERE tgrelid = attrelid AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 7 = 7`;

/** Whether a row cannot do without a column that it does not fill. */
const IS_WANTED = `attnotnull AND NOT atthasdef AND attidentity = '' AND NOT EXISTS (${FILLER})`;

/** The columns of a table that an INSERT may fill; none when there is no such table. With each comes what `checkTypes` is to find. */
export const SELECT_COLUMNS = `SELECT attname AS name, ${IS_WANTED} AS wanted,
  atttypid AS type, format_type(atttypid, atttypmod) AS "typeName", atttypmod AS modifier, attnotnull AS "isRequired", ${typesOf('$1')}::text AS types,
  current_setting('server_encoding') = 'UTF8' AND current_setting('client_encoding') = 'UTF8' AS "isUtf8"
FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`;

/** One number for the names and types of all columns of a table. */
function typesOf(name: string): string {
  return `(SELECT hashtextextended(string_agg(concat_ws(' ', attname, atttypid, atttypmod), ',' ORDER BY attnum), 0)
FROM pg_attribute WHERE attrelid = to_regclass(${name}) AND attnum > 0 AND NOT attisdropped)`;
}

/** SQLSTATE of our own, raised by `checkTypes`. */
export const OTHER_COLUMNS = 'MR003';

/** Fails when a table's columns are not what they were; after a COPY into it, they stay what they are until COMMIT. */
export function checkTypes({ name }: Table, types: string | undefined): string {
  return `DO ${escapeLiteral(`BEGIN
  IF ${typesOf(escapeLiteral(quoteName(name)))} IS DISTINCT FROM ${types === undefined ? 'NULL' : escapeLiteral(types)}::bigint THEN
    RAISE EXCEPTION USING ERRCODE = '${OTHER_COLUMNS}', MESSAGE = ${escapeLiteral(`the columns of ${name} are not what they were`)};
  END IF;
END`)}`;
}

/** Fails when a table wants a column that rows do not fill: all of them are refused then, and none is at fault. */
export function checkWanted({ name }: Table, column: string): string {
  const wants = `${name} wants ${column} (NOT NULL without a default), which no event has`;
  return `DO ${escapeLiteral(`BEGIN
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(${escapeLiteral(quoteName(name))})
    AND attname = ${escapeLiteral(column)} AND NOT attisdropped AND ${IS_WANTED}) THEN
    RAISE EXCEPTION USING ERRCODE = 'MR005', MESSAGE = ${escapeLiteral(wants)};
  END IF;
END`)}`;
}

function sqlType(type: ColumnType): string {
  switch (type.kind) {
    case 'double':
      return 'double precision';
    case 'char':
    case 'varchar':
      return `${type.kind}(${type.length})`;
    default:
      return type.kind;
  }
}

/** Where lines wait until it is known which of them are missing in their table. */
const STAGE = 'pg_temp.millrace_rows';

/**
 * Begins a transaction that loads lines. Where only missing ones are loaded, those who do so take turns at a table: what one has not committed
 * yet, another could not see.
 */
export function beginLoad({ name, columns, missingBy }: Table): string {
  if (missingBy === undefined) return BEGIN;
  return `${BEGIN};
SELECT pg_advisory_xact_lock(hashtextextended(${escapeLiteral(`millrace: missing rows of ${name}`)}, 0));
CREATE TEMPORARY TABLE millrace_rows ON COMMIT DROP AS SELECT ${namesOf(columns)} FROM ${quoteName(name)} WITH NO DATA`;
}

/** How the server tells that the last statement of `copyRows` is done. */
export function lastTag({ missingBy }: Table): string {
  return missingBy === undefined ? 'COPY ' : 'TRUNCATE TABLE';
}

/** A COPY of lines into their table, or by way of the stage where those are left out whose rows it has. */
export function copyRows({ name, columns, missingBy }: Table, format: 'text' | 'binary'): string {
  const options = format === 'binary' ? 'FORMAT binary' : `FORMAT text, NULL '', ENCODING 'UTF8'`;
  const names = namesOf(columns);
  if (missingBy === undefined) return `COPY ${quoteName(name)} (${names}) FROM STDIN WITH (${options})`;
  const key = escapeIdentifier(missingBy);
  // What is NULL equals nothing.
  return `COPY ${STAGE} (${names}) FROM STDIN WITH (${options});
INSERT INTO ${quoteName(name)} (${names}) SELECT ${names} FROM ${STAGE} came
WHERE NOT EXISTS (SELECT FROM ${quoteName(name)} has WHERE has.${key} = came.${key})
AND NOT EXISTS (SELECT FROM ${STAGE} before WHERE before.${key} = came.${key} AND before.ctid < came.ctid);
TRUNCATE ${STAGE}`;
}

function namesOf(columns: Table['columns']): string {
  return columns.map((column) => escapeIdentifier(column.name)).join(', ');
}

/** Whether a table has an index that begins with a column, over all of its rows. */
export const SELECT_INDEX = `SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE indrelid = to_regclass($1) AND attname = $2 AND indisvalid AND indpred IS NULL LIMIT 1`;

/** The user, where policies of a table decide which of its rows they may see and store: of an owner only because they are forced. */
export const SELECT_GUARDED = `SELECT quote_ident(current_user) AS user, pg_has_role(relowner, 'USAGE') AS "isOwner"
FROM pg_class WHERE oid = to_regclass($1) AND row_security_active(oid)`;

/** A table and its partitions. `pg_partition_tree` would wait for whoever has one of them locked. */
const WITH_PARTS = `WITH RECURSIVE parts (oid) AS (
  SELECT to_regclass($1)::oid UNION SELECT inhrelid FROM pg_inherits JOIN parts ON inhparent = oid)`;

/** Which of a table and its partitions do not outlive a crash of the server. */
export const SELECT_UNLOGGED = `${WITH_PARTS} SELECT oid::regclass::text AS name FROM pg_class JOIN parts USING (oid) WHERE relpersistence = 'u' ORDER BY name`;

/** Who keeps a table, or a partition of it, from being loaded, or waits to do so. Not whoever loads it, which takes a lock that others may have, too. */
export const SELECT_LOCKERS = `${WITH_PARTS}
SELECT DISTINCT pid, coalesce(usename, backend_type) AS user, left(regexp_replace(query, '[[:space:]]+', ' ', 'g'), 100) AS query
FROM pg_locks JOIN parts ON parts.oid = relation JOIN pg_stat_activity USING (pid)
WHERE pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') ORDER BY pid LIMIT 3`;

function createIndex({ name }: Table, column: string): string {
  return `CREATE INDEX ON ${quoteName(name)} (${escapeIdentifier(column)})`;
}
