import type { Random } from '../../src/demo/random.ts';

/**
 * What becomes of a record: its event is stored; it was there before; a step rejects it, `unlucky` ones later than the others; the database
 * refuses it and the archive has it; it holds no event, or one that the pipeline leaves out; it holds two.
 */
export type Kind = 'event' | 'repeat' | 'malformed' | 'broken-label' | 'unlucky' | 'refused' | 'noise' | 'filtered' | 'pair';

/** A record that is sent. */
export interface Record {
  readonly kind: Kind;
  readonly data: Uint8Array;
  /** Its events as lines of text, without a newline. */
  readonly lines: readonly string[];
}

const COLUMNS = 131;
const [APP_ID, ETL, COLLECTOR, EVENT_ID, CATEGORY, ACTION, LABEL] = [0, 2, 3, 6, 53, 54, 55];
const AT = '2026-11-22 09:00:00.000';

const EMPTY: readonly string[] = Array.from({ length: COLUMNS }, () => '')
  .with(APP_ID, 'shop')
  .with(COLLECTOR, AT);

/** Marks the events that the database refuses, and those that the pipeline filters out. */
export const REFUSED = 'refused';
export const FILTERED = 'filtered';
/** Marks the events that a promise rejects. */
export const UNLUCKY = 'unlucky';

/** Makes the records of one world: small lines of 131 columns, each unlike every other. */
export class RecordMaker {
  readonly #random: Random;
  readonly #repeats: boolean;
  readonly #unlucky: boolean;
  readonly #filtered: boolean;
  #made = 0;
  readonly #ids: string[] = [];

  /**
   * @param repeats whether events are sent more than once
   * @param unlucky whether there are some that a promise rejects
   * @param filtered whether there are some that the pipeline leaves out
   */
  constructor(random: Random, has: Readonly<{ repeats: boolean; unlucky: boolean; filtered: boolean }>) {
    this.#random = random;
    this.#repeats = has.repeats;
    this.#unlucky = has.unlucky;
    this.#filtered = has.filtered;
  }

  next(): Record {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 3) return this.#record('malformed', [], this.#line().replace(/\t.*/, '\tcut'));
    if (dice < 6)
      return this.#record('broken-label', [], this.#line({ [CATEGORY]: 'cart', [ACTION]: 'add', [LABEL]: '{"sku":' }));
    if (dice < 8) return this.#kept('refused', this.#line({ [APP_ID]: REFUSED }));
    if (dice < 10 && this.#filtered) return this.#record('filtered', [], this.#line({ [APP_ID]: FILTERED }));
    if (dice < 13) return this.#record('noise', [], NOISE);
    if (dice < 16) {
      const lines = [this.#line(), this.#line()];
      return this.#record('pair', lines, lines.map((line) => `${line}\n`).join(''));
    }
    if (dice < 19 && this.#unlucky) return this.#record('unlucky', [], this.#line({ [APP_ID]: UNLUCKY }));
    if (this.#repeats && dice < 26 && this.#ids.length > 0)
      return this.#kept('repeat', this.#line({ [EVENT_ID]: random.pick(this.#ids) }));
    const record = this.#kept('event', this.#line());
    this.#ids.push(idOf(record.lines[0]!));
    return record;
  }

  #kept(kind: Kind, line: string): Record {
    return this.#record(kind, [line], line);
  }

  #record(kind: Kind, lines: readonly string[], text: string): Record {
    return { kind, data: Buffer.from(text), lines };
  }

  #line(fields: Readonly<{ [column: number]: string }> = {}): string {
    // The number makes a line its own, also when it has the id of another.
    const number = String(this.#made++).padStart(6, '0');
    const columns = EMPTY.with(ETL, `2026-11-22 09:00:00.${number}`);
    Object.assign(columns, { [EVENT_ID]: this.#random.uuid(), ...fields });
    return columns.join('\t');
  }
}

/** The event's id in a line. */
export function idOf(line: string): string {
  return line.split('\t', EVENT_ID + 1)[EVENT_ID]!;
}

const NOISE =
  '[pool-1-thread-1] INFO com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource - Checkpointing shard shardId-000000000000\n';
