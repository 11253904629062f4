import { isUtf8 } from 'node:buffer';
import type { DuckDBBlobValue, DuckDBConnection } from '@duckdb/node-api';
import type { Complaint } from '../database/refusals.ts';
import type { RowFault } from '../database.ts';
import type { DuckdbFeed } from './feed.ts';
import { BAD_COUNT, FAULTS, type FileColumn, type FileTable, WHOLE, ZONED, selectFaults } from './row-sql.ts';

/** Says whether DuckDB had too little memory. What the feed runs out of comes wrapped, and looks like a fault of a line. */
export function isOutOfMemory(message: string): boolean {
  return /^Out of Memory Error|^Invalid Input Error: \{"exception_type":"Out of Memory"|^(TransactionContext|FATAL) Error: .*failed to (pin|allocate)/s.test(
    message,
  );
}

/** Reads what DuckDB says of a load; nothing when a line is not to blame. */
export function complaintOf(error: unknown): Complaint | undefined {
  if (isOutOfMemory((error as Error).message)) return undefined;
  // To the end of the line, and not for ever: some of its words quote the value, however long.
  const [, kind, reason] =
    /^(Conversion|Constraint|Invalid Input|Out of Range) Error: (.{0,500})/.exec((error as Error).message) ?? [];
  return kind === undefined
    ? undefined
    : { fault: { code: kind === 'Constraint' ? '23000' : '22000', reason: reason!, path: '' } };
}

/**
 * Finds what is wrong with each of some lines; nothing, maybe. A constraint of a table's own is not among the reasons. Not for a
 * transaction: asking DuckDB for its words is making it fail.
 */
export async function findFaults(
  connection: DuckDBConnection,
  feed: DuckdbFeed,
  table: FileTable,
  lines: readonly Uint8Array[],
): Promise<readonly (RowFault | undefined)[]> {
  const faults = new Map<number, RowFault>();
  const isText = lines.map((line) => isUtf8(line));
  isText.forEach((is, index) => is || faults.set(index, { code: '22021', reason: 'invalid UTF-8', path: '' }));
  // Their places stay, so that the indexes do.
  feed.lines = lines.map((line, index) => (isText[index] ? line : NOTHING));
  const found = await connection.runAndReadAll(selectFaults(table.columns));
  feed.lines = [];
  const known = new Map<string, string>();
  for (const [line, fault, { bytes }] of found.getRows() as [number, number, DuckDBBlobValue][]) {
    if (faults.has(line)) continue;
    const value = Buffer.from(bytes).toString();
    if (fault === BAD_COUNT)
      faults.set(line, { code: '22P04', reason: `expected ${table.columns.length} columns, got ${value}`, path: '' });
    else {
      const column = table.columns[Math.floor(fault / FAULTS.length)]!;
      const kind = FAULTS[fault % FAULTS.length]!;
      const key = `${fault} ${value}`;
      const reason = known.get(key) ?? (await reasonOf(connection, table.name, column, kind, value));
      known.set(key, reason);
      faults.set(line, { code: codeOf(column, kind, value), reason, path: column.name });
    }
  }
  return lines.map((_, index) => faults.get(index));
}

const NOTHING = new Uint8Array();

type Fault = (typeof FAULTS)[number];

/** The code that Postgres has for it. https://www.postgresql.org/docs/current/errcodes-appendix.html */
function codeOf({ fileType }: FileColumn, fault: Fault, value: string): string {
  if (fault === 'missing') return '23502';
  if (fileType === 'VARCHAR') return '22001';
  if (fileType.startsWith('TIMESTAMP')) return TIME.test(value) ? '22008' : '22007';
  const isNotWhole = WHOLE.test(fileType) && fault === 'value';
  return NUMERIC.test(fileType) && NUMBER.test(value) && !isNotWhole ? '22003' : '22P02';
}

const NUMERIC = /INT(EGER)?$|^(DOUBLE|FLOAT|DECIMAL)/;
/** What is a number or a time, and is refused because none is so great, or there is no such day. */
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const TIME = /^\d{4,6}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?$/;

async function reasonOf(
  connection: DuckDBConnection,
  table: string,
  { name, type, fileType }: FileColumn,
  fault: Fault,
  value: string,
): Promise<string> {
  if (fault === 'missing') return `NOT NULL constraint failed: ${table}.${name}`;
  if (fileType === 'VARCHAR' && 'length' in type) return `value too long for type ${type.kind}(${type.length})`;
  try {
    await connection.run(`SELECT CAST($1 AS ${fileType})`, [value]);
  } catch (error) {
    return complaintOf(error)?.fault.reason ?? (error as Error).message.slice(0, 500);
  }
  // What the cast took, of all faults only this one is left.
  if (fault !== 'value') throw new Error(`duckdb: refuses a value of ${table}.${name} in a load and takes it alone`);
  const what = WHOLE.test(fileType) ? 'not a whole number' : ZONED.test(fileType) ? 'a zone by its name' : 'out of range';
  return `${what}: ${value.slice(0, 100)}`;
}
