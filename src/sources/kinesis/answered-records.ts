import type { Position } from '../../position.ts';
import type { Records } from '../../records.ts';

/**
 * Records of which the bytes lie in those of one answer: of each there is where that is, its sequence number and its time, and no object, as many wait in
 * windows at a time.
 */
export class AnsweredRecords implements Records {
  readonly shard: string;
  readonly free: () => void;
  sizeBytes = 0;
  readonly #buffer: ArrayBufferLike;
  readonly #starts: number[] = [];
  readonly #sizes: number[] = [];
  readonly #sequences: string[] = [];
  readonly #arrivedAtMs: number[] = [];

  /**
   * @param buffer what all of them are views of
   * @param free gives its memory back
   */
  constructor(shard: string, buffer: ArrayBufferLike, free: () => void) {
    this.shard = shard;
    this.#buffer = buffer;
    this.free = free;
  }

  /** Takes the next record in. */
  add(data: Uint8Array, sequence: string, arrivedAtMs: number): void {
    // Empty data may be nobody's.
    this.#starts.push(data.length === 0 ? 0 : data.byteOffset);
    this.#sizes.push(data.length);
    this.#sequences.push(sequence);
    this.#arrivedAtMs.push(arrivedAtMs);
    this.sizeBytes += data.length;
  }

  get count(): number {
    return this.#sizes.length;
  }

  sizeOf(index: number): number {
    return this.#sizes[index]!;
  }

  rawOf(index: number): Uint8Array {
    return new Uint8Array(this.#buffer, this.#starts[index]!, this.#sizes[index]!);
  }

  positionOf(index: number): Position {
    return { shard: this.shard, sequence: this.#sequences[index]!, subSequence: 0 };
  }

  arrivedAtMsOf(index: number): number {
    return this.#arrivedAtMs[index]!;
  }

  fateOf(): undefined {
    return undefined;
  }
}
