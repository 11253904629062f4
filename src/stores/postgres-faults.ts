import { DatabaseError } from 'pg';
import type { Complaint } from './database-refusals.ts';
import type { RowFault } from './database.ts';

// 22 data exception, 23 integrity constraint violation, 54 a limit exceeded (a row too big for an index, say), P0001 raised
// by a trigger. https://www.postgresql.org/docs/current/errcodes-appendix.html
const ofARow = /^(22|23|54)|^P0001$/;

/** Reads what the server says of a COPY; nothing when a row is not to blame. */
export function complaintOf(error: unknown): Complaint | undefined {
  if (!(error instanceof DatabaseError) || !ofARow.test(error.code ?? '')) return undefined;
  // COPY events, line 3, column price: "dear". The words around are the server's language; a trigger's own lines come first.
  const where = error.where?.split('\n').find((line) => line.startsWith('COPY ')) ?? '';
  const [, line, column] = /^COPY .*?, \p{L}+ (\d+)(?:, \p{L}+ (.+?):)?/u.exec(where) ?? [];
  const fault: RowFault = { code: error.code!, reason: reasonOf(error).slice(0, 500), path: error.column ?? column ?? '' };
  return line === undefined ? { fault } : { fault, soundBefore: Number(line) - 1 };
}

// Details of class 23 say which key or which row; a whole row as a detail is in the reject anyway.
function reasonOf({ message, detail, code }: DatabaseError): string {
  return detail && code !== '23502' && code !== '23514' ? `${message}: ${detail}` : message;
}
