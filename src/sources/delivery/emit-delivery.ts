import type { Subscriber } from 'rxjs';
import type { Delivery } from '../../delivery.ts';
import type { Ledger } from '../../ledger.ts';
import { RecordList, type Records, type SourceRecord } from '../../records.ts';

/**
 * Opens one delivery of a shard's records, emits it and lets go of it, all in this call. Gives the reservation back.
 *
 * When the subscriber ends before it has taken all of it, the delivery stays in flight for good: what was not handed on must not count as
 * settled, and neither must an event at which an operator failed.
 */
export function emitDelivery(
  subscriber: Subscriber<Delivery>,
  ledger: Ledger,
  read: Records | readonly SourceRecord[],
  { readAtMs, reservedBytes }: { readonly readAtMs: number; readonly reservedBytes: number },
): void {
  const count = 'count' in read ? read.count : read.length;
  if (count === 0 || subscriber.closed) return ledger.room.unreserve(reservedBytes);
  const records = 'count' in read ? read : new RecordList(read);
  const { shard, sizeBytes } = records;
  const last = records.positionOf(count - 1);
  const delivery = ledger.open({ shard, count, sizeBytes, last, readAtMs, reservedBytes, records });
  subscriber.next(delivery);
  if (!subscriber.closed) delivery.letGo();
}
