import { type LineIndex, lineIndex } from '../lines/line-index.ts';
import { Malformed } from '../operators/decode.ts';
import type { FieldName, FieldValues } from './fields/field-types.ts';
import { FieldError } from './fields/field-error.ts';
import { fieldNumber } from './fields/field-number.ts';
import { fields } from './fields/fields.ts';
import { type Layout, layoutOf } from './fields/layouts.ts';
import { readEpochMs } from './fields/epoch-ms.ts';
import { readValue } from './fields/read-value.ts';
import { type ToJsonOptions, toJson } from './to-json.ts';
import { toRow } from './to-row.ts';

const EVENT_ID = fieldNumber('event_id');
const COLLECTOR_TSTAMP = fieldNumber('collector_tstamp');

const words = new Uint32Array(4);
/** The layout in which each field stands at its own number. */
const NEWEST = layoutOf(fields.length)!;
const COLUMNS = fields.length;

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the getters are made below, from the same table as this type
export interface EnrichedEvent extends FieldValues {}

/**
 * An enriched event: a view on its line's bytes, with a getter for each of the 131 fields.
 *
 * Each getter reads its field anew, from the bytes; an empty field, and one that the line's layout does not have, is
 * undefined. A getter throws a `FieldError`, a TypeError, when the field holds what its type does not allow: a
 * `transform` makes that a reject.
 */
export class EnrichedEvent {
  /** The line as it came, without a newline. */
  readonly bytes: Uint8Array;
  readonly layout: Layout;

  private constructor(bytes: Uint8Array, layout: Layout) {
    this.bytes = bytes;
    this.layout = layout;
  }

  /** Makes an event of a line of 98, 108, 125 or 131 columns that has an event_id and a collector_tstamp. Throws nothing. */
  static parse(line: Uint8Array): EnrichedEvent | Malformed {
    const bytes = withoutNewline(line);
    lineIndex.add(bytes);
    if (lineIndex.hasNewline) return new Malformed('newline', 'expected one line, got a newline inside the event');
    const layout = layoutOf(lineIndex.count);
    if (!layout) return new Malformed('column_count', `expected 98, 108, 125 or 131 columns, got ${lineIndex.count}`);
    const id = layout.columnOf[EVENT_ID]!;
    if (!lineIndex.uuid(id, words)) return malformed('event_id', 'a UUID', id);
    const at = layout.columnOf[COLLECTOR_TSTAMP]!;
    if (!lineIndex.isTimestamp(at)) return malformed('collector_tstamp', 'a timestamp YYYY-MM-DD hh:mm:ss[.fraction]', at);
    return new EnrichedEvent(bytes, layout);
  }

  /** Whether the line that is shown is an event of 131 columns, without a doubt. */
  static isSound(index: LineIndex): boolean {
    const isLine = index.count === COLUMNS && !index.hasNewline;
    return isLine && index.uuid(EVENT_ID, words) && index.isTimestamp(COLLECTOR_TSTAMP);
  }

  /** Makes an event of a line that is sound. */
  static ofSound(line: Uint8Array): EnrichedEvent {
    return new EnrichedEvent(line, NEWEST);
  }

  /** A field's text as it stands in the line; empty when the field is, or when the layout does not have it. */
  text(name: FieldName): string {
    const index = this.indexed();
    const column = this.layout.columnOf[fieldNumber(name)]!;
    return column < 0 ? '' : index.bytes.toString('utf8', index.start(column), index.end(column));
  }

  /** A field's bytes: a view, no copy, so it keeps the line in memory. */
  bytesOf(name: FieldName): Uint8Array {
    const index = this.indexed();
    const column = this.layout.columnOf[fieldNumber(name)]!;
    if (column < 0) return this.bytes.subarray(0, 0);
    const from = index.start(0);
    return this.bytes.subarray(index.start(column) - from, index.end(column) - from);
  }

  /**
   * The line in 131 columns, as a table of `enrichedColumns` takes it: the very same bytes when they are that already.
   * The epoch milliseconds that old versions of enrich wrote as etl_tstamp become a timestamp.
   */
  toRow(): Uint8Array {
    return toRow(this);
  }

  /** The event as the Snowplow analytics SDKs turn it into JSON, see `toJson`. */
  toJSON(options?: ToJsonOptions): Record<string, unknown> {
    return toJson(this, options);
  }

  /**
   * @internal The index, which shows this line until another event is read. An event goes through its steps before the next one comes, so
   * it is indexed once, and no event carries an index of its own.
   */
  indexed(): LineIndex {
    lineIndex.add(this.bytes);
    return lineIndex;
  }
}

fields.forEach(({ name, type }, field) => {
  const read = name === 'etl_tstamp' ? readEtlTimestamp : readValue[type];
  Object.defineProperty(EnrichedEvent.prototype, name, {
    configurable: true,
    get(this: EnrichedEvent) {
      const index = this.indexed();
      const column = this.layout.columnOf[field]!;
      if (column < 0) return undefined;
      const start = index.start(column);
      const end = index.end(column);
      return start === end ? undefined : read(index.bytes, start, end, name);
    },
  });
});

/** Versions 0.2.0 to 0.5.0 of kinesis-enrich wrote it in epoch milliseconds. https://github.com/snowplow/snowplow/issues/1842 */
function readEtlTimestamp(bytes: Buffer, start: number, end: number, field: string): Date {
  const epochMs = readEpochMs(bytes, start, end);
  return Number.isNaN(epochMs) ? readValue.timestamp(bytes, start, end, field) : new Date(epochMs);
}

function malformed(field: FieldName, expected: string, column: number): Malformed {
  const text = lineIndex.bytes.toString('utf8', lineIndex.start(column), lineIndex.end(column));
  if (text === '') return new Malformed(`no_${field}`, `expected ${expected} in ${field}, got none`, field);
  const { message } = new FieldError(field, '', expected, text);
  return new Malformed(`invalid_${field}`, message, field);
}

function withoutNewline(line: Uint8Array): Uint8Array {
  const { length } = line;
  if (line[length - 1] !== 0x0a) return line;
  return line.subarray(0, line[length - 2] === 0x0d ? length - 2 : length - 1);
}
