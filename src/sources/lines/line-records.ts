import type { Position } from '../../position.ts';
import type { Records } from '../../records.ts';

/** A line of a text. */
export interface Line {
  readonly data: Uint8Array;
  /** Where it ends: as many bytes of its text lie before that. */
  readonly end: number;
  /** In milliseconds since 1970. */
  readonly arrivedAtMs: number;
}

/** Lines as records. */
export class LineRecords implements Records {
  readonly shard: string;
  readonly sizeBytes: number;
  readonly #lines: readonly Line[];
  readonly #sequenceOf: (end: number) => string;

  /** @param sequenceOf makes a sequence number of where a line ends */
  constructor(shard: string, lines: readonly Line[], sequenceOf: (end: number) => string) {
    this.shard = shard;
    this.#lines = lines;
    this.#sequenceOf = sequenceOf;
    let sizeBytes = 0;
    for (const { data } of lines) sizeBytes += data.length;
    this.sizeBytes = sizeBytes;
  }

  get count(): number {
    return this.#lines.length;
  }

  sizeOf(index: number): number {
    return this.rawOf(index).length;
  }

  rawOf(index: number): Uint8Array {
    return this.#lines[index]!.data;
  }

  positionOf(index: number): Position {
    return { shard: this.shard, sequence: this.#sequenceOf(this.#lines[index]!.end), subSequence: 0 };
  }

  arrivedAtMsOf(index: number): number {
    return this.#lines[index]!.arrivedAtMs;
  }

  fateOf(): undefined {
    return undefined;
  }
}
