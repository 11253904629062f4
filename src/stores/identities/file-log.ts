import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { FencedError } from '../../errors.ts';
import type { ForgetLimits, OpenIdentityState, SightBlock } from '../../operators/identity-state.ts';
import { SIGHT_WORDS } from '../../operators/dedupe/sight.ts';
import { isLocked } from '../is-locked.ts';
import { FileGoneError, noteFile } from '../same-file.ts';
import { OtherFileError, openIdentityFile } from './file.ts';
import { type KeptBlock, KeptBlocks } from './kept-blocks.ts';
import { wordsOf } from './words-of.ts';

/** https://www.sqlite.org/rescode.html */
const Sqlite = { corrupt: 11, notADatabase: 26 } as const;

/**
 * A log in one file, an embedded SQLite database: a row a block, only ever appended, and deleted at the old end.
 *
 * Whoever opened it last owns it: an `append` of an earlier owner, one that was only asleep, fails with `FencedError`.
 * A block is on the disk when `append` returns. What is damaged is an error, never an empty memory.
 */
export class FileLog implements OpenIdentityState {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #epoch: number;
  readonly #owner: StatementSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #span: StatementSync;
  /** Throws when the file that is open is not there any more. */
  readonly #isThere: () => void;
  #blocks = new KeptBlocks(1);

  constructor(path: string) {
    this.#path = path;
    const { database, epoch } = this.#try(() => openIdentityFile(path));
    this.#database = database;
    this.#epoch = epoch;
    this.#isThere = noteFile(path);
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
      const blocks = (this.#blocks = new KeptBlocks(Number(span['first'])));
      expect?.(Number(this.#database.prepare('SELECT total(count) AS count FROM block').get()!['count']));
      const rows = this.#database.prepare('SELECT id, count, newest_ms, checksum, sights FROM block ORDER BY id').iterate();
      for (const row of rows) {
        const block: KeptBlock = { id: Number(row['id']), count: Number(row['count']), newestMs: Number(row['newest_ms']) };
        const bytes = row['sights'];
        if (block.id !== blocks.nextId) throw new Error(`block ${blocks.nextId} is missing`);
        const isWhole = bytes instanceof Uint8Array && bytes.length === block.count * SIGHT_WORDS * 4;
        if (!isWhole || checksum(block, bytes) !== row['checksum']) throw new Error(`block ${block.id} is not as it was written`);
        blocks.keep(block);
        take(wordsOf(bytes));
      }
      if (blocks.nextId !== Number(span['last']) + 1) throw new Error(`block ${blocks.nextId} is missing`);
    });
    return { ms: performance.now() - startMs };
  }

  append({ sights, count, newestMs }: SightBlock, forget: ForgetLimits): void {
    const bytes = new Uint8Array(sights.buffer, sights.byteOffset, sights.byteLength);
    const block: KeptBlock = { id: this.#blocks.nextId, count, newestMs };
    const { gone, firstId } = this.#blocks.forgettable(block, forget);
    this.#inTransaction('BEGIN IMMEDIATE', () => {
      this.#insert.run(block.id, count, newestMs, checksum(block, bytes), bytes);
      if (gone > 0) this.#delete.run(firstId);
      this.#span.run(firstId, block.id);
    });
    this.#blocks.keep(block, gone);
  }

  close(): void {
    this.#database.close();
  }

  /** @throws {FencedError} when somebody has opened the file since we did */
  #inTransaction(begin: 'BEGIN' | 'BEGIN IMMEDIATE', act: () => void): void {
    this.#try(() => {
      this.#database.exec(begin);
      try {
        if (this.#owner.get()?.['epoch'] !== this.#epoch)
          throw new FencedError(`identityLog: ${this.#path}`, 'the memory of dedupe', this.#epoch);
        act();
        this.#isThere();
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
      if (cause instanceof FencedError || cause instanceof FileGoneError) throw cause;
      const where = `identityLog: ${this.#path}`;
      const { message, errcode, syscall } = cause as NodeJS.ErrnoException & { errcode?: number };
      // The low byte is the kind, the others its details; what we found ourselves has none, and is damage.
      const kind = errcode === undefined ? Sqlite.corrupt : errcode & 0xff;
      if (isLocked(cause)) throw new Error(`${where} is held by another run, which was stopped while it wrote to it`, { cause });
      if (cause instanceof OtherFileError || syscall !== undefined || (kind !== Sqlite.corrupt && kind !== Sqlite.notADatabase))
        throw new Error(`${where}: ${message}`, { cause });
      throw new Error(`${where} is damaged: ${message}. Restore it; or remove it, and repeats of what was seen so far pass`, {
        cause,
      });
    }
  }
}

function checksum({ id, count, newestMs }: KeptBlock, bytes: Uint8Array): number {
  return crc32(bytes, crc32(`${id} ${count} ${newestMs}`));
}
