import { IdentityPartition, type Seen, spread } from './identity-partition.ts';
import { SIGHT_WORDS } from './sight.ts';

export interface IdentityTableOptions {
  /** How many sights are remembered at most, from 1 to `IdentityTable.maxCapacity`. */
  readonly capacity: number;
  /** Two sights of an identity less than this apart are one event, in milliseconds. */
  readonly withinMs: number;
}

/** Partitions of 20,000 to 40,000 sights: to move one into a larger array takes a millisecond or two, and nothing moves more. */
const PARTITION_SIGHTS = 40_000;
/** Two go for one that comes, so that what is out of `within` is worked off without a pause. */
const MAX_EXPIRED_AT_ONCE = 2;

/**
 * Remembers which identity was seen where and when.
 *
 * Sights lie in the order they came in the rings of partitions, chosen by identity. Each has its part of the capacity and forgets its own
 * oldest: with more than one of them, chance fills the first when the table has some 98 % of its capacity, and no order among all has to be kept. Memory
 * grows with what is remembered, one partition at a time: 34 bytes a sight when it is full, up to twice that before; nothing is ever moved
 * as a whole.
 */
export class IdentityTable {
  static readonly maxCapacity = 500_000_000;
  readonly capacity: number;
  readonly #withinMs: number;
  readonly #partitions: IdentityPartition[];
  readonly #mask: number;
  /** Before the first time is told, nothing is later. */
  #expiresBeforeMs = Number.NaN;
  #size = 0;
  #forgotten = 0;
  /** What `touch` saw: of no use, but were it not kept, the compiler would find that there is no need to look. */
  readonly #touched = new Uint32Array(1);

  constructor({ capacity, withinMs }: IdentityTableOptions) {
    this.capacity = capacity;
    this.#withinMs = withinMs;
    let count = 1;
    while (count * PARTITION_SIGHTS < capacity) count *= 2;
    this.#partitions = Array.from({ length: count }, (_, i) => new IdentityPartition(i, Math.floor((capacity + i) / count)));
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
    return this.#partitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Sights that arrived before this time, in milliseconds since 1970, are of no use any more. */
  expire(beforeMs: number): void {
    this.#expiresBeforeMs = beforeMs;
  }

  /**
   * Looks at where the identities of these hashes would be, one right after the other, so that what is not in the processor's cache is
   * fetched for many of them at a time: `see` then need not wait.
   */
  touch(hashes: Int32Array, places: Uint16Array): void {
    let touched = 0;
    for (let i = 0; i < places.length; i++) {
      const hash = hashes[places[i]!]!;
      touched ^= this.#partitions[hash & this.#mask]!.slotAtHome(hash);
    }
    this.#touched[0] = touched;
  }

  /**
   * Tells whether an event has been seen, from the seven words of its sight; remembers it when it has not.
   *
   * @param hash what `spread` makes of its identity
   */
  see(sight: Uint32Array, hash = spread(sight, 0)): Seen {
    const seen = this.find(sight, hash);
    if (seen === 'first') this.#add(sight, 0, hash);
    return seen;
  }

  /** The same, and remembers nothing. */
  find(sight: Uint32Array, hash: number): Seen {
    return this.#partitions[hash & this.#mask]!.find(sight, hash, this.#withinMs);
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
    const partition = this.#partitions[hash & this.#mask]!;
    for (let i = 0; i < MAX_EXPIRED_AT_ONCE && partition.isOldestBefore(this.#expiresBeforeMs); i++) {
      partition.dropOldest();
      this.#size--;
    }
    if (partition.isFull) {
      partition.dropOldest();
      this.#size--;
      this.#forgotten++;
    }
    partition.add(sights, at, hash);
    this.#size++;
  }
}
