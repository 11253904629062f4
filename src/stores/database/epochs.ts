import { FencedError, WentBackError } from '../../errors.ts';
import { type Owner, keyOf } from '../../owner.ts';

/** Remembers with which epoch this process took each shard over, and compares it with what the store says. */
export class Epochs {
  readonly #where: string;
  readonly #epochs = new Map<string, number>();

  /** @param where the store, as messages name it */
  constructor(where: string) {
    this.#where = where;
  }

  set(owner: Owner, shard: string, epoch: number): void {
    this.#epochs.set(keyOf(owner, shard), epoch);
  }

  /** @throws {Error} when this process never took the shard over. */
  of(owner: Owner, shard: string): number {
    const epoch = this.#epochs.get(keyOf(owner, shard));
    if (epoch === undefined) throw new Error(`${this.#where}: ${owner.pipeline}/${owner.sink} has not acquired ${shard}`);
    return epoch;
  }

  /**
   * @param stored the epoch that the store has; 0 when it knows nothing of the shard
   * @throws {FencedError} when a newer run has taken the shard over
   * @throws {WentBackError} when the store has forgotten this one
   */
  check(owner: Owner, shard: string, stored: number): void {
    const own = this.of(owner, shard);
    if (stored > own) throw new FencedError(this.#where, shard, own);
    if (stored < own) throw new WentBackError(this.#where, shard, `epoch ${own}`, String(stored));
  }
}
