const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Chances that are the same for the same seeds: the generator sfc32. https://pracrand.sourceforge.net */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(a: number, b = 0, c = 0) {
    [this.#a, this.#b, this.#c] = [a | 0, b | 0, c | 0];
    // Until the seeds have reached every bit.
    for (let i = 0; i < 15; i++) this.word();
  }

  /** 32 bits. */
  word(): number {
    const word = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + word) | 0;
    return word;
  }

  /** An integer from 0 up to but not including the limit. */
  below(limit: number): number {
    return Math.floor(((this.word() >>> 0) / 2 ** 32) * limit);
  }

  chance(share: number): boolean {
    return (this.word() >>> 0) / 2 ** 32 < share;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** Eight hexadecimal digits. */
  hex8(): string {
    return hex8(this.word());
  }

  /** A random UUID, of version 4. */
  uuid(): string {
    const b = hex8((this.word() & 0xffff0fff) | 0x4000);
    const c = hex8((this.word() & 0x3fffffff) | 0x80000000);
    return `${this.hex8()}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${this.hex8()}`;
  }
}

function hex8(word: number): string {
  return hex[word >>> 24]! + hex[(word >>> 16) & 255]! + hex[(word >>> 8) & 255]! + hex[word & 255]!;
}
