import type { Position } from '../../position.ts';
import type { Records } from '../../records.ts';
import type { LineBlock } from '../text/line-block.ts';

/** Where lines are from: what they have in common. */
export interface LinesOrigin {
  /** The shard as the run knows it. */
  readonly shard: string;
  /** The sequence number of all of them. */
  readonly sequence: string;
  /** When the window of their object began, in milliseconds since 1970. */
  readonly startMs: number;
}

/** Which lines of a block they are, how many lines of their object lie before the block, and what gives its memory back. */
export interface LinesPlace {
  readonly from: number;
  readonly to: number;
  readonly before: number;
  readonly free: () => void;
}

/** Lines of one object that follow each other. */
export class ArchivedLines implements Records {
  readonly sizeBytes: number;
  readonly #origin: LinesOrigin;
  readonly #block: LineBlock;
  readonly #place: LinesPlace;

  constructor(origin: LinesOrigin, block: LineBlock, place: LinesPlace) {
    this.#origin = origin;
    this.#block = block;
    this.#place = place;
    let sizeBytes = 0;
    for (let i = 0; i < this.count; i++) sizeBytes += this.sizeOf(i);
    this.sizeBytes = sizeBytes;
  }

  free(): void {
    this.#place.free();
  }

  get shard(): string {
    return this.#origin.shard;
  }

  get count(): number {
    return this.#place.to - this.#place.from;
  }

  sizeOf(index: number): number {
    return this.#block.lineSizeOf(this.#place.from + index);
  }

  rawOf(index: number): Uint8Array {
    return this.#block.lineOf(this.#place.from + index);
  }

  positionOf(index: number): Position {
    const { shard, sequence } = this.#origin;
    return { shard, sequence, subSequence: this.#place.before + this.#place.from + index + 1 };
  }

  arrivedAtMsOf(): number {
    return this.#origin.startMs;
  }

  fateOf(): undefined {
    return undefined;
  }
}
