import { readlinkSync, realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { oneByOne } from '../../one-by-one.ts';
import { DuckdbConnection, type DuckdbLimits, type DuckdbRow } from './connection.ts';
import { noteFile } from '../same-file.ts';
import { isOutOfMemory } from './faults.ts';

/** The most memory that a file is given when what it was given did not do: some records are very long. */
const MOST_MEMORY_BYTES = 1024 * 1024 * 1024;

/** The files this process has open: DuckDB's lock keeps processes apart, but not two openings in one process. */
const openFiles = new Map<string, { readonly file: DuckdbFile; users: number }>();

/** A DuckDB file that this process has open, shared by all who name it, one at a time. */
export class DuckdbFile {
  readonly #path: string;
  #limits: DuckdbLimits;
  #opening: Promise<DuckdbConnection> | undefined;
  /** Throws when the file that is open is not there any more. */
  #isThere: () => void = () => {};
  readonly #inTurn = oneByOne();

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

  /** Runs work on a file that nobody is to change; one that this process has open as it has it open. */
  static async reading<T>(path: string, limits: DuckdbLimits, work: (connection: DuckdbConnection) => Promise<T>): Promise<T> {
    const real = realPath(path);
    const open = openFiles.get(real);
    if (open) {
      open.users++;
      return open.file.session(work).finally(() => open.file.release());
    }
    const connection = await DuckdbConnection.open(real, limits, true);
    try {
      return await work(connection);
    } finally {
      connection.close();
    }
  }

  /** Closes the file, after all that was asked for before, when this was the last one who has it open. */
  release(): Promise<void> {
    // In its turn: whoever opens the file before that joins, and does not open it beside one who still writes.
    return this.#inTurn(async () => {
      const entry = openFiles.get(this.#path)!;
      if (--entry.users > 0) return;
      openFiles.delete(this.#path);
      await this.#close();
    });
  }

  /** Runs work after all that was asked for before; each of its statements is a transaction of its own. */
  session<T>(work: (connection: DuckdbConnection) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      const connection = await this.#open();
      try {
        return await work(connection);
      } catch (error) {
        await this.#recover(error as Error);
        throw error;
      }
    });
  }

  /**
   * Runs statements and then work in one transaction, which what it throws undoes.
   *
   * @param work is given the rows of the last statement; its answer are the statements that end the transaction
   */
  transaction(
    statements: readonly string[],
    work: (connection: DuckdbConnection, rows: readonly DuckdbRow[]) => Promise<readonly string[]>,
  ): Promise<void> {
    return this.session(async (connection) => {
      try {
        const rows = await connection.run(['BEGIN', ...statements].join(';\n'));
        const last = await work(connection, rows);
        this.#isThere();
        await connection.run(last.join(';\n'));
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

  #open(): Promise<DuckdbConnection> {
    const opening = (this.#opening ??= this.#connect());
    opening.catch(() => (this.#opening = undefined));
    return opening;
  }

  async #connect(): Promise<DuckdbConnection> {
    const connection = await DuckdbConnection.open(this.#path, this.#limits);
    this.#isThere = noteFile(this.#path);
    return connection;
  }

  async #close(): Promise<void> {
    const connection = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    connection?.close();
  }
}

/** One path for all who name a file, also before it is there: two openings of it would each write over what the other one has written. */
function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch (error) {
    const real = join(realpathSync(dirname(absolute)), basename(absolute));
    const link = (error as NodeJS.ErrnoException).code === 'ENOENT' ? linkAt(real) : undefined;
    return link === undefined ? real : realPath(resolve(dirname(real), link));
  }
}

/** Where a link leads, which is nowhere yet; nothing when there is none. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
