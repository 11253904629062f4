import { packed } from './pack-writer.ts';

const FIRST_BYTES = 64 * 1024;

/** Gives members of sorted sets numbers, from 0, and keeps the bytes of all of them side by side. */
export class MemberNumbers {
  /** The members, by their number. */
  readonly texts: string[] = [];
  /** Where the bytes of each begin, as a `PackWriter` takes them; they end where those of the next begin. */
  readonly starts: number[] = [0];
  bytes = new Uint8Array(FIRST_BYTES);
  readonly #numbers = new Map<string, number>();

  /** How many bytes all members have. */
  get sizeBytes(): number {
    return this.starts.at(-1)!;
  }

  numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const its = packed(text);
    const start = this.sizeBytes;
    if (start + its.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, start + its.length));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes.set(its, start);
    this.starts.push(start + its.length);
    const number = this.texts.push(text) - 1;
    this.#numbers.set(text, number);
    return number;
  }
}
