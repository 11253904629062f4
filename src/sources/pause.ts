import type { SchedulerLike } from 'rxjs';

/** Waits by the scheduler's clock; ends at once when aborted. */
export function pause(scheduler: SchedulerLike, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || !(ms > 0)) return resolve();
    const end = (): void => {
      timer.unsubscribe();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = scheduler.schedule(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
