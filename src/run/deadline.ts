import type { Duration } from 'date-fns';
import type { SchedulerLike, Subscription } from 'rxjs';
import type { Report } from '../diagnostic.ts';
import { MAX_TIMER_MS, durationMs } from '../duration.ts';

/** The drain after a stop took longer than it may; what was not stored will be read again. */
export class DrainDeadlineError extends Error {
  override readonly name = 'DrainDeadlineError';
}

/**
 * From the stop on the run has so long to store what it read.
 *
 * @param left says what it has not done
 */
export function startDeadline(
  stop: AbortSignal,
  within: Duration,
  scheduler: SchedulerLike,
  report: Report,
  fail: (error: unknown) => void,
  left: () => string,
): { clear(): void } {
  let timer: Subscription | undefined;
  const begin = (): void => {
    const ms = Math.min(MAX_TIMER_MS, durationMs(within));
    report({ type: 'stopping', why: String(stop.reason) });
    timer = scheduler.schedule(
      () => fail(new DrainDeadlineError(`run: expected to have stored everything ${ms} ms after the stop, and ${left()}`)),
      ms,
    );
  };
  if (stop.aborted) begin();
  else stop.addEventListener('abort', begin, { once: true });
  return {
    clear() {
      timer?.unsubscribe();
      stop.removeEventListener('abort', begin);
    },
  };
}
