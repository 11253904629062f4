import type { Event, RejectReason } from '../event.ts';
import type { RejectRow } from '../stores/database.ts';

/** Makes of an event and a reason what a database keeps of them. */
export function rejectRow({ arrivedAtMs, origin }: Event<unknown>, why: RejectReason): RejectRow {
  return { position: origin.place, arrivedAtMs, why, raw: origin.raw };
}
