import type { Position } from '../../position.ts';
import type { Records } from '../../records.ts';

/** Where lines are from: what they have in common. */
export interface LinesOrigin {
  /** The shard as the run knows it. */
  readonly shard: string;
  /** The sequence number of all of them. */
  readonly sequence: string;
  /** When the window of their object began, in milliseconds since 1970. */
  readonly startMs: number;
}

/** Lines of one object that follow each other, of which only the bytes are kept. */
export class ArchivedLines implements Records {
  readonly sizeBytes: number;
  readonly #origin: LinesOrigin;
  readonly #lines: readonly Uint8Array[];
  readonly #first: number;

  /** @param first the number of the first of them in their object, from 1 */
  constructor(origin: LinesOrigin, lines: readonly Uint8Array[], first: number) {
    this.#origin = origin;
    this.#lines = lines;
    this.#first = first;
    let sizeBytes = 0;
    for (const line of lines) sizeBytes += line.length;
    this.sizeBytes = sizeBytes;
  }

  get shard(): string {
    return this.#origin.shard;
  }

  get count(): number {
    return this.#lines.length;
  }

  sizeOf(index: number): number {
    return this.#lines[index]!.length;
  }

  rawOf(index: number): Uint8Array {
    return this.#lines[index]!;
  }

  positionOf(index: number): Position {
    const { shard, sequence } = this.#origin;
    return { shard, sequence, subSequence: this.#first + index };
  }

  arrivedAtMsOf(): number {
    return this.#origin.startMs;
  }

  fateOf(): undefined {
    return undefined;
  }
}
