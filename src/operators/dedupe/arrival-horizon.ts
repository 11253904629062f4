import type { Delivery } from '../../delivery.ts';
import type { Ledger } from '../../ledger.ts';

interface ShardArrivals {
  newestMs: number;
  /** When it was last read, on the scheduler's clock. */
  readAtMs: number;
  inFlight: { readonly delivery: Delivery; oldestMs: number }[];
}

/** So far apart the clocks of the stream and of this process may be. */
const CLOCKS_DIFFER_MS = 60_000;

/**
 * Tells how far the arrival times of a stream have come, behind which no event will come any more, now or after a restart.
 *
 * A shard stands at its oldest event in flight, for a restart begins there; when all is settled at its newest one, or at the time at which
 * it had nothing more to read, a minute less. One that is to be read and of which nothing has come yet stands before all others. The stream stands
 * where the last of its shards does; a shard that was read to its end and is settled does not count once `quietMs` of the clock have passed:
 * by then its children do. It keeps one entry a delivery in flight.
 */
export class ArrivalHorizon {
  readonly #quietMs: number;
  readonly #shards = new Map<string, ShardArrivals>();
  #ledger: Ledger | undefined;
  /** When the newest event was read. */
  #nowMs = -Infinity;
  /** A shard of which nothing had come when it was last looked for; the last one, as it is read last. */
  #unread: string | undefined;
  #delivery: Delivery | undefined;
  #shard: ShardArrivals | undefined;
  #entry: { oldestMs: number } | undefined;

  constructor(quietMs: number) {
    this.#quietMs = quietMs;
  }

  /** Takes an event in; true when it is the first of its delivery, or of a turn of it. */
  note(delivery: Delivery, arrivedAtMs: number): boolean {
    const isNew = delivery !== this.#delivery;
    if (isNew) this.#turnTo(delivery, arrivedAtMs);
    if (arrivedAtMs > this.#shard!.newestMs) this.#shard!.newestMs = arrivedAtMs;
    if (arrivedAtMs < this.#entry!.oldestMs) this.#entry!.oldestMs = arrivedAtMs;
    return isNew;
  }

  /** Where the stream stands, in milliseconds since 1970; infinite before the first event. */
  standsAt(): number {
    const ledger = this.#ledger;
    if (!ledger) return Infinity;
    // Nothing stands before it, however many others there are: a hundred thousand files that wait their turn.
    if (this.#unread !== undefined && this.#standsAt(this.#unread) === -Infinity) return -Infinity;
    this.#unread = undefined;
    let standsAtMs = Infinity;
    for (const [name, { newestMs, readAtMs }] of this.#shards) {
      if (!ledger.hasEnded(name) || !ledger.isSettled(name)) continue;
      if (this.#nowMs - readAtMs <= this.#quietMs) standsAtMs = Math.min(standsAtMs, newestMs);
      else this.#shards.delete(name);
    }
    for (const name of ledger.unfinished()) {
      const itsMs = this.#standsAt(name);
      if (itsMs === -Infinity) this.#unread = name;
      standsAtMs = Math.min(standsAtMs, itsMs);
    }
    return standsAtMs;
  }

  /** Where a shard stands that is not over. */
  #standsAt(name: string): number {
    const ledger = this.#ledger!;
    const shard = this.#shards.get(name);
    if (shard) shard.inFlight = shard.inFlight.filter(({ delivery }) => !delivery.isSettled);
    if (shard && shard.inFlight.length > 0)
      return shard.inFlight.reduce((least, { oldestMs }) => Math.min(least, oldestMs), shard.newestMs);
    const newestMs = shard?.newestMs ?? -Infinity;
    if (!ledger.isSettled(name)) return newestMs;
    if (ledger.hasEnded(name)) return Infinity;
    return Math.max(newestMs, (ledger.caughtUpAtMs(name) ?? -Infinity) - CLOCKS_DIFFER_MS);
  }

  #turnTo(delivery: Delivery, arrivedAtMs: number): void {
    let shard = this.#shards.get(delivery.shard);
    if (!shard) this.#shards.set(delivery.shard, (shard = { newestMs: arrivedAtMs, readAtMs: delivery.readAtMs, inFlight: [] }));
    shard.readAtMs = Math.max(shard.readAtMs, delivery.readAtMs);
    this.#nowMs = Math.max(this.#nowMs, delivery.readAtMs);
    let entry = shard.inFlight.at(-1);
    if (entry?.delivery !== delivery) shard.inFlight.push((entry = { delivery, oldestMs: arrivedAtMs }));
    this.#ledger = delivery.ledger;
    this.#delivery = delivery;
    this.#shard = shard;
    this.#entry = entry;
  }
}
