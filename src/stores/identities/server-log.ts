import { FencedError, WentBackError, messageOf } from '../../errors.ts';
import type { ForgetLimits, OpenIdentityState, SightBlock } from '../../operators/identity-state.ts';
import { SIGHT_WORDS } from '../../operators/dedupe/sight.ts';
import type { BlockServer, LogState, SentBlock } from './block-server.ts';
import { type KeptBlock, KeptBlocks } from './kept-blocks.ts';
import { wordsOf } from './words-of.ts';

/** So many blocks are asked for at a time: 14 MB of whole ones, and more of those that are small. */
const READ_AT_ONCE = 32;
const MOST_READ_AT_ONCE = 512;
const SMALL_PAGE_BYTES = 1024 * 1024;

/** How often somebody else may come in between when a log is taken over. */
const MAX_TAKE_OVERS = 30;

/** What is appended while a block is on its way goes as one, of no more bytes than this. */
const LARGEST_BLOCK_BYTES = 448 * 1024;

const BYTES_A_SIGHT = SIGHT_WORDS * 4;
const WHAT = 'the memory of dedupe';

interface Sending {
  readonly sent: SentBlock;
  readonly kept: KeptBlock;
  /** How many of the oldest go for it, and the first that stays. */
  readonly gone: number;
  readonly firstId: number;
}

interface Waiting {
  readonly goal: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A log on a server, taken over and read. It sends one block after the other, and the one that failed again when it is flushed. When the server has
 * lost what it had acknowledged, that is a `WentBackError`: the run begins anew, with what the server has.
 */
export class ServerLog implements OpenIdentityState {
  readonly #where: string;
  readonly #server: BlockServer;
  readonly #epoch: number;
  readonly #blocks: KeptBlocks;
  readonly #readMs: number;
  /** What was read, until it is loaded. */
  #read: readonly Uint8Array[];
  #appended: { readonly block: SightBlock; readonly bytes: Uint8Array }[] = [];
  #limits: ForgetLimits = { beforeMs: undefined, capacity: Infinity };
  /** The block that is on its way, or failed. */
  #sending: Sending | undefined;
  #isAtWork = false;
  /** How many sights were appended, and how many of them are durable. */
  #total = 0;
  #durable = 0;
  #waiting: Waiting[] = [];

  /** Takes a log over from whoever had it, and reads it. */
  static async take(where: string, server: BlockServer): Promise<ServerLog> {
    const startMs = performance.now();
    const { epoch, first, last } = await takeOver(server);
    const blocks = new KeptBlocks(first);
    const read: Uint8Array[] = [];
    for (let atOnce = READ_AT_ONCE; blocks.nextId <= last;) {
      const page = await server.read(blocks.nextId, Math.min(last, blocks.nextId + atOnce - 1));
      if (page[0]?.id !== blocks.nextId) {
        // A newer run may have forgotten it meanwhile.
        if ((await server.stands()).epoch > epoch) throw new FencedError(where, WHAT, epoch);
        throw damaged(`block ${blocks.nextId} is missing`);
      }
      let pageBytes = 0;
      for (const { id, newestMs, bytes } of page) {
        const count = bytes.length / BYTES_A_SIGHT;
        if (id !== blocks.nextId) throw damaged(`block ${blocks.nextId} is missing`);
        if (!Number.isInteger(count)) throw damaged(`block ${id} is not as it was written`);
        blocks.keep({ id, count, newestMs });
        read.push(bytes);
        pageBytes += bytes.length;
      }
      atOnce = pageBytes < SMALL_PAGE_BYTES ? Math.min(2 * atOnce, MOST_READ_AT_ONCE) : READ_AT_ONCE;
    }
    return new ServerLog(where, server, { epoch, blocks, read, readMs: performance.now() - startMs });
  }

  private constructor(
    where: string,
    server: BlockServer,
    taken: { readonly epoch: number; readonly blocks: KeptBlocks; readonly read: readonly Uint8Array[]; readonly readMs: number },
  ) {
    this.#where = where;
    this.#server = server;
    this.#epoch = taken.epoch;
    this.#blocks = taken.blocks;
    this.#read = taken.read;
    this.#readMs = taken.readMs;
  }

  load(take: (sights: Uint32Array) => void, expect?: (count: number) => void): { readonly ms: number } {
    const startMs = performance.now();
    expect?.(this.#blocks.sights);
    for (const bytes of this.#read) take(wordsOf(bytes));
    this.#read = [];
    return { ms: this.#readMs + performance.now() - startMs };
  }

  append(block: SightBlock, forget: ForgetLimits): void {
    const { buffer, byteOffset, byteLength } = block.sights;
    this.#appended.push({ block, bytes: new Uint8Array(buffer, byteOffset, byteLength).slice() });
    this.#limits = forget;
    this.#total += block.count;
    this.#work();
  }

  flush(): Promise<void> | undefined {
    if (this.#durable === this.#total) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ goal: this.#total, resolve, reject });
    this.#work();
    return promise;
  }

  /** What was appended may be on its way yet: who has taken the log ends its connection. */
  close(): void {
    this.#read = [];
  }

  #work(): void {
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    // Whoever flushes is told of it.
    this.#send().catch((error: unknown) => {
      this.#isAtWork = false;
      for (const { reject } of this.#waiting.splice(0)) reject(told(this.#where, error));
    });
  }

  async #send(): Promise<void> {
    while (this.#sending || this.#appended.length > 0) {
      const { sent, kept, gone, firstId } = (this.#sending ??= this.#next());
      this.#check(sent.id, await this.#server.append(this.#epoch, sent, firstId));
      this.#blocks.keep(kept, gone);
      this.#sending = undefined;
      this.#durable += kept.count;
      const reached = this.#waiting.filter(({ goal }) => goal <= this.#durable);
      this.#waiting = this.#waiting.filter(({ goal }) => goal > this.#durable);
      for (const { resolve } of reached) resolve();
    }
    this.#isAtWork = false;
  }

  /** Makes one block of the oldest that wait. */
  #next(): Sending {
    let size = 0;
    const rest = this.#appended.findIndex(({ bytes }) => (size += bytes.length) > LARGEST_BLOCK_BYTES);
    const taken = this.#appended.splice(0, rest === -1 ? this.#appended.length : Math.max(1, rest));
    const newestMs = Math.max(...taken.map(({ block }) => block.newestMs));
    const bytes = taken.length === 1 ? taken[0]!.bytes : Buffer.concat(taken.map((one) => one.bytes));
    const kept: KeptBlock = { id: this.#blocks.nextId, count: bytes.length / BYTES_A_SIGHT, newestMs };
    return { sent: { id: kept.id, newestMs, bytes }, kept, ...this.#blocks.forgettable(kept, this.#limits) };
  }

  /** A block whose answer was lost is found to be there. */
  #check(id: number, { epoch, last }: { readonly epoch: number; readonly last: number }): void {
    if (epoch > this.#epoch) throw new FencedError(this.#where, WHAT, this.#epoch);
    if (epoch < this.#epoch || last !== id) throw new WentBackError(this.#where, WHAT, `block ${id - 1}`, `block ${last}`);
  }
}

async function takeOver(server: BlockServer): Promise<LogState> {
  for (let tries = 1; tries <= MAX_TAKE_OVERS; tries++) {
    const { epoch } = await server.stands();
    const taken = await server.takeOver(epoch);
    if (taken) return taken;
  }
  const error = new Error(`others took ${WHAT} over at the same time, ${MAX_TAKE_OVERS} times`);
  throw Object.assign(error, { isTransient: true });
}

function damaged(why: string): Error {
  return new Error(`it is damaged: ${why}. Restore it; or remove it, and repeats of what was seen so far pass`);
}

/** What a server said, with the log's name; what says more by itself stays as it is. */
export function told(where: string, error: unknown): unknown {
  if (error instanceof FencedError || error instanceof WentBackError) return error;
  return new Error(`${where}: ${messageOf(error)}`, { cause: error });
}
