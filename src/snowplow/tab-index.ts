/** No layout has more columns; of a longer line only the number of columns is wanted. */
const MAX_COLUMNS = 256;

/**
 * Finds the columns of one line at a time.
 *
 * It works on a copy of the line in a buffer of its own: there four bytes can be looked at in one go, and strings can be
 * cut without a view on the line. Copying costs 35 ns, the scan saves 350 ns. It keeps the longest line it ever saw.
 */
export class TabIndex {
  /** The line, from 0 to `length`. */
  bytes: Buffer = Buffer.alloc(0);
  length = 0;
  /** Where each column ends: the place of the tab after it, or the line's end. The first 256 columns only. */
  readonly ends = new Int32Array(MAX_COLUMNS);
  #words: Int32Array = new Int32Array(0);

  constructor() {
    this.#grow(64 * 1024);
  }

  /** Where a column starts. */
  start(column: number): number {
    return column === 0 ? 0 : this.ends[column - 1]! + 1;
  }

  /** Indexes a line. Says how many columns it has; -1 when there is a newline in it. */
  scan(line: Uint8Array): number {
    const length = line.length;
    if (length + 4 > this.bytes.length) this.#grow(length + 4);
    const { bytes, ends } = this;
    const words = this.#words;
    bytes.set(line);
    // Whatever stood behind the line's end in its last word must not count.
    bytes[length] = bytes[length + 1] = bytes[length + 2] = 0;
    this.length = length;
    let columns = 0;
    for (let word = 0; word << 2 < length; word++) {
      // Tab is 9 and newline 10: the bytes 8 to 11 become zero, and the top bit of `found` is set in each that is zero.
      const x = (words[word]! ^ 0x08080808) & 0xfcfcfcfc;
      let found = ~(((x & 0x7f7f7f7f) + 0x7f7f7f7f) | x | 0x7f7f7f7f);
      while (found !== 0) {
        const lowest = found & -found;
        const at = (word << 2) + ((31 - Math.clz32(lowest)) >> 3);
        if (bytes[at] === 9) {
          if (columns < MAX_COLUMNS) ends[columns] = at;
          columns++;
        } else if (bytes[at] === 10) return -1;
        found ^= lowest;
      }
    }
    if (columns < MAX_COLUMNS) ends[columns] = length;
    return columns + 1;
  }

  #grow(sizeBytes: number): void {
    // A power of two, so that a stream of ever longer lines does not copy each time; a buffer of its own, so that words align.
    this.bytes = Buffer.alloc(2 ** Math.ceil(Math.log2(sizeBytes)));
    this.#words = new Int32Array(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length >> 2);
  }
}
