import { DuckdbFile } from '../../src/stores/duckdb-file.ts';

/** Asks a DuckDB file that this process may have open. */
export async function queryDuckdb(path: string, statement: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const file = await DuckdbFile.acquire(path, { memoryLimitBytes: 64 * 1024 * 1024, threads: 1 });
  try {
    return await file.session(async (connection) => (await connection.runAndReadAll(statement)).getRowObjectsJS());
  } finally {
    await file.release();
  }
}
