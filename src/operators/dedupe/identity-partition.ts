import { SIGHT_WORDS, isSamePlace, laterMs, timeAt } from './sight.ts';

/** `replay`: the event of this very position is remembered. `repeat`: one of another position is, less than `within` away. */
export type Seen = 'first' | 'replay' | 'repeat';

/** The room to begin with; partitions begin at 16 sizes, so that they do not all grow at the same time. */
const MIN_ROOM = 64;
const SLOTS_PER_ROOM = 10 / 7;
/** Above this share of slots in use, stale ones among them, the slots are written anew. */
const MAX_LOAD = 0.85;

/**
 * A ring of sights in the order they came, and an open-addressing index on it of four bytes a slot: 16 bits of the identity's hash, to
 * look at a sight only when it is probably the one, and the sight's place in the ring.
 *
 * Forgetting moves the ring's head and leaves the slot behind: it is stale, known by its place or its sight's identity, until
 * the slots are written anew. So nothing is ever deleted from the index.
 */
export class IdentityPartition {
  readonly #number: number;
  readonly #capacity: number;
  #room = 0;
  #head = 0;
  #count = 0;
  #sights = new Uint32Array();
  #slots = new Uint32Array();
  #slotsUsed = 0;
  /** When the oldest sight arrived, in milliseconds modulo 2^40: here, so that to look at it touches no sight. */
  #oldestMs = 0;

  /** @param capacity below 2^16, as places have 16 bits */
  constructor(number: number, capacity: number) {
    this.#number = number;
    this.#capacity = capacity;
  }

  get isFull(): boolean {
    return this.#count === this.#capacity;
  }

  get sizeBytes(): number {
    return this.#sights.byteLength + this.#slots.byteLength;
  }

  /** The slot at which a search begins. */
  slotAtHome(hash: number): number {
    return this.#slots[home(hash, this.#slots.length)]!;
  }

  /** Looks for sights of the same identity; one of the same position counts before all others. */
  find(sight: Uint32Array, hash: number, withinMs: number): Seen {
    const slots = this.#slots;
    const sights = this.#sights;
    // One by one: taken apart as a list, they become an array each time.
    const k0 = sight[0]!;
    const k1 = sight[1]!;
    const k2 = sight[2]!;
    const k3 = sight[3]!;
    const tag = tagOf(hash, k1, k3);
    let seen: Seen = 'first';
    for (let i = home(hash, slots.length); i < slots.length;) {
      const slot = slots[i]!;
      if (slot === 0) break;
      if (slot >>> 16 === tag) {
        const place = (slot & 0xffff) - 1;
        const at = place * SIGHT_WORDS;
        const isSame = sights[at] === k0 && sights[at + 1] === k1 && sights[at + 2] === k2 && sights[at + 3] === k3;
        if (isSame && this.#isRemembered(place)) {
          if (isSamePlace(sights, at, sight, 0)) return 'replay';
          if (Math.abs(laterMs(timeAt(sights, at), timeAt(sight, 0))) < withinMs) seen = 'repeat';
        }
      }
      if (++i === slots.length) i = 0;
    }
    return seen;
  }

  /** Makes room for so many sights, as far as it takes them. */
  expect(count: number): void {
    const room = Math.min(count, this.#capacity);
    if (room > this.#room) this.#resize(room);
  }

  /** Remembers the sight that begins at word `at`; it must not be full. */
  add(sights: Uint32Array, at: number, hash: number): void {
    if (this.#count === this.#room) this.#resize(this.#grownRoom());
    else if (this.#slotsUsed + 1 >= this.#slots.length * MAX_LOAD) this.#resize(this.#fittingRoom());
    if (this.#count === 0) this.#oldestMs = timeAt(sights, at);
    let place = this.#head + this.#count++;
    if (place >= this.#room) place -= this.#room;
    const to = place * SIGHT_WORDS;
    for (let i = 0; i < SIGHT_WORDS; i++) this.#sights[to + i] = sights[at + i]!;
    this.#index(hash, place, sights[at + 1]!, sights[at + 3]!);
  }

  /** Whether its oldest sight arrived before a time in milliseconds since 1970. */
  isOldestBefore(ms: number): boolean {
    return this.#count > 0 && laterMs(ms, this.#oldestMs) > 0;
  }

  dropOldest(): void {
    if (++this.#head === this.#room) this.#head = 0;
    if (--this.#count > 0) this.#oldestMs = timeAt(this.#sights, this.#head * SIGHT_WORDS);
  }

  #isRemembered(place: number): boolean {
    const behind = place - this.#head;
    return (behind < 0 ? behind + this.#room : behind) < this.#count;
  }

  #grownRoom(): number {
    return Math.min(this.#room === 0 ? MIN_ROOM + (this.#number % 16) : this.#room * 2, this.#capacity);
  }

  #fittingRoom(): number {
    return this.#count < this.#room / 4 ? Math.min(Math.max(MIN_ROOM, this.#count * 2), this.#capacity) : this.#room;
  }

  /** Moves the sights into a ring of this room when it is another one, and writes all slots anew. */
  #resize(room: number): void {
    if (room === this.#room) this.#slots.fill(0);
    else {
      const sights = new Uint32Array(room * SIGHT_WORDS);
      const untilEnd = Math.min(this.#count, this.#room - this.#head);
      sights.set(this.#sights.subarray(this.#head * SIGHT_WORDS, (this.#head + untilEnd) * SIGHT_WORDS));
      sights.set(this.#sights.subarray(0, (this.#count - untilEnd) * SIGHT_WORDS), untilEnd * SIGHT_WORDS);
      this.#sights = sights;
      this.#room = room;
      this.#head = 0;
      this.#slots = new Uint32Array(Math.ceil(room * SLOTS_PER_ROOM) + 1);
    }
    this.#slotsUsed = 0;
    for (let i = 0; i < this.#count; i++) {
      let place = this.#head + i;
      if (place >= this.#room) place -= this.#room;
      const at = place * SIGHT_WORDS;
      this.#index(spread(this.#sights, at), place, this.#sights[at + 1]!, this.#sights[at + 3]!);
    }
  }

  #index(hash: number, place: number, k1: number, k3: number): void {
    const slots = this.#slots;
    let i = home(hash, slots.length);
    while (slots[i] !== 0) if (++i === slots.length) i = 0;
    slots[i] = (tagOf(hash, k1, k3) << 16) | (place + 1);
    this.#slotsUsed++;
  }
}

/** A hash of the identity at word `at`; its low bits choose the partition, its high ones the slot. */
export function spread(words: Uint32Array, at: number): number {
  let h = Math.imul(words[at]!, 0x9e3779b1);
  h = Math.imul((h ^ (h >>> 15)) + words[at + 1]!, 0x85ebca77);
  h = Math.imul((h ^ (h >>> 13)) + words[at + 2]!, 0xc2b2ae3d);
  h = Math.imul((h ^ (h >>> 16)) + words[at + 3]!, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 14);
}

function home(hash: number, slots: number): number {
  return ((hash >>> 16) * slots) >>> 16;
}

function tagOf(hash: number, k1: number, k3: number): number {
  return Math.imul(hash ^ k1 ^ ((k3 << 13) | (k3 >>> 19)), 0x297a2d39) >>> 16;
}
