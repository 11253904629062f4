import { withoutNewline } from '../cut-lines.ts';
import { emitInTurn } from '../emit-in-turn.ts';
import type { ShardReading } from '../read-shards.ts';
import { LineRecords, type Lines } from './line-records.ts';

export interface LineFeedOptions {
  readonly of: 'line' | 'text';
  readonly arrivedAt: ((line: Uint8Array) => Date | undefined) | undefined;
  readonly maxLines: number;
  /** Lines that arrived before are left out. @default none */
  readonly since?: Date | undefined;
  /** Makes a sequence number of where a line ends in its text. */
  readonly sequenceOf: (end: number) => string;
}

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

  /** @param at where the first line begins */
  constructor(reading: ShardReading, options: LineFeedOptions, at: number) {
    this.#reading = reading;
    this.#options = options;
    this.#at = at;
  }

  /** Passes over bytes that were read before, or which another shard has. */
  pass(bytes: number): void {
    this.#at += bytes;
  }

  /**
   * Emits lines, each with its newline. Resolves with false when the signal ended it.
   *
   * @param lastEnd where the last one ends, when a part of it is in another text
   */
  async emit(lines: readonly Uint8Array[], times: Arrivals, lastEnd?: number): Promise<boolean> {
    if (lines.length === 0) return true;
    const { of, maxLines, sequenceOf } = this.#options;
    const ends: number[] = [];
    for (const { length } of lines) ends.push((this.#at += length));
    if (lastEnd !== undefined) this.#at = ends[ends.length - 1] = lastEnd;
    const texts = of === 'text' ? lines : undefined;
    const all = { data: lines.map(withoutNewline), texts, ends, arrivedAtMs: this.#arrivals(lines, times) };
    const emitted = this.#fromSince(all);
    const { length } = emitted.data;
    for (let from = 0; from < length; from += maxLines) {
      const records = new LineRecords(this.#reading.shard.id, emitted, from, Math.min(from + maxLines, length), sequenceOf);
      if (!(await emitInTurn(this.#reading, records))) return false;
    }
    return true;
  }

  #fromSince(lines: Lines): Lines {
    const sinceMs = this.#options.since?.getTime();
    if (sinceMs === undefined) return lines;
    const { arrivedAtMs } = lines;
    const isLeft = (_: unknown, i: number): boolean =>
      (typeof arrivedAtMs === 'number' ? arrivedAtMs : arrivedAtMs[i]!) >= sinceMs;
    return {
      data: lines.data.filter(isLeft),
      texts: lines.texts?.filter(isLeft),
      ends: lines.ends.filter(isLeft),
      arrivedAtMs: typeof arrivedAtMs === 'number' ? arrivedAtMs : arrivedAtMs.filter(isLeft),
    };
  }

  /** When each line arrived: one that does not tell, with the line before; the first ones, with the next that tells. */
  #arrivals(lines: readonly Uint8Array[], { usualMs, latestMs }: Arrivals): readonly number[] | number {
    const { arrivedAt } = this.#options;
    if (!arrivedAt) return usualMs;
    // An invalid date, NaN here, is made of a line that does not tell.
    const told = lines.map((line) => arrivedAt(line)?.getTime() ?? NaN);
    this.#arrivedAtMs ??= told.find((ms) => !Number.isNaN(ms)) ?? usualMs;
    return told.map((ms) => Math.min((this.#arrivedAtMs = Number.isNaN(ms) ? this.#arrivedAtMs! : ms), latestMs));
  }
}
