const CHUNK = 32_768;

/** Numbers below 65,536, first in, first out, two bytes each; grows and shrinks by chunks, moving nothing. */
export class NumberQueue {
  #chunks: Uint16Array[] = [new Uint16Array(256)];
  #spare: Uint16Array | undefined;
  #head = 0;
  #tail = 0;

  get first(): number {
    return this.#chunks[0]![this.#head]!;
  }

  get sizeBytes(): number {
    return this.#chunks.reduce((sum, { byteLength }) => sum + byteLength, this.#spare?.byteLength ?? 0);
  }

  push(value: number): void {
    let chunk = this.#chunks.at(-1)!;
    if (this.#tail === chunk.length) {
      // The first chunk is small: most tables are.
      chunk = this.#spare ?? new Uint16Array(Math.min(CHUNK, chunk.length * 4));
      this.#spare = undefined;
      this.#chunks.push(chunk);
      this.#tail = 0;
    }
    chunk[this.#tail++] = value;
  }

  shift(): number {
    const chunk = this.#chunks[0]!;
    const value = chunk[this.#head++]!;
    if (this.#head === chunk.length) {
      this.#head = 0;
      if (this.#chunks.length === 1) this.#tail = 0;
      else {
        if (chunk.length === CHUNK) this.#spare = chunk;
        this.#chunks.shift();
      }
    }
    return value;
  }
}
