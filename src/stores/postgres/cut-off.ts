import { DatabaseError } from 'pg';
import type { Table } from '../database.ts';
import type { PostgresConnection } from './connection.ts';
import { SELECT_LOCKERS, quoteName } from './table-sql.ts';

/** SQLSTATEs of what somebody has cancelled, and of a lock that was not to be had in time. */
const CANCELED = '57014';
const NO_LOCK = '55P03';

/** Says of a load that was cut off by whom, as far as anybody knows; both pass. Any other error as it is. */
export async function explainCutOff(error: unknown, connection: PostgresConnection, table: Table | undefined): Promise<unknown> {
  if (!(error instanceof DatabaseError)) return error;
  // No limit cuts a load off: somebody has, as who wants its table for himself does.
  if (error.code === CANCELED) return Object.assign(error, { isTransient: true });
  if (error.code !== NO_LOCK || !table) return error;
  // Who cannot be asked says nothing; what was to be said is that there is no lock.
  const lockers = await connection.query(SELECT_LOCKERS, [quoteName(table.name)]).catch(() => []);
  const words = lockers.map(({ pid, user, query }) => `process ${pid as number} of ${user as string} (${query as string})`);
  if (words.length > 0) error.message += `: ${table.name} is kept locked by ${words.join(', ')}`;
  return error;
}
