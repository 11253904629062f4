/** How many texts are remembered: 16 bytes each. */
const SLOTS = 16_384;

/**
 * Remembers which texts passed a check, by 128 bits of their hash, so that those that come often need not be looked at again. Each has one
 * place it may stand in, and makes way for the next that wants it.
 */
export class PassedTexts {
  readonly #hashes = new Uint32Array(SLOTS * 4);

  has(hash: Uint32Array): boolean {
    const [hashes, at] = [this.#hashes, placeOf(hash)];
    return hashes[at] === hash[0] && hashes[at + 1] === hash[1] && hashes[at + 2] === hash[2] && hashes[at + 3] === hash[3];
  }

  add(hash: Uint32Array): void {
    this.#hashes.set(hash, placeOf(hash));
  }
}

function placeOf(hash: Uint32Array): number {
  return (hash[0]! % SLOTS) * 4;
}
