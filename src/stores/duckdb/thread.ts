import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RejectRow } from '../database.ts';
import type { checkDuckdb, readStandings } from './check.ts';
import { type PackedError, packError, unpackError } from './errors.ts';
import type { Fault } from './row-loader.ts';
import type { DuckdbStore, LoadHost, RemoteLoad, StoreOptions } from './store.ts';

/** What the thread is asked to do. */
export type Call =
  | { readonly method: 'open'; readonly args: [path: string, options: StoreOptions] }
  | { readonly method: 'check'; readonly args: Parameters<typeof checkDuckdb> }
  | { readonly method: 'stands'; readonly args: Parameters<typeof readStandings> }
  | { readonly method: 'run'; readonly args: [path: string, statements: string] }
  | {
      readonly method: 'commit';
      readonly store: number;
      readonly args: [owner: Parameters<DuckdbStore['commit']>[0], load: RemoteLoad];
    }
  | { readonly method: 'close'; readonly store: number }
  | { readonly method: StoreMethod; readonly store: number; readonly args: unknown[] };

/** What a store that is open there does by itself. */
type StoreMethod = 'createTable' | 'acquire' | 'positions' | 'rejectedShards' | 'rejectedRecords';

/** What it asks on its part, while it works on a call. */
export type Ask =
  | { readonly lines: { readonly pass: number; readonly numbers: Int32Array } }
  | { readonly faults: readonly Fault[] };

export type ToThread =
  | { readonly id: number; readonly call: Call }
  | { readonly id: number; readonly answer: readonly RejectRow[] }
  | { readonly id: number; readonly error: PackedError };
export type FromThread =
  | { readonly id: number; readonly ask: Ask }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: PackedError };

export interface CallHost extends LoadHost {
  /** Ends the lines in the middle, and the load with them. */
  readonly breakOff: () => void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly host: CallHost | undefined;
}

/** How long a process that ends waits for what DuckDB is in the middle of. */
const EXIT_WITHIN_MS = 2000;

let shared: { readonly thread: DuckdbThread; users: number } | undefined;

/**
 * The thread that all of DuckDB's work is done in, one a process. DuckDB calls back for each chunk of rows, and a statement is
 * several turns of the event loop: where events are read as well, both would wait for each other.
 */
export class DuckdbThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  /** How many calls the thread has not done yet; it counts down. */
  readonly #open = new Int32Array(new SharedArrayBuffer(4));
  #calls = 0;
  #ended: Error | undefined;

  private constructor() {
    this.#worker = new Worker(join(import.meta.dirname, `worker${extname(import.meta.filename)}`), {
      name: 'duckdb',
      execArgv: [],
      workerData: this.#open,
    });
    process.on('exit', this.#leave);
    this.#worker.unref();
    this.#worker.on('message', (message: FromThread) => this.#hear(message));
    this.#worker.on('error', (error) => this.#end(error as Error));
    this.#worker.on('exit', () => this.#end(new Error('duckdb: its thread has ended')));
  }

  /** Ends with as many calls of `release`. */
  static acquire(): DuckdbThread {
    shared ??= { thread: new DuckdbThread(), users: 0 };
    shared.users++;
    return shared.thread;
  }

  async release(): Promise<void> {
    if (shared?.thread !== this || --shared.users > 0) return;
    shared = undefined;
    await this.#worker.terminate();
  }

  call(call: Call, host?: CallHost): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      // A call keeps the process alive.
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(id, { resolve, reject, host });
      Atomics.add(this.#open, 0, 1);
      this.#say({ id, call });
    });
  }

  /** Asks a store that is open there. */
  ask<M extends StoreMethod>(store: number, method: M, ...args: Parameters<DuckdbStore[M]>): ReturnType<DuckdbStore[M]> {
    return this.call({ method, store, args }) as ReturnType<DuckdbStore[M]>;
  }

  /** Closes a store that is open there, of a user who then needs the thread no more. */
  async close(store: number): Promise<void> {
    try {
      await this.call({ method: 'close', store });
    } finally {
      await this.release();
    }
  }

  #hear(message: FromThread): void {
    const pending = this.#pending.get(message.id)!;
    if ('ask' in message) {
      void this.#answer(message.id, message.ask, pending);
      return;
    }
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('error' in message) pending.reject(unpackError(message.error));
    else pending.resolve(message.value);
  }

  async #answer(id: number, ask: Ask, { host }: Pending): Promise<void> {
    if ('lines' in ask) return host!.send(ask.lines.pass, ask.lines.numbers);
    try {
      this.#say({ id, answer: await host!.refuse(ask.faults) });
    } catch (error) {
      this.#say({ id, error: packError(error as Error) });
    }
  }

  #say(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  /** A thread that is taken away in the middle of a statement takes the process with it, by SIGABRT. */
  readonly #leave = (): void => {
    for (const { host } of this.#pending.values()) host?.breakOff();
    const until = performance.now() + EXIT_WITHIN_MS;
    for (let open = Atomics.load(this.#open, 0); open > 0; open = Atomics.load(this.#open, 0))
      if (Atomics.wait(this.#open, 0, open, Math.max(0, until - performance.now())) === 'timed-out') return;
  };

  #end(error: Error): void {
    this.#ended ??= error;
    process.off('exit', this.#leave);
    if (shared?.thread === this) shared = undefined;
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }
}
