import type { Duration } from 'date-fns';
import { durationMs } from '../duration.ts';
import { faultOf } from '../fault.ts';

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
  { onRetry, signal }: { readonly onRetry: (retry: Retry) => void; readonly signal: AbortSignal },
): Promise<T> {
  const limitMs = durationMs(within);
  let failingSince: number | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      failingSince ??= performance.now();
      if (signal.aborted || faultOf(error) !== 'transient' || performance.now() - failingSince >= limitMs) throw error;
      const delayMs = Math.random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
      onRetry({ attempt, delayMs, error });
      await waitFor(delayMs, signal);
    }
  }
}

/** Waits, or ends at once when aborted. */
export function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
  });
}
