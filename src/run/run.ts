import type { Duration } from 'date-fns';
import { type Observable, type SchedulerLike, asyncScheduler, interval } from 'rxjs';
import { counted } from '../counted.ts';
import type { Report } from '../diagnostic.ts';
import { MAX_TIMER_MS, durationMs } from '../duration.ts';
import { faultOf } from '../fault.ts';
import { type Counts, Ledger } from '../ledger.ts';
import { stepOf } from '../operators/named.ts';
import { type Pipeline, sinksOf } from '../pipeline.ts';
import type { RoomOptions } from '../room.ts';
import { pause } from '../sources/waiting/pause.ts';
import type { SourceContext, Start } from '../sources/source.ts';
import { steady } from '../steady.ts';
import { acceptor } from './accept.ts';
import { askFirst } from './ask-first.ts';
import { startDeadline } from './deadline.ts';
import { Failure } from './failure.ts';
import { takesDeliveries } from './fuse.ts';
import { guarded } from './guard.ts';
import type { RetryOptions } from './retry.ts';
import { PreparedSteps } from './prepared-steps.ts';
import { LOOK_EVERY_MS, ShardWatch } from './shard-watch.ts';
import { OpenSinks } from './open-sinks.ts';

export interface RunOptions extends RoomOptions {
  /** Where to begin in shards that no sink knows. @default 'TRIM_HORIZON' */
  readonly start?: Start;
  /** Whether to go on when the stream no longer keeps what may have come behind where the sinks stand. @default false: that ends the run */
  readonly acceptGap?: boolean;
  /** Stops the run when aborted: reading ends, what was read is stored, positions are written. */
  readonly stop?: AbortSignal;
  /** How long a stop may take before it becomes an error. @default { seconds: 30 } */
  readonly drainWithin?: Duration;
  readonly retry?: RetryOptions;
  /** How often positions move on in shards whose events were all dropped. @default { seconds: 10 } */
  readonly checkpointEvery?: Duration;
  /**
   * How long a shard may make no progress before it ends the run with a `StalledError`: when the stream answers no read, or what was
   * read is not settled though no step may keep it so long and no sink stores anything or is tried again.
   *
   * @default { minutes: 10 }
   */
  readonly stalledAfter?: Duration;
  readonly report?: Report;
  /** The clock of the source, of tries and of ticks; an operator with a clock has an option of its own. @default asyncScheduler */
  readonly scheduler?: SchedulerLike;
  /** Gives back-off its jitter, from 0 up to but not including 1. @default Math.random */
  readonly random?: () => number;
}

/** A run at work. */
export interface Running {
  /** A new one once a store went back in time and the run with it. */
  readonly ledger: Ledger;
  /** Resolves when the source has ended or the run was stopped and everything is stored; rejects with what ended it otherwise. */
  readonly finished: Promise<Counts>;
}

/**
 * Gives a pipeline life: opens its sinks, resumes each shard where the least of them stands, and brings events from source to sinks
 * until the source ends, `stop` is aborted, or something fails that trying again does not mend.
 *
 * When a store has lost what it had acknowledged (a failover), all of it begins anew where the store stands now; the counts are those since.
 *
 * @throws {FencedError} when a newer run has taken over
 * @throws {OrderBrokenError | SettledTooEarlyError} when an operator breaks the order, or keeps events without holding them
 * @throws {DrainDeadlineError} when a stop took longer than `drainWithin`
 * @throws {StalledError} when a shard made no progress for `stalledAfter`
 */
export async function run(pipeline: Pipeline, options: RunOptions = {}): Promise<Counts> {
  return startRun(pipeline, options).finished;
}

/** How often a run goes back with a store before it gives up: something is wrong that reading again does not mend. */
const MAX_RETURNS = 20;
/** After so long without one, a return is the first again: a store may fail over many times in the life of a process. */
const RETURNS_FORGOTTEN_AFTER_MS = 600_000;
const FIRST_RETURN_DELAY_MS = 100;
const LONGEST_RETURN_DELAY_MS = 10_000;

/** Like `run`, and hands out the ledger of the run at work, for who wants to watch it. */
export function startRun(pipeline: Pipeline, given: RunOptions = {}): Running {
  const { report = () => {}, stop = new AbortController().signal } = given;
  const scheduler = steady(given.scheduler ?? asyncScheduler);
  // LATEST stays the time of this start, also where a store comes back empty: what came since is stored nowhere.
  const start = given.start === 'LATEST' ? new Date(scheduler.now()) : given.start;
  const options = { ...given, scheduler, ...(start && { start }) };
  const freesRecords = isDoneWithWhatIsSettled(pipeline);
  const newLedger = (): Ledger => new Ledger({ ...options, rejectsWaitForRecords: true, freesRecords });
  let ledger = newLedger();
  const perform = async (): Promise<Counts> => {
    for (let returns = 0; ; returns++) {
      let isOpen = false;
      const begunAtMs = scheduler.now();
      try {
        return await performOnce(pipeline, options, ledger, report, () => (isOpen = true));
      } catch (error) {
        const fault = faultOf(error);
        // In the middle of a failover, what takes a store's place may not answer at once.
        const isNotBackYet = returns > 0 && !isOpen && fault === 'transient';
        if (scheduler.now() - begunAtMs > RETURNS_FORGOTTEN_AFTER_MS) returns = 0;
        if (!(fault === 'went-back' || isNotBackYet) || stop.aborted || returns === MAX_RETURNS) throw error;
        report({ type: 'went-back', error: error as Error, counts: ledger.counts() });
        await pause(scheduler, Math.min(LONGEST_RETURN_DELAY_MS, FIRST_RETURN_DELAY_MS * 2 ** returns), stop);
        if (stop.aborted) throw error;
        ledger = newLedger();
      }
    }
  };
  return {
    get ledger() {
      return ledger;
    },
    finished: perform(),
  };
}

async function performOnce(
  pipeline: Pipeline,
  options: RunOptions & { readonly scheduler: SchedulerLike },
  ledger: Ledger,
  tell: Report,
  opened: () => void,
): Promise<Counts> {
  const { stop = new AbortController().signal, scheduler, random = Math.random, start = 'TRIM_HORIZON' } = options;
  const failure = new Failure();
  const { fail, over } = failure;
  const told: Report = failure.catching(tell);
  const limitMs = durationMs(options.stalledAfter ?? { minutes: 10 }, { who: 'run', name: 'stalledAfter' });
  const watch = new ShardWatch({ ledger, report: told, fail, limitMs, keepsMs: keepsMs(pipeline) });
  const report: Report = (diagnostic) => {
    watch.note(diagnostic, scheduler.now());
    told(diagnostic);
  };
  ledger.report = report;
  ledger.fail = fail;
  const steps = new PreparedSteps(pipeline, scheduler);
  const sinks = new OpenSinks(pipeline, options, ledger, report, fail, over);
  const ended = { source: false, steps: false };
  const drainWithin = options.drainWithin ?? { seconds: 30 };
  const deadline = startDeadline(stop, drainWithin, scheduler, report, fail, () => leftToDo(ledger, ended));
  try {
    const isOpen = await isDoneBefore(stop, failure.unlessFailed(sinks.open()));
    // Nothing has been read: what is still being opened is closed once it is.
    if (!isOpen) return await (over.aborted ? failure.failed : ledger.counts());
    const context: SourceContext = {
      pipeline: pipeline.name,
      ledger,
      scheduler,
      random,
      report,
      start,
      acceptGap: options.acceptGap ?? false,
      stop,
      acquire: (...shard) => sinks.acquire(...shard),
      stands: (shard, child) => sinks.stands(shard, child),
      known: (child) => sinks.known(child),
      end: (shard) => sinks.end(shard),
    };
    // Behind its sinks and its stream: a run that cannot have them is to take nothing from one that is at work.
    const prepare = async (): Promise<void> => {
      watch.found();
      await steps.prepare();
      opened();
    };
    const throughSteps = (its: Pipeline): Observable<unknown> => guarded(its, context, fail, () => (ended.source = true));
    const items = askFirst(pipeline, context, prepare, throughSteps);
    const allTaken = failure.takeIn(items, acceptor(ledger, sinks.drivers));
    const tickMs = Math.min(MAX_TIMER_MS, durationMs(options.checkpointEvery ?? { seconds: 10 }));
    const ticks = interval(tickMs, scheduler).subscribe(() => sinks.advance());
    // A drain has a limit of its own.
    const looks = interval(LOOK_EVERY_MS, scheduler).subscribe(() => stop.aborted || watch.look(scheduler.now()));
    try {
      await failure.unlessFailed(allTaken);
      ended.steps = true;
      await failure.unlessFailed(sinks.drain());
    } finally {
      ticks.unsubscribe();
      looks.unsubscribe();
    }
    return ledger.counts();
  } finally {
    deadline.clear();
    failure.end();
    await sinks.close();
    await steps.release();
  }
}

/** Says what a run that was stopped has not done, by which parts of it have ended. */
function leftToDo(ledger: Ledger, ended: { readonly source: boolean; readonly steps: boolean }): string {
  const { inFlight } = ledger.counts();
  const why =
    ended.source && !ended.steps
      ? 'a step had not ended, though the source has: it waits for a call, or merges events with what goes on'
      : undefined;
  if (inFlight > 0) return `${counted(inFlight, 'event')} had not been${why ? `: ${why}` : ''}`;
  return why ?? (ended.steps ? 'a store had not answered' : 'reading had not ended');
}

/** Whether something is done before a run is stopped. */
async function isDoneBefore(stop: AbortSignal, what: Promise<unknown>): Promise<boolean> {
  const stopped = Promise.withResolvers<boolean>();
  const end = (): void => stopped.resolve(false);
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  return Promise.race([what.then(() => true), stopped.promise]).finally(() => stop.removeEventListener('abort', end));
}

/** Whether nobody looks at a record any more once it is settled. */
function isDoneWithWhatIsSettled(pipeline: Pipeline): boolean {
  return takesDeliveries(pipeline) && sinksOf(pipeline).every(({ keepsNothing }) => keepsNothing);
}

/** How long the steps of a pipeline may keep an event, all together. */
function keepsMs({ operators }: Pipeline): number {
  return operators.reduce((sum, operator) => sum + (stepOf(operator)?.keepsMs ?? 0), 0);
}
