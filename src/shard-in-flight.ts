import type { Delivery } from './delivery.ts';
import { Fifo } from './fifo.ts';
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
  readonly #deliveries = new Fifo<Delivery>();

  get unsettled(): Delivery[] {
    return this.#deliveries.toArray().filter(({ isSettled }) => !isSettled);
  }

  get isSettled(): boolean {
    return this.#deliveries.length === 0;
  }

  push(delivery: Delivery): void {
    this.quietSinceMs = undefined;
    this.#deliveries.push(delivery);
  }

  shift(): void {
    while (this.#deliveries.at(0)?.isSettled) this.checkpoint = this.#deliveries.shift()!.last;
    if (this.isSettled) for (const resolve of this.waiting.splice(0)) resolve();
  }
}
