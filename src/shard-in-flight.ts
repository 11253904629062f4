import type { Delivery } from './delivery.ts';
import type { Position } from './position.ts';

/** The deliveries of one shard in the order they were read, and how far from the front they are settled. */
export class ShardInFlight {
  checkpoint: Position | undefined;
  hasEnded = false;
  caughtUpAtMs: number | undefined;
  /** Before the first delivery it has been quiet for who knows how long. */
  quietSinceMs: number | undefined = Number.NEGATIVE_INFINITY;
  /** Who waits until nothing is in flight. */
  readonly waiting: (() => void)[] = [];
  #deliveries: Delivery[] = [];
  #head = 0;

  get unsettled(): Delivery[] {
    return this.#deliveries.slice(this.#head).filter(({ isSettled }) => !isSettled);
  }

  get isSettled(): boolean {
    return this.#head === this.#deliveries.length;
  }

  push(delivery: Delivery): void {
    this.quietSinceMs = undefined;
    this.#deliveries.push(delivery);
  }

  shift(): void {
    while (this.#deliveries[this.#head]?.isSettled) this.checkpoint = this.#deliveries[this.#head++]!.last;
    if (this.#head * 2 > this.#deliveries.length) {
      this.#deliveries = this.#deliveries.slice(this.#head);
      this.#head = 0;
    }
    if (this.isSettled) for (const resolve of this.waiting.splice(0)) resolve();
  }
}
