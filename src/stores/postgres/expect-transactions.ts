import type { PostgresConnection } from './connection.ts';

/**
 * Fails where a pooler gives each message another session (`pool_mode=statement`). Loads of one message go through there, and those of several, as a
 * refused row makes them, do not.
 */
export async function expectTransactions(connection: PostgresConnection): Promise<void> {
  try {
    await connection.query('BEGIN');
    await connection.query('COMMIT');
  } catch (error) {
    const { message } = error as Error;
    if (/statement pooling/.test(message))
      (error as Error).message =
        `${message}. Expected a pooler that keeps a session for as long as a transaction lasts: pool_mode=transaction`;
    throw error;
  }
}
