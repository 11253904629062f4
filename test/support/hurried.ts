import { type SchedulerLike, asyncScheduler } from 'rxjs';

/** A scheduler whose clock runs so many times faster: for tests that wait for a real server under long delays. */
export function hurried(times: number): SchedulerLike {
  const startMs = asyncScheduler.now();
  return {
    now: () => startMs + (asyncScheduler.now() - startMs) * times,
    schedule: (work: never, delayMs: number | undefined, state?: unknown) =>
      asyncScheduler.schedule(work, (delayMs ?? 0) / times, state),
  };
}
