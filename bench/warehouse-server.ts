import pg from 'pg';
import { enrichedColumns } from '../src/index.ts';
import { createTable } from '../src/stores/postgres/table-sql.ts';
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

/** Starts the Postgres that npm brings, with fsync on and as if it had been up for a while, and makes the table as `copyInto` does, for so many events. */
export async function warehouseServer(events: number): Promise<WarehouseServer> {
  const server = await startPostgres({ fsync: true });
  const query = async (statement: string): Promise<readonly unknown[]> => {
    const client = new pg.Client(server.url);
    await client.connect();
    const { rows } = await client.query(statement);
    await client.end();
    return rows;
  };
  // Segments of its log are used again and again once it has been up for a while; a fresh one writes each of them twice.
  await query(
    `CREATE TABLE filler AS SELECT repeat(md5(i::text), 42) AS filler FROM generate_series(1, ${Math.ceil(events * 1.2)}) i`,
  );
  await query('DROP TABLE filler');
  await query('CHECKPOINT');
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
