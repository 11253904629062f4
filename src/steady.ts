import type { SchedulerAction, SchedulerLike } from 'rxjs';

/**
 * So much too early a timer may come by a clock that nobody has set back: both count whole milliseconds, but do not begin them together. A clock
 * that went by each such timer would gain minutes a day where many shards are read.
 */
const EARLY_MS = 10;

/** A scheduler with a clock that never goes back. */
export interface SteadyScheduler extends SchedulerLike {
  /** Takes note that it is this time, or later: by another such clock, which was asked while this one was not. */
  readonly catchUp: (ms: number) => void;
}

/**
 * The same scheduler with a clock that never goes back: when the system's is set back, time goes on from where it was, and from where a timer says
 * that it is. Whoever waits until some time would else wait for as long as it was set back.
 */
export function steady(scheduler: SchedulerLike): SteadyScheduler {
  let latestMs = Number.NEGATIVE_INFINITY;
  let aheadMs = 0;
  const atLeast = (ms: number): number => {
    const nowMs = scheduler.now();
    aheadMs = Math.max(aheadMs, ms - nowMs);
    latestMs = nowMs + aheadMs;
    return latestMs;
  };
  return {
    now: () => atLeast(latestMs),
    catchUp: (ms) => void atLeast(Math.max(latestMs, ms)),
    schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs = 0, state?: T) {
      const dueMs = atLeast(latestMs) + delayMs;
      return scheduler.schedule<T>(
        function (given) {
          if (dueMs - atLeast(latestMs) > EARLY_MS) atLeast(dueMs);
          work.call(this, given);
        },
        delayMs,
        state,
      );
    },
  };
}
