import type { SchedulerLike } from 'rxjs';
import { pause } from '../sources/waiting/pause.ts';

/** How long a commit under way is waited for when a run has failed, and then for whatever it has open to close. */
const CLOSE_WITHIN_MS = 5000;

/** Waits for what ends a run, but not for ever: a connection that went silent says nothing any more. */
export async function atMost(scheduler: SchedulerLike, what: Promise<void>): Promise<void> {
  const over = new AbortController();
  await Promise.race([what, pause(scheduler, CLOSE_WITHIN_MS, over.signal)]).finally(() => over.abort());
}
