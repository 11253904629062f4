import { BOOLEAN, DOUBLE, type DuckDBType, INTEGER, TIMESTAMP, VARCHAR } from '@duckdb/node-api';
import duckdb, { type DataChunk } from '@duckdb/node-bindings';
import type { Column } from '../database.ts';
import { CHUNK_ROWS, type LineSlot } from './lines.ts';
import type { TextPlace } from './text-places.ts';
import { readBoolean, readDouble, readInteger, readTimestamp } from './values.ts';

/** The types that vectors have, and how many bytes a value takes. */
const TYPES: readonly (readonly [kind: Column['type']['kind'], type: DuckDBType, bytes: number])[] = [
  ['text', VARCHAR, 16],
  ['integer', INTEGER, 4],
  ['double', DOUBLE, 8],
  ['boolean', BOOLEAN, 1],
  ['timestamp', TIMESTAMP, 8],
];
const [TEXT, INTEGERS, DOUBLES, BOOLEANS] = TYPES.keys();

/**
 * A text has a cell of four words: its length; then the text and zeros, when it has up to 12 bytes, else its first four and
 * where all of it lies. `duckdb_string_t` in https://github.com/duckdb/duckdb/blob/v1.5.5/src/include/duckdb.h
 */
const INLINE_BYTES = 12;
/** What belongs to a short text of each of the three words behind its length. */
const [FIRST, SECOND, THIRD] = [0, 4, 8].map((before) =>
  Int32Array.from({ length: INLINE_BYTES + 1 }, (_, length) =>
    length >= before + 4 ? -1 : (1 << (8 * Math.max(0, length - before))) - 1,
  ),
) as [Int32Array, Int32Array, Int32Array];

/** A bit a row, 0 for NULL. */
const VALIDITY_BYTES = CHUNK_ROWS / 8;

if (duckdb.vector_size() !== CHUNK_ROWS)
  throw new Error(`duckdb: expected vectors of ${CHUNK_ROWS}, got ${duckdb.vector_size()}`);

/** The rows of a chunk, column by column, as DuckDB has them in memory: nothing is called, and no string made, for a value. */
export class Vectors {
  readonly types: readonly DuckDBType[];
  readonly #codes: Uint8Array;
  /** How few and how many bytes a field may have without being looked at. */
  readonly #least: Int32Array;
  readonly #most: Int32Array;
  readonly #starts: Int32Array;
  readonly #memory: ArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #validity: Int32Array<ArrayBuffer>;
  readonly #nullCount: Int32Array;

  /** @param asText leaves it to DuckDB to read what is not text */
  constructor(columns: readonly Column[], asText: boolean) {
    const count = columns.length;
    this.#codes = Uint8Array.from(columns, ({ type }) => (asText ? TEXT! : codeOf(type.kind)));
    this.types = Array.from(this.#codes, (code) => TYPES[code]![1]);
    this.#least = Int32Array.from(columns, ({ required }) => (required ? 1 : 0));
    this.#most = Int32Array.from(columns, ({ type }) => ('length' in type ? type.length : 2 ** 31 - 1));
    this.#starts = new Int32Array(count + 1);
    this.#codes.forEach((code, column) => (this.#starts[column + 1] = this.#starts[column]! + TYPES[code]![2] * CHUNK_ROWS));
    this.#memory = new ArrayBuffer(this.#starts[count]!);
    this.#bytes = new Uint8Array(this.#memory);
    this.#words = new Int32Array(this.#memory);
    this.#doubles = new Float64Array(this.#memory);
    this.#validity = new Int32Array((count * VALIDITY_BYTES) / 4);
    this.#nullCount = new Int32Array(count);
  }

  /** Forgets which values are NULL. */
  clear(): void {
    this.#validity.fill(-1);
    this.#nullCount.fill(0);
  }

  /**
   * Makes a row of a line: a field is NULL when it is empty.
   *
   * @returns false when it is none: it has another number of fields, nothing where something has to be, too long a text, or a
   * value of which it is not sure how DuckDB reads it
   */
  setRow(row: number, slot: LineSlot, line: number, place: TextPlace): boolean {
    const { words, view, bytes } = slot;
    const low = place.low | 0;
    const high = place.high | 0;
    const carriesAt = place.carriesAt | 0;
    const cells = this.#words;
    const starts = this.#starts;
    const codes = this.#codes;
    const count = codes.length;
    // With the tab behind the line.
    const end = slot.ends[line]! + 1;
    let start = slot.starts[line]!;
    let column = 0;
    for (let word = start >> 2; word << 2 < end; word++) {
      // A byte that is a tab becomes zero, and the top bit of `found` is set in each that is zero.
      const x = words[word]! ^ 0x09090909;
      let found = ~(((x & 0x7f7f7f7f) + 0x7f7f7f7f) | x | 0x7f7f7f7f);
      while (found !== 0) {
        const lowest = found & -found;
        const tab = (word << 2) + ((31 - Math.clz32(lowest)) >> 3);
        const length = tab - start;
        if (column === count) return false;
        if (length < this.#least[column]!) return false;
        if (length > this.#most[column]! && characters(bytes, start, tab) > this.#most[column]!) return false;
        if (length === 0) {
          this.#validity[((column * VALIDITY_BYTES) >> 2) + (row >> 5)]! &= ~(1 << (row & 31));
          this.#nullCount[column]!++;
        } else if (codes[column] === TEXT) {
          const cell = (starts[column]! >> 2) + row * 4;
          cells[cell] = length;
          if (length > INLINE_BYTES) {
            cells[cell + 1] = view.getInt32(start, true);
            cells[cell + 2] = low + start;
            cells[cell + 3] = start < carriesAt ? high : high + 1;
          } else {
            cells[cell + 1] = view.getInt32(start, true) & FIRST[length]!;
            cells[cell + 2] = view.getInt32(start + 4, true) & SECOND[length]!;
            cells[cell + 3] = view.getInt32(start + 8, true) & THIRD[length]!;
          }
        } else if (!this.#setValue(row, column, bytes, start, tab)) return false;
        column++;
        start = tab + 1;
        found ^= lowest;
      }
    }
    return column === count;
  }

  /** Takes back what was set in the last row. */
  undoRow(row: number): void {
    const bit = 1 << (row & 31);
    for (let column = 0; column < this.types.length; column++) {
      const at = ((column * VALIDITY_BYTES) >> 2) + (row >> 5);
      if ((this.#validity[at]! & bit) === 0) this.#nullCount[column]!--;
      this.#validity[at]! |= bit;
    }
  }

  /** Writes the first rows into a chunk of these types. */
  writeTo(chunk: DataChunk, rowCount: number): void {
    duckdb.data_chunk_set_size(chunk, rowCount);
    for (let column = 0; column < this.types.length; column++) {
      const vector = duckdb.data_chunk_get_vector(chunk, column);
      const nullCount = this.#nullCount[column]!;
      if (nullCount < rowCount) {
        const sizeBytes = rowCount * TYPES[this.#codes[column]!]![2];
        duckdb.copy_data_to_vector(vector, 0, this.#memory, this.#starts[column]!, sizeBytes);
      }
      if (nullCount === 0) continue;
      duckdb.vector_ensure_validity_writable(vector);
      duckdb.copy_data_to_vector_validity(vector, 0, this.#validity.buffer, column * VALIDITY_BYTES, VALIDITY_BYTES);
    }
  }

  #setValue(row: number, column: number, bytes: Buffer, start: number, end: number): boolean {
    const at = this.#starts[column]!;
    const code = this.#codes[column];
    if (code === INTEGERS) {
      const value = readInteger(bytes, start, end);
      this.#words[(at >> 2) + row] = value;
      return !Number.isNaN(value);
    }
    if (code === DOUBLES) {
      const value = readDouble(bytes, start, end);
      this.#doubles[(at >> 3) + row] = value;
      return !Number.isNaN(value);
    }
    if (code === BOOLEANS) {
      const value = readBoolean(bytes, start, end);
      this.#bytes[at + row] = value;
      return !Number.isNaN(value);
    }
    const micros = readTimestamp(bytes, start, end);
    const high = Math.floor(micros / 2 ** 32);
    this.#words[(at >> 2) + row * 2] = micros - high * 2 ** 32;
    this.#words[(at >> 2) + row * 2 + 1] = high;
    return !Number.isNaN(micros);
  }
}

/** What has no vector of its own is text. */
function codeOf(kind: Column['type']['kind']): number {
  return Math.max(
    0,
    TYPES.findIndex(([own]) => own === kind),
  );
}

function characters(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) if ((bytes[at]! & 0xc0) !== 0x80) count++;
  return count;
}
