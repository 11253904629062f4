import { IdentityPartition, type Seen, spread } from './identity-partition.ts';
import { NumberQueue } from './number-queue.ts';
import { SIGHT_WORDS, laterMs } from './sight.ts';

export interface IdentityTableOptions {
  /** How many sights are remembered, from 1 to `IdentityTable.maxCapacity`; the oldest goes first. */
  readonly capacity: number;
  /** Two sights of an identity less than this apart are one event, in milliseconds. */
  readonly withinMs: number;
}

/** Partitions of 20,000 to 40,000 sights: to move one into a larger array takes a millisecond or two, and nothing moves more. */
const PARTITION_SIGHTS = 40_000;
const MAX_PARTITIONS = 65_536;
/** Two go for one that comes, so that what is out of `within` is worked off without a pause. */
const MAX_EXPIRED_AT_ONCE = 2;

/**
 * Remembers which identity was seen where and when; the oldest sight is forgotten first.
 *
 * Sights lie in the order they came in the rings of partitions, chosen by identity; a queue of partition numbers keeps the order
 * among all. Memory grows with what is remembered, one partition at a time: 36 bytes a sight when it is full, up to twice that before; nothing is ever
 * moved as a whole.
 */
export class IdentityTable {
  static readonly maxCapacity = 500_000_000;
  readonly capacity: number;
  readonly #withinMs: number;
  readonly #partitions: IdentityPartition[];
  readonly #mask: number;
  readonly #order = new NumberQueue();
  #oldestMs = 0;
  #expiresBeforeMs: number | undefined;
  #size = 0;
  #forgotten = 0;

  constructor({ capacity, withinMs }: IdentityTableOptions) {
    this.capacity = capacity;
    this.#withinMs = withinMs;
    let count = 1;
    while (count * PARTITION_SIGHTS < capacity && count < MAX_PARTITIONS) count *= 2;
    this.#partitions = Array.from({ length: count }, (_, i) => new IdentityPartition(i, Math.ceil((capacity / count) * 1.04)));
    this.#mask = count - 1;
  }

  /** How many sights are remembered. */
  get size(): number {
    return this.#size;
  }

  /** How many sights were forgotten because there were too many, though they had not expired. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The bytes of its arrays. */
  get sizeBytes(): number {
    return this.#partitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, this.#order.sizeBytes);
  }

  /** Sights that arrived before this time, in milliseconds since 1970, are of no use any more. */
  expire(beforeMs: number): void {
    this.#expiresBeforeMs = beforeMs;
  }

  /** Tells whether an event has been seen, from the seven words of its sight; remembers it when it has not. */
  see(sight: Uint32Array): Seen {
    const hash = spread(sight, 0);
    const seen = this.#partitions[hash & this.#mask]!.find(sight, hash, this.#withinMs);
    if (seen === 'first') this.#add(sight, 0, hash);
    return seen;
  }

  /** Makes room for so many sights at once, so that restoring them does not have to. */
  expect(count: number): void {
    const each = Math.ceil((Math.min(count, this.capacity) / this.#partitions.length) * 1.04);
    for (const partition of this.#partitions) partition.expect(each);
  }

  /** Takes back sights that were remembered before, oldest first, without looking whether they are there. */
  restore(sights: Uint32Array): void {
    const forgotten = this.#forgotten;
    for (let at = 0; at < sights.length; at += SIGHT_WORDS) this.#add(sights, at, spread(sights, at));
    // What is too much now was too much before, and told then.
    this.#forgotten = forgotten;
  }

  #add(sights: Uint32Array, at: number, hash: number): void {
    for (let i = 0; i < MAX_EXPIRED_AT_ONCE && this.#size > 0 && this.#isOldestExpired(); i++) this.#forgetOldest();
    if (this.#size === this.capacity) {
      if (!this.#isOldestExpired()) this.#forgotten++;
      this.#forgetOldest();
    }
    const number = hash & this.#mask;
    const partition = this.#partitions[number]!;
    if (partition.isFull) {
      // Only identities that were made to collide come here; one that is not remembered is better than a wrong answer.
      this.#forgotten++;
      return;
    }
    partition.add(sights, at, hash);
    this.#order.push(number);
    if (this.#size++ === 0) this.#oldestMs = partition.oldestMs;
  }

  #isOldestExpired(): boolean {
    return this.#expiresBeforeMs !== undefined && laterMs(this.#expiresBeforeMs, this.#oldestMs) > 0;
  }

  #forgetOldest(): void {
    this.#partitions[this.#order.shift()]!.dropOldest();
    if (--this.#size > 0) this.#oldestMs = this.#partitions[this.#order.first]!.oldestMs;
  }
}
