import { freeing } from './own-memory.ts';

/**
 * Lines of one text, one behind the other, by where they lie: a line is no object until it is asked for, and then a view. Of what waits in windows
 * there are some hundred thousand.
 */
export class LineBlock {
  readonly #bytes: Uint8Array;
  /** Where each line begins, and where it ends, its newline included. */
  readonly #starts: readonly number[];
  readonly #ends: readonly number[];
  /** Where the line ends that has no newline. */
  readonly #openEnd: number | undefined;

  /** @param openEnd where the line ends that has no newline; nothing when each has one */
  constructor(bytes: Uint8Array, starts: readonly number[], ends: readonly number[], openEnd?: number) {
    this.#bytes = bytes;
    this.#starts = starts;
    this.#ends = ends;
    this.#openEnd = openEnd;
  }

  get count(): number {
    return this.#ends.length;
  }

  /** Where a line begins in the text: as many bytes lie before that. */
  startOf(index: number): number {
    return this.#starts[index]!;
  }

  endOf(index: number): number {
    return this.#ends[index]!;
  }

  /** How many bytes a line has, its newline included. */
  sizeOf(index: number): number {
    return this.#ends[index]! - this.#starts[index]!;
  }

  /** How many bytes a line has without its newline. */
  lineSizeOf(index: number): number {
    return this.sizeOf(index) - (this.hasNewline(index) ? 1 : 0);
  }

  hasNewline(index: number): boolean {
    return this.#ends[index] !== this.#openEnd;
  }

  /** A line without its newline. */
  lineOf(index: number): Uint8Array {
    const end = this.#ends[index]!;
    return this.#view(this.#starts[index]!, end === this.#openEnd ? end : end - 1);
  }

  /** A line with its newline. */
  textOf(index: number): Uint8Array {
    return this.#view(this.#starts[index]!, this.#ends[index]!);
  }

  /** All of them as they lie, one behind the other: of a block of which none was left out. */
  get text(): Uint8Array {
    return this.#view(this.#starts[0]!, this.#ends.at(-1)!);
  }

  /** Those of the lines for which that holds. */
  filter(isLeft: (index: number) => boolean): LineBlock {
    const left = this.#ends.keys().filter(isLeft).toArray();
    const placesLeft = (places: readonly number[]): number[] => left.map((index) => places[index]!);
    return new LineBlock(this.#bytes, placesLeft(this.#starts), placesLeft(this.#ends), this.#openEnd);
  }

  /** The same lines without so many bytes at the beginning of the first; it is left out when it has no more. */
  behind(bytes: number): LineBlock {
    if (bytes === 0) return this;
    const starts = this.#starts.with(0, this.#starts[0]! + bytes);
    return new LineBlock(this.#bytes, starts, this.#ends, this.#openEnd).filter((i) => i > 0 || this.#ends[0]! > starts[0]!);
  }

  /** Makes what gives the memory of the text back, once it was called as often as `users` says. */
  freeing(users: number): () => void {
    return freeing(this.#bytes, users);
  }

  #view(start: number, end: number): Uint8Array {
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer, byteOffset + start, end - start);
  }
}
