import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { FencedError } from '../errors.ts';
import type { ForgetLimits, IdentityState, OpenIdentityState, SightBlock } from '../operators/identity-state.ts';
import { SIGHT_WORDS } from '../operators/dedupe/sight.ts';
import { refuseHome } from './home-path.ts';
import { checkIdentityFile, openIdentityFile } from './identity-file.ts';

/** Two go for one that comes, so that what has expired is worked off without a pause. */
const MAX_FORGOTTEN_AT_ONCE = 2;

/** https://www.sqlite.org/rescode.html */
const Sqlite = { busy: 5, corrupt: 11, notADatabase: 26 } as const;

/**
 * Keeps what `dedupe` has seen in one file, an embedded SQLite database: a row a block, only ever appended, and deleted at the old end.
 *
 * Whoever opened it last owns it, as with shards: an `append` of an earlier owner, one that was only asleep, fails with `FencedError`.
 * A block is on the disk when `append` returns. What is damaged is an error, never an empty memory.
 *
 * While a run has it open, and after one that was killed, what was written last lies in `<file>-wal`: the two belong together. Copied or
 * moved without it, the file is an older memory, and nothing tells so. After a run that ended by itself there is only the one.
 *
 * @param url `file:./data/dedupe.db`, `file:///var/lib/dedupe.db` or a path; folders are made as needed
 * @throws {TypeError} when it is a URL of another kind, or the path begins with `~/`
 */
export function identityLog(url: string): IdentityState {
  const path = pathOf(url);
  refuseHome('identityLog', path);
  return { describe: `file:${path}`, check: () => checkIdentityFile(path), open: () => new IdentityLog(path) };
}

function pathOf(url: string): string {
  if (url.startsWith('file://')) return fileURLToPath(url);
  const [, scheme, path] = /^(?:([a-z][a-z0-9+.-]+):)?(.*)$/is.exec(url)!;
  if ((scheme === undefined || scheme === 'file') && path) return path;
  throw new TypeError(`identityLog: expected file:<path> or a path, got ${scheme === undefined ? 'nothing' : `${scheme}:`}`);
}

interface Kept {
  readonly id: number;
  readonly count: number;
  readonly newestMs: number;
}

class IdentityLog implements OpenIdentityState {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #epoch: number;
  readonly #owner: StatementSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #span: StatementSync;
  /** The blocks in the file, oldest first. */
  #kept: Kept[] = [];
  #sights = 0;
  #nextId = 1;

  constructor(path: string) {
    this.#path = path;
    const { database, epoch } = this.#try(() => openIdentityFile(path));
    this.#database = database;
    this.#epoch = epoch;
    this.#owner = this.#database.prepare('SELECT epoch FROM owner');
    this.#insert = this.#database.prepare('INSERT INTO block VALUES (?, ?, ?, ?, ?)');
    this.#delete = this.#database.prepare('DELETE FROM block WHERE id < ?');
    this.#span = this.#database.prepare('UPDATE span SET first = ?, last = ?');
  }

  load(take: (sights: Uint32Array) => void, expect?: (count: number) => void): { readonly ms: number } {
    const startMs = performance.now();
    this.#inTransaction('BEGIN', () => {
      const span = this.#database.prepare('SELECT first, last FROM span').get();
      if (!span) throw new Error('it does not say what it holds');
      this.#nextId = Number(span['first']);
      expect?.(Number(this.#database.prepare('SELECT total(count) AS count FROM block').get()!['count']));
      const rows = this.#database.prepare('SELECT id, count, newest_ms, checksum, sights FROM block ORDER BY id').iterate();
      for (const row of rows) {
        const block: Kept = { id: Number(row['id']), count: Number(row['count']), newestMs: Number(row['newest_ms']) };
        const bytes = row['sights'];
        if (block.id !== this.#nextId) throw new Error(`block ${this.#nextId} is missing`);
        const isWhole = bytes instanceof Uint8Array && bytes.length === block.count * SIGHT_WORDS * 4;
        if (!isWhole || checksum(block, bytes) !== row['checksum']) throw new Error(`block ${block.id} is not as it was written`);
        this.#keep(block);
        take(wordsOf(bytes));
      }
      if (this.#nextId !== Number(span['last']) + 1) throw new Error(`block ${this.#nextId} is missing`);
    });
    return { ms: performance.now() - startMs };
  }

  append({ sights, count, newestMs }: SightBlock, { beforeMs = -Infinity, capacity }: ForgetLimits): void {
    const bytes = new Uint8Array(sights.buffer, sights.byteOffset, sights.byteLength);
    const block: Kept = { id: this.#nextId, count, newestMs };
    const forgotten = this.#forgettable(beforeMs, capacity - count);
    const firstId = (this.#kept[forgotten] ?? block).id;
    this.#inTransaction('BEGIN IMMEDIATE', () => {
      this.#insert.run(block.id, count, newestMs, checksum(block, bytes), bytes);
      if (forgotten > 0) this.#delete.run(firstId);
      this.#span.run(firstId, block.id);
    });
    this.#keep(block);
    for (const { count: gone } of this.#kept.splice(0, forgotten)) this.#sights -= gone;
  }

  close(): void {
    this.#database.close();
  }

  /** How many of the oldest blocks arrived before a time, or have this many sights behind them. */
  #forgettable(beforeMs: number, capacity: number): number {
    let behind = this.#sights;
    let forgettable = 0;
    for (const { newestMs, count } of this.#kept.slice(0, MAX_FORGOTTEN_AT_ONCE)) {
      behind -= count;
      if (newestMs >= beforeMs && behind < capacity) break;
      forgettable++;
    }
    return forgettable;
  }

  #keep(block: Kept): void {
    this.#kept.push(block);
    this.#sights += block.count;
    this.#nextId = block.id + 1;
  }

  /** @throws {FencedError} when somebody has opened the file since we did */
  #inTransaction(begin: 'BEGIN' | 'BEGIN IMMEDIATE', act: () => void): void {
    this.#try(() => {
      this.#database.exec(begin);
      try {
        if (this.#owner.get()?.['epoch'] !== this.#epoch)
          throw new FencedError(`identityLog: ${this.#path}`, 'the memory of dedupe', this.#epoch);
        act();
        this.#database.exec('COMMIT');
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #try<R>(act: () => R): R {
    try {
      return act();
    } catch (cause) {
      if (cause instanceof FencedError) throw cause;
      const where = `identityLog: ${this.#path}`;
      const { message, errcode, syscall } = cause as NodeJS.ErrnoException & { errcode?: number };
      // The low byte is the kind, the others its details; what we found ourselves has none, and is damage.
      const kind = errcode === undefined ? Sqlite.corrupt : errcode & 0xff;
      if (kind === Sqlite.busy)
        throw new Error(`${where} is held by another run, which was stopped while it wrote to it`, { cause });
      if (syscall !== undefined || (kind !== Sqlite.corrupt && kind !== Sqlite.notADatabase))
        throw new Error(`${where}: ${message}`, { cause });
      throw new Error(`${where} is damaged: ${message}. Restore it; or remove it, and repeats of what was seen so far pass`, {
        cause,
      });
    }
  }
}

function checksum({ id, count, newestMs }: Kept, bytes: Uint8Array): number {
  return crc32(bytes, crc32(`${id} ${count} ${newestMs}`));
}

/** SQLite gives each blob memory of its own; where that does not begin at a word, it is copied. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}
