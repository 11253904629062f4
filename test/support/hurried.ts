import { type SchedulerAction, type SchedulerLike, asyncScheduler } from 'rxjs';

/** A scheduler whose clock runs so many times faster: for tests that wait for a real server under long delays. */
export function hurried(times: number): SchedulerLike {
  const startMs = asyncScheduler.now();
  return {
    now: () => startMs + (asyncScheduler.now() - startMs) * times,
    schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs = 0, state?: T) {
      // What repeats itself, as `interval` does, is to hurry each time.
      function hurry(this: SchedulerAction<T>, given?: T): void {
        const action = Object.create(this) as SchedulerAction<T>;
        action.schedule = (next, ms = 0) => this.schedule(next, ms / times);
        work.call(action, given);
      }
      return asyncScheduler.schedule(hurry, delayMs / times, state);
    },
  };
}
