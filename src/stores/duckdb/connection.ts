import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { RowFault } from '../database.ts';
import { findFaults } from './faults.ts';
import { DuckdbFeed, type FedReject } from './feed.ts';
import { type Known, findKnown } from './missing.ts';
import { RowFeed, type RowsRead, type Suspects } from './row-feed.ts';
import type { FileTable, TableKey } from './row-sql.ts';
import { CATALOG } from './sql.ts';

export interface DuckdbLimits {
  /** What DuckDB may use of memory for its own buffers. */
  readonly memoryLimitBytes: number;
  /** How many threads DuckDB may use. */
  readonly threads: number;
}

export type DuckdbRow = Readonly<Record<string, unknown>>;

// A column's part of a row group takes a block at least, in memory while it grows: with the usual 256 kB and 122,880 rows
// a table of 131 columns needs 300 MB to be written to. Without a version, files have DuckDB's oldest format, which takes a
// third longer to be written.
const BLOCK_SIZE_BYTES = 131_072;
const ROW_GROUP_ROWS = 16_384;
export const STORAGE_VERSION = 'v1.5.0';
/** What a file begins with. https://duckdb.org/docs/stable/internals/storage */
const HEADERS_BYTES = 3 * 4096;

/** A DuckDB file that is open. */
export class DuckdbConnection {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  /** For what may fail: a statement that fails undoes the transaction it is in. */
  readonly #aside: DuckDBConnection;
  readonly #feed: DuckdbFeed;
  readonly #rows: RowFeed;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, aside: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
    this.#aside = aside;
    this.#feed = new DuckdbFeed(connection);
    this.#rows = new RowFeed(connection);
  }

  /** @param readOnly whether nothing may be made or written, the file itself not either */
  static async open(path: string, { memoryLimitBytes, threads }: DuckdbLimits, readOnly = false): Promise<DuckdbConnection> {
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: `${memoryLimitBytes}B`,
      threads: String(threads),
      temp_directory: `${path}.tmp`,
      // Gives memory back when it is free: otherwise the process keeps 100 MB that nobody uses.
      allocator_flush_threshold: '4MB',
      allocator_bulk_deallocation_flush_threshold: '4MB',
      // Nothing is fetched from anywhere: what we use is built in.
      autoinstall_known_extensions: 'false',
    });
    const sizeBytes = await stat(path).then(
      (found) => (found.isFile() ? found.size : undefined),
      () => undefined,
    );
    try {
      const connection = await instance.connect();
      // A file that is there keeps its format and its block size.
      // Without its type, what is named .csv or .json is attached as a database in memory.
      const options = readOnly
        ? ['TYPE duckdb', 'READ_ONLY']
        : [
            'TYPE duckdb',
            `ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`,
            ...(sizeBytes === undefined ? [`BLOCK_SIZE ${BLOCK_SIZE_BYTES}`, `STORAGE_VERSION '${STORAGE_VERSION}'`] : []),
          ];
      await connection.run(`ATTACH '${path.replaceAll("'", "''")}' AS ${CATALOG} (${options.join(', ')})`);
      await connection.run(`USE ${CATALOG}`);
      // A time without a zone is in UTC, wherever the machine is.
      await connection.run(`SET GLOBAL TimeZone = 'UTC'`);
      return new DuckdbConnection(instance, connection, await instance.connect());
    } catch (error) {
      instance.closeSync();
      throw explain(path, sizeBytes, error as Error);
    }
  }

  /** Runs statements in one go; gives back the rows of the last. */
  async run(statements: string): Promise<readonly DuckdbRow[]> {
    const reader = await this.#connection.runAndReadAll(statements);
    return reader.getRowObjectsJS();
  }

  /**
   * Runs a statement that reads the rows that lines make.
   *
   * @returns the lines that make none
   */
  async insertRows(statement: string, read: RowsRead): Promise<Suspects> {
    this.#rows.begin(read);
    let stored = 0;
    let suspects: Suspects = new Map();
    try {
      stored = (await this.#connection.run(statement)).rowsChanged;
    } finally {
      suspects = this.#rows.end();
    }
    if (stored + suspects.size !== read.count)
      throw new Error(`duckdb: of ${read.count} lines ${stored} became rows, and ${suspects.size} did not`);
    return suspects;
  }

  async insertRejects(statement: string, rejects: readonly FedReject[]): Promise<void> {
    this.#feed.rejects = rejects;
    try {
      await this.#connection.run(statement);
    } finally {
      this.#feed.clear();
    }
  }

  /** Says what is wrong with each of some lines, for a table. */
  findFaults(table: FileTable, lines: readonly Uint8Array[]): Promise<readonly (RowFault | undefined)[]> {
    return findFaults(this.#aside, this.#feed, table, lines);
  }

  /** Says which of some values a table has, the transaction's own rows among them. */
  findKnown(key: TableKey, values: readonly Uint8Array[]): Promise<Known> {
    return findKnown(this.#connection, this.#feed, key, values);
  }

  close(): void {
    this.#connection.closeSync();
    this.#aside.closeSync();
    this.#instance.closeSync();
  }
}

function explain(path: string, sizeBytes: number | undefined, error: Error): Error {
  const [, program, pid] = /lock is held in (.*?) \(PID (\d+)\)/.exec(error.message) ?? [];
  if (pid !== undefined) {
    const who = `process ${pid} (${basename(program!)})`;
    return new Error(`duckdb:${path} is held by ${who}; one process at a time can have it open`, { cause: error });
  }
  if (sizeBytes === undefined || sizeBytes >= HEADERS_BYTES) return error;
  // Not removed by us: another process may be making it right now.
  const what = `duckdb:${path} has ${sizeBytes} bytes, fewer than any DuckDB file`;
  return new Error(`${what}: if it is what a run left that could not make it, as on a full disk, remove it`, { cause: error });
}
