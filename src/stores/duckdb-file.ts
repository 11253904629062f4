import { realpathSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { isOutOfMemory } from './duckdb-faults.ts';
import { DuckdbFeed } from './duckdb-feed.ts';

export interface DuckdbLimits {
  /** What DuckDB may use of memory for its own buffers. */
  readonly memoryLimitBytes: number;
  /** How many threads DuckDB may use. */
  readonly threads: number;
}

/** The most memory that a file is given when what it was given did not do: some records are very long. */
const MOST_MEMORY_BYTES = 1024 * 1024 * 1024;

// A column's part of a row group takes a block at least, in memory while it grows: with the usual 256 kB and 122,880 rows
// a table of 131 columns needs 300 MB to be written to. Small ones fit into 64 MB, and a checkpoint rewrites less.
const BLOCK_SIZE_BYTES = 16_384;
const ROW_GROUP_ROWS = 10_240;

/** The name of the file's database in our own connection. */
const CATALOG = 'store';

/** The files this process has open: DuckDB's lock keeps processes apart, but not two openings in one process. */
const openFiles = new Map<string, { readonly file: DuckdbFile; users: number }>();

/** A DuckDB file that this process has open, shared by all who name it, one at a time. */
export class DuckdbFile {
  readonly #path: string;
  #limits: DuckdbLimits;
  #opening: Promise<Opened> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(path: string, limits: DuckdbLimits) {
    this.#path = path;
    this.#limits = limits;
  }

  /** Opens a file, or joins those who have it open; the first one's limits stay. Ends with `release`. */
  static async acquire(path: string, limits: DuckdbLimits): Promise<DuckdbFile> {
    await mkdir(dirname(resolve(path)), { recursive: true });
    const real = realPath(path);
    const entry = openFiles.get(real) ?? { file: new DuckdbFile(real, limits), users: 0 };
    openFiles.set(real, entry);
    entry.users++;
    return entry.file;
  }

  /** Closes the file when this was the last one who has it open. */
  async release(): Promise<void> {
    const entry = openFiles.get(this.#path)!;
    if (--entry.users > 0) return;
    openFiles.delete(this.#path);
    await this.#inTurn(() => this.#close());
  }

  /** Runs work after all that was asked for before; each of its statements is a transaction of its own. */
  session<T>(work: (connection: DuckDBConnection, feed: DuckdbFeed) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      const { connection, feed } = await this.#open();
      try {
        return await work(connection, feed);
      } catch (error) {
        await this.#recover(error as Error);
        throw error;
      } finally {
        feed.clear();
      }
    });
  }

  /**
   * Runs work in one transaction, which what it throws undoes.
   *
   * @param keep false to undo it in any case
   */
  transaction<T>(work: (connection: DuckDBConnection, feed: DuckdbFeed) => Promise<T>, keep = true): Promise<T> {
    return this.session(async (connection, feed) => {
      await connection.run('BEGIN');
      try {
        const result = await work(connection, feed);
        await connection.run(keep ? 'COMMIT' : 'ROLLBACK');
        return result;
      } catch (error) {
        await connection.run('ROLLBACK').catch(() => {});
        throw error;
      }
    });
  }

  // After a fatal error an instance answers nothing any more; the file is sound. With memory it was, or can be, just short of
  // what the next try needs: that one gets more.
  async #recover(error: Error): Promise<void> {
    const { memoryLimitBytes } = this.#limits;
    const isShort = isOutOfMemory(error.message) && memoryLimitBytes < MOST_MEMORY_BYTES;
    if (isShort) {
      this.#limits = { ...this.#limits, memoryLimitBytes: Math.min(2 * memoryLimitBytes, MOST_MEMORY_BYTES) };
      Object.assign(error, { isTransient: true });
    }
    if (isShort || /^FATAL|has been invalidated/.test(error.message)) await this.#close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #open(): Promise<Opened> {
    const opening = (this.#opening ??= open(this.#path, this.#limits));
    opening.catch(() => (this.#opening = undefined));
    return opening;
  }

  async #close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    opened?.connection.closeSync();
    opened?.instance.closeSync();
  }
}

interface Opened {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
  readonly feed: DuckdbFeed;
}

async function open(path: string, { memoryLimitBytes, threads }: DuckdbLimits): Promise<Opened> {
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
  try {
    const connection = await instance.connect();
    const isNew = await stat(path).then(
      ({ size }) => size === 0,
      () => true,
    );
    // A file that is there keeps its block size.
    const options = [...(isNew ? [`BLOCK_SIZE ${BLOCK_SIZE_BYTES}`] : []), `ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`];
    await connection.run(`ATTACH '${path.replaceAll("'", "''")}' AS ${CATALOG} (${options.join(', ')})`);
    await connection.run(`USE ${CATALOG}`);
    return { instance, connection, feed: new DuckdbFeed(connection) };
  } catch (error) {
    instance.closeSync();
    throw explain(path, error as Error);
  }
}

function explain(path: string, error: Error): Error {
  const [, program, pid] = /lock is held in (.*?) \(PID (\d+)\)/.exec(error.message) ?? [];
  if (pid === undefined) return error;
  const who = `process ${pid} (${basename(program!)})`;
  return new Error(`duckdb:${path} is held by ${who}; one process at a time can have it open`, { cause: error });
}

function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    return join(realpathSync(dirname(absolute)), basename(absolute));
  }
}
