import { existsSync } from 'node:fs';
import type { Resume, Standing } from '../position.ts';
import type { Owner } from '../owner.ts';
import type { Database, Load, OpenDatabase, RejectRow, Table } from './database.ts';
import { DuckdbRejects } from './duckdb/reject-source.ts';
import { LineSender, USUAL_LINE_BYTES } from './duckdb/lines.ts';
import type { RemoteLoad } from './duckdb/store.ts';
import { type Call, type CallHost, DuckdbThread } from './duckdb/thread.ts';
import { refusePath } from './refuse-path.ts';
import type { RejectSource } from './reject-source.ts';

export interface DuckdbOptions {
  /** Where the tables `positions` and `rejects` live. @default 'millrace' */
  readonly schema?: string;
  /**
   * What DuckDB may use of memory for its buffers; with less than the default a wide table loads more slowly. A load that
   * needs more, of very long records, fails once as transient and finds twice as much when it is tried again.
   *
   * @default 201_326_592 (192 MiB)
   */
  readonly memoryLimitBytes?: number;
  /** How many threads DuckDB may use; each needs memory of its own. @default 1 */
  readonly threads?: number;
}

/**
 * A DuckDB file, made with its folder when absent. What is committed is in its write-ahead log, forced to disk. A process
 * that has the file open keeps every other one out; within the process all users of a file share it, one at a time.
 *
 * @throws {TypeError} when the path names no file, begins with `~/`, or has quotes or blanks around it
 */
export function duckdb(
  path: string,
  { schema = 'millrace', memoryLimitBytes = 192 * 1024 * 1024, threads = 1 }: DuckdbOptions = {},
): Database & RejectSource {
  // In memory, positions and rows would not outlive the run.
  if (path === '' || path === ':memory:') throw new TypeError(`duckdb: expected the path of a file, got ${JSON.stringify(path)}`);
  refusePath('duckdb', path);
  const describe = `duckdb:${path}`;
  const options = { schema, limits: { memoryLimitBytes, threads } };
  const asked = async (call: Call): Promise<unknown> => {
    const thread = DuckdbThread.acquire();
    try {
      return await thread.call(call);
    } finally {
      await thread.release();
    }
  };
  const opened = async <T>(opening: (thread: DuckdbThread, store: number) => T): Promise<T> => {
    const thread = DuckdbThread.acquire();
    try {
      return opening(thread, (await thread.call({ method: 'open', args: [path, options] })) as number);
    } catch (error) {
      await thread.release();
      throw error;
    }
  };
  return {
    describe,
    check: async (table?: Table) => (await asked({ method: 'check', args: [path, options, table] })) as string,
    stands: async (owner) => (await asked({ method: 'stands', args: [path, options, owner] })) as readonly Standing[],
    open: () => opened((thread, store) => new OpenDuckdb(describe, thread, store)),
    async openRejects() {
      // Who only reads makes no file.
      if (!existsSync(path)) throw new Error(`duckdb: expected a file at ${path}, got none`);
      return opened((thread, store) => new DuckdbRejects(thread, store));
    },
  };
}

class OpenDuckdb implements OpenDatabase {
  readonly #describe: string;
  readonly #thread: DuckdbThread;
  readonly #store: number;
  /** One of the usual size that no load is using. */
  #sender: LineSender | undefined;
  #isOpen = true;

  constructor(describe: string, thread: DuckdbThread, store: number) {
    this.#describe = describe;
    this.#thread = thread;
    this.#store = store;
  }

  createTable(table: Table): Promise<boolean> {
    return this.#thread.ask(this.#store, 'createTable', table);
  }

  acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    return this.#thread.ask(this.#store, 'acquire', owner, shard);
  }

  positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    return this.#thread.ask(this.#store, 'positions', owner, [...shards]);
  }

  async commit(owner: Owner, { rows, refuse, leftOut, rejects = [], positions }: Load): Promise<void> {
    const lines = rows?.lines ?? [];
    if (positions.size === 0 && lines.length + rejects.length > 0)
      throw new RangeError(`${this.#describe}: expected positions with what is stored, got none`);
    if (positions.size === 0) return;
    const base = { refusable: refuse !== undefined, rejects: rejects.map(copied), positions };
    if (!rows || lines.length === 0) {
      await this.#commit(owner, base);
      return;
    }
    const sender = this.#takeSender(lines);
    const load = { ...base, rows: { table: rows.table, count: lines.length, memory: sender.memory } };
    void sender.send(1, lines, Int32Array.from(lines.keys()));
    try {
      const count = await this.#commit(owner, load, {
        send: (pass, numbers) => void sender.send(pass, lines, numbers),
        breakOff: () => sender.breakOff(),
        refuse: (faults) => faults.map(([line, fault]) => copied(refuse!(line, fault))),
      });
      leftOut?.(count);
    } finally {
      sender.stop();
      if (sender.longestBytes === USUAL_LINE_BYTES) this.#sender = sender;
    }
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#thread.close(this.#store);
  }

  async #commit(owner: Owner, load: RemoteLoad, host?: CallHost): Promise<number> {
    return (await this.#thread.call({ method: 'commit', store: this.#store, args: [owner, load] }, host)) as number;
  }

  #takeSender(lines: readonly Uint8Array[]): LineSender {
    let longestBytes = USUAL_LINE_BYTES;
    for (const { length } of lines) longestBytes = Math.max(longestBytes, length);
    const free = longestBytes === USUAL_LINE_BYTES ? this.#sender : undefined;
    this.#sender = undefined;
    return free ?? new LineSender(longestBytes);
  }
}

/** A view would be sent with all that it is a view of. */
function copied(reject: RejectRow): RejectRow {
  return { ...reject, raw: new Uint8Array(reject.raw) };
}
