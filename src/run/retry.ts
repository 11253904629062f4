import type { Duration } from 'date-fns';
import type { SchedulerLike } from 'rxjs';
import { durationMs } from '../duration.ts';
import { faultOf } from '../fault.ts';
import { pause } from '../sources/waiting/pause.ts';

export interface RetryOptions {
  /**
   * How long a transient fault is tried again before it ends the run.
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
 * @param work is told the number of the try, from 1
 * @throws what the work threw last: a fault that is not transient, or one that lasted beyond `within`
 */
export async function retrying<T>(
  work: (attempt: number) => Promise<T>,
  { within = { minutes: 5 }, firstDelayMs = 100, maxDelayMs = 10_000 }: RetryOptions,
  { onRetry, signal, scheduler, random }: RetryContext,
): Promise<T> {
  const limitMs = durationMs(within);
  let failingSince: number | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      failingSince ??= scheduler.now();
      if (signal.aborted || faultOf(error) !== 'transient' || scheduler.now() - failingSince >= limitMs) throw error;
      const delayMs = random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
      onRetry({ attempt, delayMs, error });
      await pause(scheduler, delayMs, signal);
    }
  }
}
