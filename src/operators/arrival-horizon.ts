import type { Delivery } from '../delivery.ts';

interface ShardArrivals {
  newestMs: number;
  /** When it was last read, on the scheduler's clock. */
  readAtMs: number;
  inFlight: { readonly delivery: Delivery; oldestMs: number }[];
}

/**
 * Tells how far the arrival times of a stream have come, behind which no event will come any more, now or after a restart.
 *
 * A shard stands at its oldest event in flight, for a restart begins there; at its newest one when all is settled. The stream
 * stands where the last of its shards does; a shard that has been quiet for `quietMs` of the clock and is settled does not count.
 * It keeps one entry a delivery in flight.
 */
export class ArrivalHorizon {
  readonly #quietMs: number;
  readonly #shards = new Map<string, ShardArrivals>();
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
    let [nowMs, standsAtMs] = [-Infinity, Infinity];
    for (const { readAtMs } of this.#shards.values()) nowMs = Math.max(nowMs, readAtMs);
    for (const [name, shard] of this.#shards) {
      shard.inFlight = shard.inFlight.filter((entry) => entry === this.#entry || !entry.delivery.isSettled);
      if (shard.inFlight.length === 0 && nowMs - shard.readAtMs > this.#quietMs) this.#shards.delete(name);
      else
        standsAtMs = shard.inFlight.reduce(
          (least, { oldestMs }) => Math.min(least, oldestMs),
          Math.min(standsAtMs, shard.newestMs),
        );
    }
    return standsAtMs;
  }

  #turnTo(delivery: Delivery, arrivedAtMs: number): void {
    let shard = this.#shards.get(delivery.shard);
    if (!shard) this.#shards.set(delivery.shard, (shard = { newestMs: arrivedAtMs, readAtMs: delivery.readAtMs, inFlight: [] }));
    shard.readAtMs = Math.max(shard.readAtMs, delivery.readAtMs);
    let entry = shard.inFlight.at(-1);
    if (entry?.delivery !== delivery) shard.inFlight.push((entry = { delivery, oldestMs: arrivedAtMs }));
    this.#delivery = delivery;
    this.#shard = shard;
    this.#entry = entry;
  }
}
