import type { Column, Table } from '../database.ts';
import { quote, quoteName, sqlType } from './sql.ts';

/** A column as it is in the file, which somebody else may have made. */
export interface FileColumn extends Column {
  /** Its type there, as DuckDB spells it. */
  readonly fileType: string;
}

/** A table whose columns are as they are in the file. */
export interface FileTable extends Table {
  readonly columns: readonly FileColumn[];
}

/** By what the rows of a table are known. */
export interface TableKey {
  readonly table: string;
  readonly column: FileColumn;
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
