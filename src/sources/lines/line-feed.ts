import { emitInTurn } from '../delivery/emit-in-turn.ts';
import type { LineBlock } from '../text/line-block.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import { LineRecords, type Lines } from './line-records.ts';

export interface LineFeedOptions {
  readonly of: 'line' | 'text';
  readonly arrivedAt: ((line: Uint8Array) => Date | undefined) | undefined;
  readonly maxLines: number;
  /** Lines that arrived before are left out. @default none */
  readonly since?: Date | undefined;
  /** Lines that end at or before this place are left out. @default none */
  readonly behind?: number | undefined;
  /** Makes a sequence number of where a line ends in its text. */
  readonly sequenceOf: (end: number) => string;
}

/** How lines become records, wherever they are from. */
export type Feed = Pick<LineFeedOptions, 'of' | 'arrivedAt' | 'maxLines'>;

/** What is known of the times at which lines arrived, in milliseconds since 1970. */
export interface Arrivals {
  /** When one arrived that does not tell, nor does one near it. */
  readonly usualMs: number;
  /** No line arrived later. */
  readonly latestMs: number;
}

/** Emits the lines of one text, one after the other, as the records of a shard: the position of one is where it ends. */
export class LineFeed {
  readonly #reading: ShardReading;
  readonly #options: LineFeedOptions;
  /** Where the next line begins. */
  #at: number;
  /** When the line before arrived. */
  #arrivedAtMs: number | undefined;
  #beginsText = false;

  /**
   * @param at where the first line begins
   * @param lineBeforeAtMs when the line before that arrived, where it is known
   */
  constructor(reading: ShardReading, options: LineFeedOptions, at: number, lineBeforeAtMs?: number) {
    this.#reading = reading;
    this.#options = options;
    this.#at = at;
    this.#arrivedAtMs = lineBeforeAtMs;
  }

  /** Where the next line begins. */
  get at(): number {
    return this.#at;
  }

  /** When the line before that arrived, where lines tell. */
  get lineBeforeAtMs(): number | undefined {
    return this.#arrivedAtMs;
  }

  /** The next lines begin a text. */
  beginText(): void {
    this.#beginsText = true;
  }

  /** Passes over bytes that were read before, or which another shard has. */
  pass(bytes: number): void {
    this.#at += bytes;
  }

  /**
   * Emits lines. Resolves with false when the signal ended it.
   *
   * @param lastEnd where the last one ends, when a part of it is in another text
   */
  async emit(given: readonly LineBlock[], times: Arrivals, lastEnd?: number): Promise<boolean> {
    const blocks = given.filter(({ count }) => count > 0);
    if (blocks.length === 0) return true;
    const arrivals = this.#arrivals(blocks, times);
    for (const [i, block] of blocks.entries()) {
      const end = block.endOf(block.count - 1);
      const beginsAt = lastEnd === undefined ? this.#at - block.startOf(0) : lastEnd - end;
      this.#at = beginsAt + end;
      if (!(await this.#emit({ block, beginsAt, isText: this.#options.of === 'text', arrivedAtMs: arrivals[i]! }))) return false;
    }
    return true;
  }

  async #emit(all: Lines): Promise<boolean> {
    const { maxLines, sequenceOf } = this.#options;
    const lines = this.#wanted(all);
    const { count } = lines.block;
    const free = lines.block.freeing(Math.ceil(count / maxLines));
    for (let from = 0; from < count; from += maxLines) {
      const to = Math.min(from + maxLines, count);
      const records = new LineRecords(this.#reading.shard.id, lines, {
        from,
        to,
        sequenceOf,
        beginsText: this.#beginsText,
        free,
      });
      this.#beginsText = false;
      if (!(await emitInTurn(this.#reading, records))) return false;
    }
    return true;
  }

  #wanted(lines: Lines): Lines {
    const { since, behind = -1 } = this.#options;
    const { block, arrivedAtMs, beginsAt } = lines;
    if (since === undefined && beginsAt + block.endOf(0) > behind) return lines;
    const sinceMs = since?.getTime() ?? -Infinity;
    const isLeft = (i: number): boolean =>
      beginsAt + block.endOf(i) > behind && (typeof arrivedAtMs === 'number' ? arrivedAtMs : arrivedAtMs[i]!) >= sinceMs;
    return {
      ...lines,
      block: block.filter(isLeft),
      arrivedAtMs: typeof arrivedAtMs === 'number' ? arrivedAtMs : arrivedAtMs.filter((_, i) => isLeft(i)),
    };
  }

  /** When each line arrived: one that does not tell, with the line before; the first ones, with the next that tells. */
  #arrivals(blocks: readonly LineBlock[], { usualMs, latestMs }: Arrivals): readonly (readonly number[] | number)[] {
    const { arrivedAt } = this.#options;
    if (!arrivedAt) return blocks.map(() => usualMs);
    // An invalid date, NaN here, is made of a line that does not tell.
    const told = blocks.map((block) =>
      Array.from({ length: block.count }, (_, i) => arrivedAt(block.lineOf(i))?.getTime() ?? NaN),
    );
    this.#arrivedAtMs ??= told.flat().find((ms) => !Number.isNaN(ms)) ?? usualMs;
    return told.map((its) =>
      its.map((ms) => Math.min((this.#arrivedAtMs = Number.isNaN(ms) ? this.#arrivedAtMs! : ms), latestMs)),
    );
  }
}
