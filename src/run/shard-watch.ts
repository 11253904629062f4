import type { Diagnostic, Report } from '../diagnostic.ts';
import { nameAndMessage } from '../errors.ts';
import type { Ledger } from '../ledger.ts';
import { ShardProgress, type Standstill } from './shard-progress.ts';

/** How often shards are looked at. */
export const LOOK_EVERY_MS = 10_000;

/** For how long a shard has made no progress, and what it is doing. */
type Quiet = NonNullable<(Diagnostic & { readonly type: 'shard-health' })['quiet']>;

/** In how many steps of the limit a shard that stands still is told of. */
const TOLD_TIMES = 4;

/** A shard made no progress for too long. What is not stored will be read again by the next run. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
  readonly shard: string;
  readonly forMs: number;
  /** What it was last doing. */
  readonly doing: string;

  constructor(shard: string, forMs: number, doing: string, limitMs: number) {
    super(
      `run: expected progress in ${shard} within ${limitMs / 1000} s, and for ${Math.round(forMs / 1000)} s it has been ${doing}`,
    );
    this.shard = shard;
    this.forMs = forMs;
    this.doing = doing;
  }
}

export interface ShardWatchOptions {
  readonly ledger: Ledger;
  readonly report: Report;
  readonly fail: (error: StalledError) => void;
  /** How long a shard may stand still. */
  readonly limitMs: number;
  /** How long the pipeline's steps may keep an event by themselves. */
  readonly keepsMs: number;
}

/**
 * Watches over a run's shards: tells how each is, tells of one that stands still, and fails the run when neither its stream nor
 * what holds its events up was heard of for too long.
 *
 * A sink that is slow, or fails and is tried again, stalls no shard: it has limits of its own.
 */
export class ShardWatch {
  readonly #options: ShardWatchOptions;
  readonly #shards = new Map<string, ShardProgress>();
  readonly #told = new Map<string, number>();
  #sinkRests = 0;
  #restedAtMs = 0;
  #heardAtMs = 0;
  #retry: string | undefined;
  #lookup: string | undefined;
  #lookedAtMs: number | undefined;
  /** What the source tries to find out before it reads a shard, by the name that it gives to all of them. */
  #beginning: string | undefined;
  #hasBegun = false;
  #awakeSinceMs = 0;

  constructor(options: ShardWatchOptions) {
    this.#options = options;
  }

  /** Takes in what the run reports. */
  note(diagnostic: Diagnostic, nowMs: number): void {
    switch (diagnostic.type) {
      case 'shard-known':
      case 'archive-found':
      case 'rejects-found':
      case 'files-found':
        this.found();
        break;
      case 'shard-started':
        this.found();
        this.#hasBegun = true;
        this.#shards.set(diagnostic.shard, new ShardProgress(nowMs));
        break;
      case 'shard-lag':
        this.#shards.get(diagnostic.shard)?.answered(diagnostic.behindMs, nowMs);
        break;
      case 'source-retry':
        if (!this.#hasBegun && !this.#hasRead) this.#beginning ??= this.#seeks(diagnostic.shard, nowMs);
        this.#shards.get(diagnostic.shard)?.failed(diagnostic);
        break;
      case 'shard-ended': {
        const shard = this.#shards.get(diagnostic.shard);
        if (shard) shard.hasEnded = true;
        break;
      }
      case 'sink-retry':
        this.found();
        this.#heardAtMs = nowMs;
        this.#retry = `${diagnostic.sink} tries again (${diagnostic.attempt}) after ${nameAndMessage(diagnostic.error)}`;
        break;
      case 'lookup-retry':
        this.#lookup = `lookup tries again (${diagnostic.attempt}) after ${nameAndMessage(diagnostic.error)}`;
        break;
      case 'committed':
        // Without events it has only moved positions on.
        if (diagnostic.count === 0) break;
        this.#heardAtMs = nowMs;
        this.#retry = this.#lookup = undefined;
        break;
    }
  }

  /** A stream that does not say what shards it has stands still like a shard that it does not let read. */
  #seeks(all: string, nowMs: number): string {
    this.#shards.set(all, new ShardProgress(nowMs));
    return all;
  }

  /** Takes note that the stream has said what shards it has. */
  found(): void {
    const shard = this.#beginning;
    if (shard === undefined) return;
    this.#beginning = undefined;
    this.#forget(shard);
    // Nothing more is heard of it: who was told that it is quiet would go by that until a shard is read.
    const nothing = { behindMs: undefined, readAtMs: undefined, settledAtMs: undefined, inFlight: 0, sizeBytes: 0 };
    this.#options.report({ type: 'shard-health', shard, ...nothing, waitsForRoom: false, quiet: undefined });
  }

  /** A source of one's own need not tell of its shards. */
  get #hasRead(): boolean {
    return this.#options.ledger.counts().read > 0;
  }

  /** Looks at every shard. To be called every `LOOK_EVERY_MS`. */
  look(nowMs: number): void {
    const { ledger, report } = this.#options;
    // Windows inside of an operator that is made of several are known once an event has come to them.
    const keepsMs = Math.max(this.#options.keepsMs, ledger.keepsMs);
    // Who was stopped, or slept, has heard of nobody.
    if (nowMs - (this.#lookedAtMs ?? nowMs) > 3 * LOOK_EVERY_MS) this.#awakeSinceMs = nowMs;
    this.#lookedAtMs = nowMs;
    if (this.#beginning !== undefined && this.#hasRead) this.found();
    if (!ledger.room.hasSomeAtSinks || ledger.room.sinkRests !== this.#sinkRests) this.#restedAtMs = nowMs;
    this.#sinkRests = ledger.room.sinkRests;
    const sinks = { restedAtMs: this.#restedAtMs, heardAtMs: this.#heardAtMs, retry: this.#retry, lookup: this.#lookup };

    for (const [shard, progress] of this.#shards) {
      const inFlight = ledger.inFlight(shard);
      const standstills = progress.look(inFlight, ledger.checkpoint(shard), sinks, keepsMs, nowMs);
      const { behindMs, readAtMs, settledAtMs } = progress;
      const { count, sizeBytes, waitsForRoom } = inFlight;
      const quiet = this.#quiet(standstills, nowMs);
      report({ type: 'shard-health', shard, behindMs, readAtMs, settledAtMs, inFlight: count, sizeBytes, waitsForRoom, quiet });
      this.#judge(shard, standstills, quiet, nowMs);
      if (progress.hasEnded && count === 0) this.#forget(shard);
    }
  }

  #forget(shard: string): void {
    this.#shards.delete(shard);
    this.#told.delete(shard);
  }

  /** The longest standstill of a shard, once it is worth telling of. */
  #quiet(standstills: readonly Standstill[], nowMs: number): Quiet | undefined {
    const [longest] = standstills.toSorted((a, b) => a.sinceMs - b.sinceMs);
    const forMs = longest ? this.#lasting(longest.sinceMs, nowMs) : 0;
    return longest && this.#timesToTell(forMs) > 0 ? { forMs, doing: longest.doing } : undefined;
  }

  #judge(shard: string, standstills: readonly Standstill[], quiet: Quiet | undefined, nowMs: number): void {
    const { limitMs, report, fail } = this.#options;
    const dead = standstills.find(({ heardAtMs }) => this.#lasting(heardAtMs, nowMs) >= limitMs);
    if (dead) return fail(new StalledError(shard, this.#lasting(dead.heardAtMs, nowMs), dead.doing, limitMs));
    const times = quiet ? this.#timesToTell(quiet.forMs) : 0;
    if (quiet && times > (this.#told.get(shard) ?? 0)) report({ type: 'shard-quiet', shard, ...quiet });
    this.#told.set(shard, times);
  }

  #timesToTell(forMs: number): number {
    return Math.floor((forMs / this.#options.limitMs) * TOLD_TIMES);
  }

  #lasting(sinceMs: number, nowMs: number): number {
    return nowMs - Math.max(sinceMs, this.#awakeSinceMs);
  }
}
