import pg from 'pg';
import { enrichedColumns } from '../src/index.ts';
import { createTable } from '../src/stores/postgres-sql.ts';
import { startPostgres } from '../test/support/postgres.ts';
import type { Took } from './programs.ts';
import { treeCpuSeconds } from './server-cpu.ts';

const TABLE = 'bench_events';

/** A Postgres of a row's own, with an empty table of events. */
export interface WarehouseServer {
  readonly url: string;
  readonly table: string;
  /** Does the work, and adds what the server spent meanwhile. */
  measured(work: () => Promise<Took>): Promise<Took>;
  /** How many rows the table has. */
  count(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts the Postgres that npm brings, with fsync on, and makes the table as `copyInto` does. */
export async function warehouseServer(): Promise<WarehouseServer> {
  const server = await startPostgres({ fsync: true });
  const query = async (statement: string): Promise<readonly unknown[]> => {
    const client = new pg.Client(server.url);
    await client.connect();
    const { rows } = await client.query(statement);
    await client.end();
    return rows;
  };
  await query(createTable({ name: TABLE, columns: enrichedColumns }));
  return {
    url: server.url,
    table: TABLE,
    async measured(work) {
      const before = treeCpuSeconds(server.pid);
      const took = await work();
      const after = treeCpuSeconds(server.pid);
      return { ...took, ...(before !== undefined && after !== undefined && { serverCpuSeconds: after - before }) };
    },
    async count() {
      const [row] = await query(`SELECT count(*)::integer AS count FROM ${TABLE}`);
      return (row as { count: number }).count;
    },
    stop: () => server.stop(),
  };
}
