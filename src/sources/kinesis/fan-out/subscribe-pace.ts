/** One call a second for a consumer and a shard, and none within 5 seconds of one that succeeded. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html */
const CALL_EVERY_MS = 1_000;
const OPEN_EVERY_MS = 5_000;

/** Keeps subscriptions of one shard as far apart as AWS wants them. */
export class SubscribePace {
  #nextAtMs = Number.NEGATIVE_INFINITY;

  /** How long the next call has to wait; 0 or less when it need not. */
  waitMs(nowMs: number): number {
    return this.#nextAtMs - nowMs;
  }

  /** Notes that a call begins. */
  begin(nowMs: number): void {
    this.#nextAtMs = nowMs + CALL_EVERY_MS;
  }

  /** Notes that it succeeded. */
  opened(nowMs: number): void {
    this.#nextAtMs = nowMs + OPEN_EVERY_MS;
  }
}
