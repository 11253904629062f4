import type { SchedulerLike, Subscription } from 'rxjs';
import type { Report } from '../diagnostic.ts';
import { WentBackError, ofSink } from '../errors.ts';
import { type Item, isSameRecord, lastByShard, totalOf } from '../event.ts';
import { type Resume, compareResumes, formatResume, isBeyond, isPosition } from '../position.ts';
import { Outcome } from '../ledger.ts';
import { oneByOne } from '../one-by-one.ts';
import type { OpenSink, Refusal } from '../sinks/sink.ts';
import { atMost } from './at-most.ts';
import { behind, isFurther, missing } from './missing.ts';
import { type Retry, type RetryOptions, retrying } from './retry.ts';

export interface SinkDriverOptions<T extends Item> {
  readonly name: string;
  /** What is stored where, for whoever reads what ended the run. */
  readonly describe: string;
  readonly sink: OpenSink<T>;
  readonly retry: RetryOptions;
  readonly report: Report;
  readonly scheduler: SchedulerLike;
  /** Gives the back-off its jitter. */
  readonly random: () => number;
  /** Aborted when the run is to stop: no more shards are taken over, which would take longer than a stop may where there are hundreds. @default never */
  readonly stop?: AbortSignal | undefined;
  /** Ends waits between tries when the run has failed. */
  readonly signal: AbortSignal;
  /** Makes durable what has to be before this sink may stand at these positions. Says whether a try has failed before. */
  readonly beforeCommit: (positions: ReadonlyMap<string, Resume>, isAgain: boolean) => Promise<void>;
  /** Called once, with what ended the sink's work. */
  readonly fail: (error: unknown) => void;
  /** How long items may wait for company, in milliseconds. */
  readonly lingerMs?: number;
}

/** The most bytes that one commit takes on, when more items than one are waiting. */
const MAX_BATCH_BYTES = 64 * 1024 * 1024;

interface Entry<T> {
  readonly item: T;
  readonly done: () => void;
}

/**
 * Brings items to one sink, one commit at a time, in order, again and again while it fails for passing reasons.
 * What comes in while a commit is under way makes up the next one, once it has lingered.
 */
export class SinkDriver<T extends Item> {
  readonly #options: SinkDriverOptions<T>;
  /** Where the sink stood when the run took over: what it has already, it is not given again. */
  readonly #resumedAt = new Map<string, Resume>();
  /** Where the sink stands now. */
  readonly #stands = new Map<string, Resume>();
  readonly #queue: Entry<T>[] = [];
  readonly #advances = new Map<string, Resume>();
  #working: Promise<void> | undefined;
  /** A sink does one thing at a time: shards are taken over while others commit, and a commit may be several messages to a store. */
  readonly #inTurn = oneByOne();
  #hasEnded = false;
  /** Whether there is something that need not linger. */
  #isDue = false;
  #pushed = 0;
  #stored = 0;
  #linger: Subscription | undefined;
  /** What failed before a commit, which is not this sink's. */
  #elsewhere: unknown;
  #waiting: (() => void)[] = [];

  constructor(options: SinkDriverOptions<T>) {
    this.#options = options;
  }

  /**
   * Takes a shard over and learns where the sink stands in it.
   *
   * @throws the reason of the stop, once the run is to stop
   */
  async acquire(shard: string): Promise<Resume | undefined> {
    const { sink, stop } = this.#options;
    const stands = await this.#retrying(async () => (stop?.aborted ? undefined : sink.acquire(shard)));
    // Not in there: a time that is up (AbortSignal.timeout) would be taken for a fault that passes.
    stop?.throwIfAborted();
    if (stands) {
      this.#resumedAt.set(shard, stands);
      this.#stands.set(shard, stands);
    }
    return stands;
  }

  /** Where the sink stood in a shard when the run took it over. */
  resumedAt(shard: string): Resume | undefined {
    return this.#resumedAt.get(shard);
  }

  /** Whether the sink stands somewhere in a shard by now. */
  standsIn(shard: string): boolean {
    return this.#stands.has(shard);
  }

  /** Takes an item on; `done` is called when it is durable: not before the call is over, also for one that the sink has already. */
  push(item: T, done: () => void): void {
    const rest = behind(item, this.#resumedAt.get(item.shard));
    // Whoever waits for room may be told by `done`, and close a window: not between two events of one record.
    if (!rest) return queueMicrotask(done);
    this.#queue.push({ item: rest, done });
    this.#pushed++;
    this.#wake(this.#options.lingerMs);
  }

  /** Lets nothing linger any longer that was pushed before. */
  hurry(): void {
    if (this.#queue.length > 0) this.#wake();
  }

  /** Moves positions on to where all before is settled; shards in which the sink stands there or beyond are left alone. */
  advance(to: Iterable<readonly [shard: string, resume: Resume]>): void {
    for (const [shard, resume] of to) if (isBeyond(resume, this.#stands.get(shard))) this.#advances.set(shard, resume);
    if (this.#advances.size > 0) this.#wake();
  }

  /** Writes down until when nothing had come behind where the sink stands in a shard. */
  stay(shard: string, quietUntilMs: number): void {
    const stands = this.#advances.get(shard) ?? this.#stands.get(shard);
    if (stands && isPosition(stands)) this.advance([[shard, { ...stands, quietUntilMs }]]);
  }

  /** Moves the position of a shard on, be it unknown so far, and resolves when that is durable. */
  moveTo(shard: string, resume: Resume): Promise<void> {
    this.advance([[shard, resume]]);
    return this.#until(() => !isBeyond(resume, this.#stands.get(shard)));
  }

  /** Resolves when all that was pushed before the call is durable, without lingering; what comes meanwhile holds nobody up. */
  stored(): Promise<void> {
    const goal = this.#pushed;
    return this.#until(() => this.#stored >= goal);
  }

  /** Sees that the store still has what it had acknowledged. Whoever asks need not try again: where it has not, or does not answer, that ends the run. */
  async confirm(shards: readonly string[]): Promise<void> {
    try {
      await this.#retrying(() => this.#positions(shards));
    } catch (error) {
      this.#options.fail(error);
      throw error;
    }
  }

  /** Resolves when there is nothing left to do. */
  idle(): Promise<void> {
    return this.#until(() => !this.#working && this.#queue.length === 0 && this.#advances.size === 0);
  }

  /** Takes nothing on any more, gives a commit under way a moment to end, and closes the sink. */
  async close(): Promise<void> {
    this.#linger?.unsubscribe();
    this.#hasEnded = true;
    this.#tellWaiting();
    const { scheduler, sink } = this.#options;
    if (this.#working) await atMost(scheduler, this.#working);
    await atMost(scheduler, sink.close());
  }

  get #isOver(): boolean {
    return this.#hasEnded || this.#options.signal.aborted;
  }

  // A microtask later all events of the delivery at hand have arrived, and share a commit.
  #wake(lingerMs?: number): void {
    if (this.#isOver) return;
    if (lingerMs) {
      this.#linger ??= this.#options.scheduler.schedule(() => this.#wake(), lingerMs);
      return;
    }
    this.#linger?.unsubscribe();
    this.#linger = undefined;
    this.#isDue = true;
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    await Promise.resolve();
    try {
      // Of a run that has failed the stream may have ended inside a record: no position is to pass it.
      while (!this.#isOver && this.#isDue) {
        const entries = this.#take();
        this.#isDue = this.#queue.length > 0;
        await this.#commit(entries);
        this.#tellWaiting();
      }
      this.#working = undefined;
    } catch (error) {
      this.#hasEnded = true;
      this.#options.fail(error);
    }
    this.#tellWaiting();
  }

  /** @throws {Error} when the sink has failed or is closed before it is so */
  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#isOver) throw this.#endedEarly();
      // A commit under way may be all it takes.
      if (!this.#working) this.#wake();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #endedEarly(): Error {
    return new Error(`${this.#options.name}: ended before all was stored`);
  }

  #tellWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #take(): Entry<T>[] {
    let bytes = 0;
    let count = 0;
    for (const { item } of this.#queue) {
      if (count > 0 && bytes + item.sizeBytes > MAX_BATCH_BYTES && !isSameRecord(this.#queue[count - 1]!.item, item)) break;
      bytes += item.sizeBytes;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #commit(entries: readonly Entry<T>[]): Promise<void> {
    const { sink, name, report, beforeCommit, scheduler } = this.#options;
    const all = entries.map(({ item }) => item);
    // The sink may have come further by a commit since it was told to move on.
    const positions = new Map([...this.#advances].filter(([shard, to]) => isBeyond(to, this.#stands.get(shard))));
    this.#advances.clear();
    for (const [shard, last] of lastByShard(all)) positions.set(shard, last);
    if (positions.size === 0) return;
    const refused: Refusal[] = [];
    const startedAtMs = scheduler.now();
    const batch = { items: all, positions };
    let known: ReadonlyMap<string, Resume> = this.#stands;
    await this.#retrying(async (attempt, moved) => {
      // Whether a commit that failed took place after all, or some of it, only the store can tell.
      const now = attempt === 1 ? known : await this.#positions(positions.keys());
      if (isFurther(now, known)) moved();
      known = now;
      const rest = attempt === 1 ? batch : missing(batch, this.#stands, now);
      if (rest.positions.size === 0) return;
      await beforeCommit(rest.positions, attempt > 1).catch((error: unknown) => {
        this.#elsewhere = error;
        throw error;
      });
      // The run may have failed since they were taken: on a reject that has no place, in the call in which they came.
      if (this.#isOver) throw this.#endedEarly();
      await sink.commit(rest, refused);
    });
    for (const [shard, resume] of positions) this.#stands.set(shard, resume);
    for (const { event, why } of refused) {
      event.mark(Outcome.rejected);
      report({ type: 'rejected', position: event.position, why });
    }
    // Before they are done with: then their memory may be given back.
    const [count, sizeBytes] = [totalOf(all, 'count'), totalOf(all, 'sizeBytes')];
    for (const { done } of entries) done();
    this.#stored += entries.length;
    report({ type: 'committed', sink: name, count, sizeBytes, ms: scheduler.now() - startedAtMs, positions });
  }

  /** Asks the store where the sink stands, and sees that it has not forgotten what it had: that is not at hand any more. */
  async #positions(shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    const { sink, name } = this.#options;
    const asked = [...shards];
    const now = await sink.positions(asked);
    for (const shard of asked) {
      const [stood, stands] = [this.#stands.get(shard), now.get(shard)];
      if (!stood || (stands && compareResumes(stands, stood) >= 0)) continue;
      const [expected, got] = [formatResume(stood), stands ? formatResume(stands) : 'nothing'];
      throw new WentBackError(name, shard, expected, got);
    }
    return now;
  }

  /** @throws what the work threw last, with the sink's name */
  async #retrying<R>(work: (attempt: number, moved: () => void) => Promise<R>): Promise<R> {
    const { retry, signal, scheduler, random, report, name } = this.#options;
    const onRetry = (failure: Retry): void => report({ type: 'sink-retry', sink: name, ...failure });
    try {
      return await retrying((...trying) => this.#inTurn(() => work(...trying)), retry, { signal, scheduler, random, onRetry });
    } catch (error) {
      throw error === this.#elsewhere ? error : ofSink(this.#options, error);
    }
  }
}
