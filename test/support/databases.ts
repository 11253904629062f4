import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Database } from '../../src/stores/database.ts';
import { duckdb } from '../../src/stores/duckdb.ts';
import { postgres } from '../../src/stores/postgres.ts';
import { queryDuckdb } from './duckdb.ts';
import type { Postgres } from './postgres.ts';

/** One empty database for one test. */
export interface TestDatabase {
  /** Declares the database, as each run does. */
  readonly declare: (options?: { schema: string }) => Database;
  /** Asks the database itself; values as JSON has them, bytes in hex. May be called while the store has it open. */
  readonly query: (statement: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;
  readonly close: () => Promise<void>;
}

export interface TestPostgres extends TestDatabase {
  readonly url: string;
}

let databases = 0;

/** Makes an empty database in a server that runs. */
export async function emptyPostgres({ url: server }: Pick<Postgres, 'url'>): Promise<TestPostgres> {
  const name = `test_${databases++}`;
  const admin = new pg.Client(server);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const url = server.replace(/\/postgres$/, `/${name}`);
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`SET timezone TO 'UTC'`);
  return {
    url,
    declare: (options) => postgres(url, options),
    query: async (statement) => {
      const { rows } = await client.query(statement);
      return (rows as Record<string, unknown>[]).map(hexed);
    },
    close: () => client.end(),
  };
}

/** Makes a folder with no DuckDB file in it yet. */
export async function emptyDuckdb(): Promise<TestDatabase & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-duckdb-'));
  const path = join(folder, 'made', 'warehouse.duckdb');
  return {
    path,
    declare: (options) => duckdb(path, options),
    query: async (statement) => (await queryDuckdb(path, statement)).map(hexed),
    close: () => rm(folder, { recursive: true }),
  };
}

function hexed(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(row);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value]),
  );
}
