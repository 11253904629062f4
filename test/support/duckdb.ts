import { DuckdbThread } from '../../src/stores/duckdb/thread.ts';

/** Asks a DuckDB file that this process may have open. */
export async function queryDuckdb(path: string, statement: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const thread = DuckdbThread.acquire();
  try {
    return (await thread.call({ method: 'run', args: [path, statement] })) as Record<string, unknown>[];
  } finally {
    await thread.release();
  }
}
