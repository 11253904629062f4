import type { Position } from '../../position.ts';
import type { Records } from '../../records.ts';

/** Lines of a text that follow each other, what is known of each at the same place. */
export interface Lines {
  /** Without their newlines. */
  readonly data: readonly Uint8Array[];
  /** With them, where events are lines of a text. */
  readonly texts?: readonly Uint8Array[] | undefined;
  /** Where each ends: as many bytes of its text lie before that. */
  readonly ends: readonly number[];
  /** When each arrived, or all, in milliseconds since 1970. */
  readonly arrivedAtMs: readonly number[] | number;
}

/** Some of those lines as records. */
export class LineRecords implements Records {
  readonly shard: string;
  readonly count: number;
  readonly sizeBytes: number;
  readonly #lines: Lines;
  readonly #from: number;
  readonly #sequenceOf: (end: number) => string;

  /** @param sequenceOf makes a sequence number of where a line ends */
  constructor(shard: string, lines: Lines, from: number, to: number, sequenceOf: (end: number) => string) {
    this.shard = shard;
    this.count = to - from;
    this.#lines = lines;
    this.#from = from;
    this.#sequenceOf = sequenceOf;
    let sizeBytes = 0;
    for (let i = 0; i < this.count; i++) sizeBytes += this.sizeOf(i);
    this.sizeBytes = sizeBytes;
  }

  sizeOf(index: number): number {
    return this.dataOf(index).length;
  }

  rawOf(index: number): Uint8Array {
    return this.#lines.data[this.#from + index]!;
  }

  dataOf(index: number): Uint8Array {
    const { texts, data } = this.#lines;
    return (texts ?? data)[this.#from + index]!;
  }

  positionOf(index: number): Position {
    return { shard: this.shard, sequence: this.#sequenceOf(this.#lines.ends[this.#from + index]!), subSequence: 0 };
  }

  arrivedAtMsOf(index: number): number {
    const { arrivedAtMs } = this.#lines;
    return typeof arrivedAtMs === 'number' ? arrivedAtMs : arrivedAtMs[this.#from + index]!;
  }

  fateOf(): undefined {
    return undefined;
  }
}
