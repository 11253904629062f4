/** How many texts are remembered at most: 16 bytes each, and what they came to. */
const SLOTS = 16_384;
/** What they came to may have so many characters each: those may be of a visitor's own making. */
const LONGEST = 512;

/**
 * Remembers what texts came to, by 128 bits of their hash, so that those that come often need not be read again. Each has one place it may
 * stand in, and makes way for the next that wants it.
 */
export class TextMemo<V> {
  readonly #hashes = new Uint32Array(SLOTS * 4);
  readonly #values = Array.from<V | undefined>({ length: SLOTS });

  get(hash: Uint32Array): V | undefined {
    const [hashes, slot] = [this.#hashes, slotOf(hash)];
    for (let i = 0; i < 4; i++) if (hashes[slot * 4 + i] !== hash[i]) return undefined;
    return this.#values[slot];
  }

  /** @param length how many characters the value has; one with too many is not remembered */
  set(hash: Uint32Array, value: V, length: number): void {
    if (length > LONGEST) return;
    const slot = slotOf(hash);
    this.#hashes.set(hash, slot * 4);
    this.#values[slot] = value;
  }
}

function slotOf(hash: Uint32Array): number {
  return hash[0]! % SLOTS;
}
