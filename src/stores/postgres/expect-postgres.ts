import type { PostgresConnection } from './connection.ts';

/**
 * Fails where what answers cannot be loaded as a Postgres is: a pooler that gives each message another session (`pool_mode=statement`), through which
 * loads of one message go and those of several, as a refused row makes them, do not; and Redshift, which speaks as one does, and takes no rows that way
 * (https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-source.html).
 */
export async function expectPostgres(connection: PostgresConnection): Promise<void> {
  let version: unknown;
  try {
    await connection.query('BEGIN');
    version = (await connection.query('SELECT version() AS version'))[0]!['version'];
    await connection.query('COMMIT');
  } catch (error) {
    const { message } = error as Error;
    if (/statement pooling/.test(message))
      (error as Error).message =
        `${message}. Expected a pooler that keeps a session for as long as a transaction lasts: pool_mode=transaction`;
    throw error;
  }
  if (/\bRedshift\b/.test(String(version)))
    throw new Error('expected Postgres, got Amazon Redshift, whose COPY takes no rows from who is connected');
}
