import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { isLocked } from '../is-locked.ts';

/** How long one attempt to enter the critical section may block the thread, in milliseconds. */
const BLOCK_MS = 20;
const RETRY_MS = 10;
const GIVE_UP_MS = 15_000;

/** One version of an object: what the file itself cannot tell. */
export interface Version {
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Opened {
  readonly mayWrite: boolean;
  /** As `fixedState` told it. */
  readonly fixedAs?: string | undefined;
}

/**
 * Remembers the etag and metadata of each file of a directory, and lets one process at a time change them.
 *
 * A row names the file it was written for by a fingerprint. When a process dies between its rename and its commit, row and
 * file do not fit, and the file counts as a version that nobody described.
 */
export class DirectoryCatalog {
  readonly #mayWrite: boolean;
  readonly #path: string;
  #database: DatabaseSync;
  #find: StatementSync;
  #record: StatementSync;
  /** How the catalog was when it was opened as one that nobody writes to, or that is not there. */
  #fixedAs: string | undefined;

  private constructor(path: string, database: DatabaseSync, { mayWrite, fixedAs }: Opened) {
    this.#mayWrite = mayWrite;
    this.#path = path;
    this.#fixedAs = fixedAs;
    this.#database = database;
    [this.#find, this.#record] = prepare(database);
  }

  /** Whether `exclusively` keeps others out, if there are any. */
  get mayWrite(): boolean {
    return this.#mayWrite || this.#fixedAs === ABSENT;
  }

  /** Opens the catalog, and makes it when it is absent. */
  static open(path: string): Promise<DirectoryCatalog> {
    return DirectoryCatalog.#open(path, path);
  }

  /** Opens the catalog of a folder in which nothing is to be made; where there is none, or nothing can be written, as on a volume that is mounted so, too. */
  static async openToRead(path: string): Promise<DirectoryCatalog> {
    if (!existsSync(path)) return DirectoryCatalog.#open(path, ':memory:', { mayWrite: false, fixedAs: ABSENT });
    if (isWritable(dirname(path))) return DirectoryCatalog.#open(path, path);
    const fixedAs = fixedState(path);
    return new DirectoryCatalog(path, openFixed(path, fixedAs), { mayWrite: false, fixedAs });
  }

  static async #open(path: string, location: string, how: Opened = { mayWrite: true }): Promise<DirectoryCatalog> {
    const database = new DatabaseSync(location, { timeout: BLOCK_MS });
    try {
      // WAL: a commit is one fsync, and readers never wait.
      await untilFree(path, () => {
        database.exec('PRAGMA journal_mode = WAL');
        database.exec(
          'CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, etag TEXT NOT NULL, metadata TEXT NOT NULL) STRICT, WITHOUT ROWID',
        );
      });
      return new DirectoryCatalog(path, database, how);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** The same as `find`, outside: waits while another process puts the catalog in order. */
  look(key: string, fingerprint: string): Promise<Version | undefined> {
    return untilFree(this.#path, () => {
      this.#follow();
      return this.find(key, fingerprint);
    });
  }

  /** What is known of the file that has this fingerprint now. */
  find(key: string, fingerprint: string): Version | undefined {
    const row = this.#find.get(key, fingerprint) as { etag: string; metadata: string } | undefined;
    return row && { etag: row.etag, metadata: JSON.parse(row.metadata) as Record<string, string> };
  }

  record(key: string, fingerprint: string, { etag, metadata }: Version): void {
    this.#record.run(key, fingerprint, etag, JSON.stringify(metadata));
  }

  /**
   * Runs `act` while no other process runs its own, and commits what it recorded.
   * It is synchronous from end to end, so no two of one process meet inside either.
   */
  async exclusively<T>(act: () => T): Promise<T> {
    await untilFree(this.#path, () => {
      this.#follow();
      this.#database.exec('BEGIN IMMEDIATE');
    });
    try {
      const result = act();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  /** Opens a catalog anew that somebody has made, or begun to write to, who does not know of this one. */
  #follow(): void {
    if (this.#fixedAs === undefined) return;
    const fixedAs = fixedState(this.#path);
    if (fixedAs === this.#fixedAs) return;
    const database = openFixed(this.#path, fixedAs);
    try {
      [this.#find, this.#record] = prepare(database);
    } catch (error) {
      database.close();
      // It is being made: nothing is described yet. When it is locked, something may be.
      if (this.#fixedAs === ABSENT && !isLocked(error)) return;
      throw error;
    }
    this.#database.close();
    this.#database = database;
    this.#fixedAs = fixedAs;
  }
}

function prepare(database: DatabaseSync): readonly [find: StatementSync, record: StatementSync] {
  database.exec('PRAGMA synchronous = FULL');
  return [
    database.prepare('SELECT etag, metadata FROM objects WHERE key = ? AND fingerprint = ?'),
    database.prepare('INSERT OR REPLACE INTO objects (key, fingerprint, etag, metadata) VALUES (?, ?, ?, ?)'),
  ];
}

/** The state of a catalog that nobody has made yet. */
const ABSENT = 'absent';

/**
 * Tells one state of a catalog from another while nobody writes to it; nothing while somebody does, or was killed as he did: then what was
 * written last lies beside it.
 */
function fixedState(path: string): string | undefined {
  if (!existsSync(path)) return ABSENT;
  if (existsSync(`${path}-wal`)) return undefined;
  const { ino, size, mtimeNs } = statSync(path, { bigint: true });
  return `${ino}-${size}-${mtimeNs}`;
}

/** Opens a catalog where nothing can be made. When nobody writes to it, SQLite need not make the files by which it would be told. */
function openFixed(path: string, fixedAs: string | undefined): DatabaseSync {
  const location = pathToFileURL(path);
  if (fixedAs !== undefined) location.searchParams.set('immutable', '1');
  return new DatabaseSync(location, { readOnly: true, timeout: BLOCK_MS });
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Waits for other processes without keeping this one from its other work. */
async function untilFree<T>(path: string, act: () => T): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += BLOCK_MS + RETRY_MS) {
    try {
      return act();
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (waitedMs >= GIVE_UP_MS)
        throw Object.assign(new Error(`directory: another process keeps ${path} locked`, { cause: error }), {
          isTransient: true,
        });
    }
    await setTimeout(RETRY_MS);
  }
}
