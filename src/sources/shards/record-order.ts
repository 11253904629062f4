import { type Position, comparePositions, formatResume } from '../../position.ts';
import type { SourceRecord } from '../../records.ts';

/**
 * Sees that a source gives the records of a shard in order, each at a position of its own: a sink's position says that all before it is stored, so
 * a record that came behind a greater one would pass for stored after a kill. For records that are objects, as sources of one's own give them.
 */
export class RecordOrder {
  readonly #shard: string;
  #before: Position | undefined;

  constructor(shard: string) {
    this.#shard = shard;
  }

  /** @throws {TypeError} when a record is of another shard, or its sequence number is none; {RangeError} when it is not behind the one before it */
  check(records: readonly SourceRecord[]): void {
    for (const { position } of records) {
      const { shard, sequence } = position;
      if (shard !== this.#shard) throw new TypeError(`${this.#shard}: expected records of its own, got one of ${shard}`);
      // By these positions are compared, and read again where they were stored.
      if (!/^(0|[1-9]\d*)$/.test(sequence))
        throw new TypeError(
          `${shard}: expected a sequence number of digits, without zeros before them, got ${JSON.stringify(sequence)}`,
        );
      if (this.#before && comparePositions(position, this.#before) <= 0)
        throw new RangeError(
          `${shard}: expected each record behind the one before it, got ${formatResume(position)} behind ${formatResume(this.#before)}: ` +
            'the source gives them in another order than that of their positions',
        );
      this.#before = position;
    }
  }
}
