import { Event, Origin } from '../event.ts';
import type { Delivery } from '../delivery.ts';
import { Ledger } from '../ledger.ts';

export interface Sample {
  /** @default 'shard-1' */
  readonly shard?: string;
  /** When it arrived, in milliseconds since 1970. @default 0 */
  readonly arrivedAtMs?: number;
  /** The sequence number. @default one above the sample before */
  readonly sequence?: number;
  readonly raw: string | Uint8Array;
}

/**
 * Makes one delivery of samples (all of one shard) as a source would: held once, until `delivery.letGo()`.
 *
 * @param ledger of its own when left out
 */
export function deliver(
  samples: readonly (string | Sample)[],
  ledger = new Ledger(),
): { delivery: Delivery; events: Event<Uint8Array>[] } {
  let next = 1;
  const records = samples.map((sample) => {
    const { shard = 'shard-1', arrivedAtMs = 0, sequence = next, raw } = typeof sample === 'string' ? { raw: sample } : sample;
    next = sequence + 1;
    const bytes = typeof raw === 'string' ? Buffer.from(raw) : raw;
    return { position: { shard, sequence: String(sequence), subSequence: 0 }, arrivedAtMs, bytes };
  });
  const last = records.at(-1);
  if (!last) throw new RangeError('deliver: expected at least one sample, got none');
  const delivery = ledger.open({
    shard: last.position.shard,
    count: records.length,
    sizeBytes: records.reduce((sum, { bytes }) => sum + bytes.length, 0),
    last: last.position,
    readAtMs: last.arrivedAtMs,
  });
  const events = records.map(
    ({ position, arrivedAtMs, bytes }, index) =>
      new Event(bytes, new Origin(delivery, index, { position, arrivedAtMs, data: bytes })),
  );
  return { delivery, events };
}
