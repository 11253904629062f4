import type { Subscriber } from 'rxjs';
import { Event, Origin, type Position, type RejectReason } from '../event.ts';
import type { Ledger } from '../ledger.ts';

/** A record as a source read it. */
export interface SourceRecord {
  readonly position: Position;
  /** When the stream received it, in milliseconds since 1970. */
  readonly arrivedAtMs: number;
  readonly data: Uint8Array;
  /** What becomes of it when it is no event: a reject, for this reason, or a drop, counted by this name. */
  readonly fate?: RejectReason | string | undefined;
}

/**
 * Opens one delivery of a shard's records, emits its events and lets go of it, all in this call; rejects and drops what is no event in
 * the same order. Gives the reservation back.
 *
 * When the subscriber ends before it has taken the last event as well, the delivery stays in flight for good: what was
 * not emitted must not count as settled, and neither must an event at which an operator failed.
 */
export function emitDelivery(
  subscriber: Subscriber<Event<Uint8Array>>,
  ledger: Ledger,
  records: readonly SourceRecord[],
  { readAtMs, reservedBytes }: { readonly readAtMs: number; readonly reservedBytes: number },
): void {
  const last = records.at(-1)?.position;
  if (!last || subscriber.closed) return ledger.unreserve(reservedBytes);
  let sizeBytes = 0;
  for (let i = 0; i < records.length; i++) sizeBytes += records[i]!.data.length;
  const delivery = ledger.open({ shard: last.shard, count: records.length, sizeBytes, last, readAtMs, reservedBytes });
  for (let i = 0; i < records.length && !subscriber.closed; i++) {
    const { data, position, arrivedAtMs, fate } = records[i]!;
    const event = new Event(data, new Origin(delivery, i, position, arrivedAtMs, data));
    if (fate === undefined) subscriber.next(event);
    else if (typeof fate === 'string') event.drop(fate);
    else event.reject(fate);
  }
  if (!subscriber.closed) delivery.letGo();
}
