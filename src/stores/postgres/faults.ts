import { DatabaseError } from 'pg';
import type { Complaint } from '../database/refusals.ts';
import type { RowFault } from '../database.ts';

// 08 the connection, 25 the transaction's state, 40 to be tried again, 53 resources, 55 not ready, 57 an operator, 58 the system.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const OF_NO_ROW = /^(08|25|40|53|55|57|58)/;
// 0A unsupported, 42 syntax and access, HV a foreign server, XX internal: a table or a trigger is to be mended. A column's type may have them for
// its values, too.
const OF_NO_ROW_UNLESS_OF_A_VALUE = /^(0A|42|HV|XX)/;

/** Reads what the server says while it takes in the rows of a COPY; nothing when a row is not to blame. */
export function complaintOf(error: unknown): Complaint | undefined {
  if (!(error instanceof DatabaseError) || OF_NO_ROW.test(error.code ?? '')) return undefined;
  // COPY events, line 3, column price: "dear". The words around are the server's language; a trigger's own lines come first.
  const where = error.where?.split('\n').find((line) => line.startsWith('COPY ')) ?? '';
  const [, line, column] = /^COPY .*?, \p{L}+ (\d+)(?:, \p{L}+ (.+?):)?/u.exec(where) ?? [];
  if (column === undefined && OF_NO_ROW_UNLESS_OF_A_VALUE.test(error.code ?? '')) return undefined;
  const fault: RowFault = { code: error.code!, reason: reasonOf(error).slice(0, 500), path: error.column ?? column ?? '' };
  return line === undefined ? { fault } : { fault, soundBefore: Number(line) - 1 };
}

// Details of class 23 say which key or which row; a whole row as a detail is in the reject anyway. Where there is no partition for a row, which is
// a 23514 as well, it is the key that one is missing for.
function reasonOf({ message, detail, code, routine }: DatabaseError): string {
  const isRow = code === '23502' || (code === '23514' && routine !== 'ExecFindPartition');
  return detail && !isRow ? `${message}: ${detail}` : message;
}
