import type { Duration } from 'date-fns';
import type { SchedulerLike } from 'rxjs';
import { durationMs } from '../duration.ts';
import { faultOf } from '../fault.ts';
import { pause } from '../sources/waiting/pause.ts';

export interface RetryOptions {
  /**
   * How long a transient fault is tried again, while nothing of the work gets done, before it ends the run.
   *
   * @default { minutes: 5 }
   */
  readonly within?: Duration;
  /** The longest wait before the first try again; it doubles from try to try. @default 100 */
  readonly firstDelayMs?: number;
  /** The longest wait. @default 10_000 */
  readonly maxDelayMs?: number;
}

export interface Retry {
  /** Number of failures so far. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: unknown;
}

export interface RetryContext {
  readonly onRetry: (retry: Retry) => void;
  /** Ends the wait for the next try. */
  readonly signal: AbortSignal;
  readonly scheduler: SchedulerLike;
  /** Gives the jitter, from 0 up to but not including 1. */
  readonly random: () => number;
}

/**
 * Repeats a piece of work while it fails for passing reasons, with back-off and full jitter, so that many clients of one
 * sick server do not come back in step. https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 *
 * @param work is told the number of the try, from 1; it calls `moved` when the try before it has got some of the work done, and what fails then is
 * another fault, which may last as long again
 * @throws what the work threw last: a fault that is not transient, or one that lasted beyond `within`
 */
export async function retrying<T>(
  work: (attempt: number, moved: () => void) => Promise<T>,
  { within = { minutes: 5 }, firstDelayMs = 100, maxDelayMs = 10_000 }: RetryOptions,
  { onRetry, signal, scheduler, random }: RetryContext,
): Promise<T> {
  const limitMs = durationMs(within);
  let failingSince: number | undefined;
  let failures = 0;
  const moved = (): void => {
    failingSince = undefined;
    failures = 0;
  };
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt, moved);
    } catch (error) {
      failingSince ??= scheduler.now();
      if (signal.aborted || faultOf(error) !== 'transient' || scheduler.now() - failingSince >= limitMs) throw error;
      const delayMs = random() * Math.min(maxDelayMs, firstDelayMs * 2 ** failures++);
      onRetry({ attempt: failures, delayMs, error });
      await pause(scheduler, delayMs, signal);
    }
  }
}
