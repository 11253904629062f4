import type { SchedulerLike } from 'rxjs';
import type { Report } from '../diagnostic.ts';
import { OrderBrokenError, ofSink } from '../errors.ts';
import type { Item, Reject } from '../event.ts';
import { type Beginning, type Position, type Resume, type Standing, comparePositions, compareResumes } from '../position.ts';
import { type Ledger, Outcome } from '../ledger.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Sink } from '../sinks/sink.ts';
import { PassedShards } from './passed-shards.ts';
import { type Retry, type RetryOptions, retrying } from './retry.ts';
import { SinkDriver, type SinkDriverOptions } from './sink-driver.ts';

/** How long a reject waits for others, in milliseconds, unless something has to be committed behind it or only it keeps a source from reading on. */
const REJECTS_LINGER_MS = 1000;

type BeforeCommit = SinkDriverOptions<Item>['beforeCommit'];

/** How sinks wait. */
interface SinkClock {
  readonly retry?: RetryOptions;
  readonly scheduler: SchedulerLike;
  readonly random?: () => number;
  readonly stop?: AbortSignal;
}

/** How often a position tells anew that its shard is quiet, and for how long it has to be at the end of a run. */
const TELL_QUIET_EVERY_MS = 3_600_000;
const QUIET_AT_END_MS = 60_000;

/** The sinks of a run, opened, with the rejects' one among them: take-over, positions, drain. */
export class OpenSinks {
  readonly drivers: SinkDriver<Item>[] = [];
  readonly #pipeline: Pipeline;
  readonly #clock: SinkClock;
  readonly #ledger: Ledger;
  readonly #report: Report;
  readonly #fail: (error: unknown) => void;
  readonly #over: AbortSignal;
  /** By shard, where its reading began. */
  readonly #resumed = new Map<string, Resume>();
  /** The same for each sink, also of a parent that the stream no longer keeps. */
  readonly #begins = new Map<string, readonly (Resume | undefined)[]>();
  /** The shards that were read to their ends. */
  readonly #ended = new Set<string>();
  readonly #passed = new PassedShards();
  /** By sink, the shards in which it stood when that was first asked. */
  readonly #known: Promise<string[]>[] = [];
  readonly #toldQuietAtMs = new Map<string, number>();
  #rejects: SinkDriver<Reject> | undefined;
  /** By shard, the reject that came last. */
  readonly #latestRejects = new Map<string, Position>();

  /** @param over aborted when the run has failed */
  constructor(
    pipeline: Pipeline,
    clock: SinkClock,
    ledger: Ledger,
    report: Report,
    fail: (error: unknown) => void,
    over: AbortSignal,
  ) {
    this.#pipeline = pipeline;
    this.#clock = clock;
    this.#ledger = ledger;
    this.#report = report;
    this.#fail = fail;
    this.#over = over;
  }

  async open(): Promise<void> {
    const { sinks, rejectsSink } = this.#pipeline;
    // What is stored has to be remembered, or its repeat in another shard might be read first the next time.
    const remember = (): Promise<void> => this.#ledger.flushState();
    if (rejectsSink) this.#rejects = await this.#drive(rejectsSink, remember, REJECTS_LINGER_MS);
    for (const sink of sinks) {
      const keep = this.#keepRejects();
      const beforeCommit: BeforeCommit = async (positions, isAgain) => {
        await remember();
        await keep(positions, isAgain);
      };
      this.drivers.push(await this.#drive(sink as Sink<Item>, beforeCommit));
    }
    this.#ledger.onReject((reject) => this.#takeReject(reject));
    this.#ledger.room.onFull(() => this.#rejects?.hurry());
  }

  /** Takes a shard and its child over in every sink and says where in the shard the least stands of those that know it, and not the child. */
  async stands(shard: string, child: string): Promise<Resume | undefined> {
    const inChild = await this.#takeOver(child);
    // Who knows the child has, or has done without, what came before.
    if (inChild.every((stand) => stand !== undefined)) return undefined;
    const stands = await this.#takeOver(shard);
    this.#begins.set(shard, stands);
    const known = stands.filter((stand, i) => stand !== undefined && inChild[i] === undefined);
    return known.length === 0 ? undefined : least(known as Resume[]);
  }

  /** Says which shards those sinks know that do not know a child, which `stands` has taken over. A sink that does not say where it stands knows none. */
  async known(child: string): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    for (const [i, driver] of this.drivers.entries()) {
      if (driver.resumedAt(child)) continue;
      // Asked once: a first run may ask for each of a thousand shards.
      for (const shard of await (this.#known[i] ??= this.#shardsOf(this.#pipeline.sinks[i]!))) known.add(shard);
    }
    return known;
  }

  /** Takes a shard over in every sink and says where the least of them stands, which is `from` where a sink does not know it. */
  async acquire(
    shard: string,
    from: Beginning,
    parents: readonly string[] = [],
    children: readonly string[] = [],
  ): Promise<Resume> {
    const stands = await this.#takeOver(shard);
    const known = stands.filter((stand) => stand !== undefined);
    // Who has read the parents, and nothing of it yet, is to have all of it.
    const isAwaited = this.drivers.some((driver, i) => !stands[i] && !this.#passed.hasPassed(driver, parents));
    // A sink added later begins where the others stand, unless it can have everything.
    const takesAll = from === 'TRIM_HORIZON' && isAwaited;
    const joinsAt = takesAll || known.length === 0 ? from : least(known);
    const begins = stands.map((stand, i) => stand ?? least([joinsAt, ...this.#awaySince(i, parents, stands)]));
    this.#begins.set(shard, begins);
    for (const [i, driver] of this.drivers.entries()) {
      if (stands[i]) continue;
      const first = begins[i]!;
      if (known.length > 0) this.#report({ type: 'sink-joined', sink: this.#pipeline.sinks[i]!.name, shard, resume: first });
      // Written down before the first read: a start at LATEST must not move when the run begins again.
      if (first !== 'SHARD_END') await driver.moveTo(shard, first);
    }
    const passing = this.drivers.filter((_, i) => !stands[i] && begins[i] === 'SHARD_END');
    await this.#passed.pass(shard, { drivers: passing, parents, children });
    const resume = least(begins);
    this.#resumed.set(shard, resume);
    const stood = this.drivers.map((driver) => driver.resumedAt(shard));
    this.#ledger.sinkStands.note(shard, stood, this.#rejects?.resumedAt(shard));
    if (known.length > 0 && compareResumes(resume, from) !== 0) this.#report({ type: 'shard-known', shard, resume });
    return resume;
  }

  /** Takes note that a shard was read to its end. Resolves once all of it is settled, and every sink has it written down that it has all. */
  async end(shard: string): Promise<void> {
    this.#ended.add(shard);
    this.#ledger.endShard(shard);
    await this.#ledger.whenSettled(shard);
    if (this.#isAtEnd(shard)) await Promise.all(this.drivers.map((driver) => driver.moveTo(shard, 'SHARD_END')));
  }

  /**
   * Moves positions on to where everything is settled. In a shard that has long been quiet they tell so: else nobody could know, once
   * the record of the position is past retention, that none was lost behind it.
   */
  advance(quietForMs = TELL_QUIET_EVERY_MS): void {
    const to = new Map<string, Resume>(this.#ledger.checkpoints().map((position) => [position.shard, position]));
    for (const shard of this.#ended) if (this.#isAtEnd(shard)) to.set(shard, 'SHARD_END');
    for (const driver of this.drivers) driver.advance(to);
    for (const { shard, sinceMs, untilMs } of this.#ledger.quiet()) {
      if (this.#ended.has(shard) || untilMs - Math.max(sinceMs, this.#toldQuietAtMs.get(shard) ?? sinceMs) < quietForMs) continue;
      this.#toldQuietAtMs.set(shard, untilMs);
      for (const driver of this.drivers) driver.stay(shard, untilMs);
    }
  }

  // What was settled is stored in every sink. A shard in which nothing had arrived since the time from which it was read keeps
  // that time: it may have ended before, and its children must not be read from before that time either.
  #isAtEnd(shard: string): boolean {
    const hasBeenRead = this.#ledger.checkpoint(shard) !== undefined;
    return this.#ledger.isSettled(shard) && (hasBeenRead || !(this.#resumed.get(shard) instanceof Date));
  }

  /** Since when a sink that stands nowhere in a shard is to have all: it began in a parent at a time, and those that went on without it did later. */
  #awaySince(sink: number, parents: readonly string[], stands: readonly (Resume | undefined)[]): Date[] {
    return parents.flatMap((parent) => {
      const begins = this.#begins.get(parent) ?? [];
      const since = begins[sink];
      if (!(since instanceof Date)) return [];
      const others = begins.filter((begin, i) => begin !== undefined && stands[i] !== undefined) as Resume[];
      return others.every((other) => compareResumes(since, other) < 0) ? [since] : [];
    });
  }

  /** All shards in which a sink stands somewhere, by its store's word. */
  async #shardsOf(sink: Pipeline['sinks'][number]): Promise<string[]> {
    const { retry = {}, scheduler, random = Math.random } = this.#clock;
    const onRetry = (failure: Retry): void => this.#report({ type: 'sink-retry', sink: sink.name, ...failure });
    const asked = async (): Promise<readonly Standing[]> => (await sink.stands?.(this.#pipeline.name)) ?? [];
    try {
      const standings = await retrying(asked, retry, { signal: this.#over, scheduler, random, onRetry });
      return standings.flatMap(({ shard, resume }) => (resume ? [shard] : []));
    } catch (error) {
      throw ofSink(sink, error);
    }
  }

  async #takeOver(shard: string): Promise<(Resume | undefined)[]> {
    await this.#rejects?.acquire(shard);
    const stands: (Resume | undefined)[] = [];
    for (const driver of this.drivers) stands.push(await driver.acquire(shard));
    return stands;
  }

  /** Waits until all is stored, then writes the last positions. */
  async drain(): Promise<void> {
    await this.#rejects?.idle();
    for (const driver of this.drivers) await driver.idle();
    this.advance(QUIET_AT_END_MS);
    for (const driver of this.drivers) await driver.idle();
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.drivers, ...(this.#rejects ? [this.#rejects] : [])].map((driver) => driver.close()));
  }

  /**
   * A sink's position may pass a reject only when that is stored, and still is: a store that has gone back may have lost it, and where the sink
   * stands there as before, nothing else tells so before it is past.
   */
  #keepRejects(): BeforeCommit {
    /** By shard, the reject behind which the sink stands. */
    const passed = new Map<string, Position>();
    return async (positions, isAgain) => {
      // Those that are stored then: more may come meanwhile.
      const latest = [...positions.keys()].flatMap((shard) => {
        const last = this.#latestRejects.get(shard);
        return last && (isAgain || passed.get(shard) !== last) ? [[shard, last] as const] : [];
      });
      await this.#rejects?.stored();
      if (latest.length === 0) return;
      await this.#rejects!.confirm(latest.map(([shard]) => shard));
      // One that lies ahead is asked for again: until the sink comes there it may be lost.
      for (const [shard, last] of latest) if (compareResumes(last, positions.get(shard)!) <= 0) passed.set(shard, last);
    };
  }

  async #drive<T extends Item>(sink: Sink<T>, beforeCommit: BeforeCommit, lingerMs = 0): Promise<SinkDriver<T>> {
    const { retry = {}, scheduler, random = Math.random, stop } = this.#clock;
    this.#over.throwIfAborted();
    const opened = await sink.open({ pipeline: this.#pipeline.name, report: this.#report }).catch((error: unknown) => {
      throw ofSink(sink, error);
    });
    if (this.#over.aborted) await opened.close();
    this.#over.throwIfAborted();
    return new SinkDriver({
      name: sink.name,
      describe: sink.describe,
      sink: opened,
      retry,
      scheduler,
      random,
      report: this.#report,
      stop,
      signal: this.#over,
      fail: this.#fail,
      beforeCommit,
      lingerMs,
    });
  }

  #takeReject(reject: Reject): void {
    const rejects = this.#rejects;
    // Once it is released, its memory may be given back: nothing more can be asked of it.
    const { why, event, sizeBytes, shard, first } = reject;
    if (!rejects) {
      const { name } = this.#pipeline;
      return this.#fail(
        new Error(
          `pipeline ${name}: ${why.step} rejected an event (${why.code}: ${why.reason}) and there is no place for rejects; add .rejects(…)`,
        ),
      );
    }
    const before = this.#latestRejects.get(shard);
    if (before && comparePositions(first, before) < 0) return this.#fail(new OrderBrokenError('rejects', before, first));
    this.#latestRejects.set(shard, first);
    this.#report({ type: 'rejected', position: event.position, why });
    this.#ledger.room.linger(sizeBytes);
    rejects.push(reject, () => {
      reject.mark(Outcome.rejected);
      reject.release();
      this.#ledger.room.linger(-sizeBytes);
    });
    // A source may have begun to wait for room before it came.
    this.#ledger.room.relieveSoon();
  }
}

/** The earliest of some places to resume. */
function least(resumes: readonly Resume[]): Resume {
  return resumes.reduce((a, b) => (compareResumes(a, b) <= 0 ? a : b));
}
