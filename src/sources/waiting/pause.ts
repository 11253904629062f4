import type { SchedulerLike } from 'rxjs';
import { MAX_TIMER_MS } from '../../duration.ts';

/** Waits by the scheduler's clock, 24 days at most; ends at once when aborted. */
export function pause(scheduler: SchedulerLike, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || !(ms > 0)) return resolve();
    const end = (): void => {
      timer.unsubscribe();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = scheduler.schedule(end, Math.min(ms, MAX_TIMER_MS));
    signal.addEventListener('abort', end, { once: true });
  });
}
