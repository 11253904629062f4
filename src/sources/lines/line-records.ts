import type { Position } from '../../position.ts';
import type { Records } from '../../records.ts';
import type { LineBlock } from '../text/line-block.ts';

/** Lines of a shard, and what is known of them. */
export interface Lines {
  readonly block: LineBlock;
  /** Where in the text of the shard that of the block begins. */
  readonly beginsAt: number;
  /** Whether they are lines of a text, newlines and all. */
  readonly isText: boolean;
  /** When each arrived, or all, in milliseconds since 1970. */
  readonly arrivedAtMs: readonly number[] | number;
}

export interface LineRecordsOptions {
  /** Which of the lines they are: those from a number up to another one. */
  readonly from: number;
  readonly to: number;
  /** Makes a sequence number of where a line ends. */
  readonly sequenceOf: (end: number) => string;
  /** Whether the first of them begins a text. @default false */
  readonly beginsText?: boolean;
  /** Gives their memory back. */
  readonly free: () => void;
}

/** Some of those lines as records. */
export class LineRecords implements Records {
  readonly shard: string;
  readonly count: number;
  readonly sizeBytes: number;
  readonly beginsText: boolean;
  readonly free: () => void;
  readonly #lines: Lines;
  readonly #from: number;
  readonly #sequenceOf: (end: number) => string;

  constructor(shard: string, lines: Lines, { from, to, sequenceOf, beginsText = false, free }: LineRecordsOptions) {
    this.shard = shard;
    this.count = to - from;
    this.beginsText = beginsText;
    this.free = free;
    this.#lines = lines;
    this.#from = from;
    this.#sequenceOf = sequenceOf;
    let sizeBytes = 0;
    for (let i = 0; i < this.count; i++) sizeBytes += this.sizeOf(i);
    this.sizeBytes = sizeBytes;
  }

  sizeOf(index: number): number {
    const { block, isText } = this.#lines;
    return isText ? block.sizeOf(this.#from + index) : block.lineSizeOf(this.#from + index);
  }

  rawOf(index: number): Uint8Array {
    return this.#lines.block.lineOf(this.#from + index);
  }

  dataOf(index: number): Uint8Array {
    const { block, isText } = this.#lines;
    return isText ? block.textOf(this.#from + index) : block.lineOf(this.#from + index);
  }

  positionOf(index: number): Position {
    const { block, beginsAt } = this.#lines;
    return { shard: this.shard, sequence: this.#sequenceOf(beginsAt + block.endOf(this.#from + index)), subSequence: 0 };
  }

  arrivedAtMsOf(index: number): number {
    const { arrivedAtMs } = this.#lines;
    return typeof arrivedAtMs === 'number' ? arrivedAtMs : arrivedAtMs[this.#from + index]!;
  }

  fateOf(): undefined {
    return undefined;
  }
}
