import type { RejectReason } from './event.ts';
import type { Position } from './position.ts';

/** What a source read in one go: records of one shard, in order, numbered from 0. What it is asked for it may make anew each time. */
export interface Records {
  readonly shard: string;
  readonly count: number;
  /** How many bytes they have together. */
  readonly sizeBytes: number;
  sizeOf(index: number): number;
  /** A record's bytes. */
  rawOf(index: number): Uint8Array;
  /** What its event has for data, where that is more than its bytes: a line of a text, with its newline. @default its bytes */
  dataOf?(index: number): Uint8Array;
  positionOf(index: number): Position;
  /** When the stream received it, in milliseconds since 1970. */
  arrivedAtMsOf(index: number): number;
  /** What becomes of it when it is no event: a reject, for this reason, or a drop, counted by this name. */
  fateOf(index: number): RejectReason | string | undefined;
  /** Whether the first of them begins a text: what came before does not go on in it, and tells nothing of it. @default false */
  readonly beginsText?: boolean;
  /**
   * Gives the memory of their bytes back, which would else wait for a collection of garbage: what is a view of it has nothing in it from then on,
   * and no other can be made. Called once they are settled, in a run in which nobody looks at them any more then. @default it waits
   */
  free?(): void;
}

/** One record as a source may have it: an object of its own. */
export interface SourceRecord {
  readonly position: Position;
  readonly arrivedAtMs: number;
  readonly data: Uint8Array;
  readonly fate?: RejectReason | string | undefined;
}

/** Records that are objects. */
export class RecordList implements Records {
  readonly shard: string;
  readonly sizeBytes: number;
  readonly free: () => void;
  readonly #records: readonly SourceRecord[];

  /**
   * @param records at least one
   * @param free gives their memory back; @default it waits
   */
  constructor(records: readonly SourceRecord[], free: () => void = () => {}) {
    this.free = free;
    this.shard = records[0]!.position.shard;
    this.#records = records;
    let sizeBytes = 0;
    for (let i = 0; i < records.length; i++) sizeBytes += records[i]!.data.length;
    this.sizeBytes = sizeBytes;
  }

  get count(): number {
    return this.#records.length;
  }

  sizeOf(index: number): number {
    return this.#records[index]!.data.length;
  }

  rawOf(index: number): Uint8Array {
    return this.#records[index]!.data;
  }

  positionOf(index: number): Position {
    return this.#records[index]!.position;
  }

  arrivedAtMsOf(index: number): number {
    return this.#records[index]!.arrivedAtMs;
  }

  fateOf(index: number): RejectReason | string | undefined {
    return this.#records[index]!.fate;
  }
}
