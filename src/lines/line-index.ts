import { randomFillSync } from 'node:crypto';
import type { Records } from '../records.ts';
import { type WasmModule, instantiate } from './instantiate.ts';
import { LINE_INDEX_WASM } from './line-index-wasm.ts';

/** How many lines are indexed at once. */
export const MAX_LINES = 256;
/** Records are indexed together up to so many bytes, so that they are in a near cache still when the steps look at them. */
const MAX_BYTES = 64 * 1024;

// Where things lie in the module's memory: see line-index.as.
const [SEED, HASH] = [0xf000 >> 2, 0xf010 >> 2];
const [TABLE, FOUND, ENDS, UUIDS, LINES] = [0x10000 >> 2, 0x11000 >> 2, 0x12000 >> 2, 0x13000 >> 2, 0x14100];
const [COUNT, HAS_NEWLINE, HAS_LOGGER, IS_BEYOND_ASCII] = [0xffffff, 0x1000000, 0x2000000, 0x4000000];
const [HAS_ODD_ENDS, HAS_BAD_ROW] = [0x8000000, 0x10000000];
/** So many bytes are read at a time, and have a bit each in a word before the line. */
const STEP_BYTES = 64;
const WORD_BYTES = 8;
/** The row of the one line, behind those of the many. */
const ONE = MAX_LINES;
const PAGE_BYTES = 65_536;
const TAB = 9;

/**
 * Finds the columns of a tab-separated line, or of up to 256 of them at once.
 *
 * It works on copies in the memory of a WebAssembly module, where 64 bytes are looked at in one go, and where text can be cut without a
 * view on its line. Of a line only its tabs are found, a bit for each byte; a column is found when it is asked for, and all of them once
 * `start` or `end` is. It shows one line at a time, and keeps room for the most bytes it ever saw.
 */
export class LineIndex {
  /** What columns are cut from: `start` and `end` are places in it. It is another one once the memory has grown. */
  bytes: Buffer = Buffer.alloc(0);
  #words = new Int32Array();
  readonly #module = instantiate<LineModule>(LINE_INDEX_WASM);
  /** The one line that is indexed beside the many. */
  #line: Uint8Array | undefined;
  /** The line that is shown, what was found of it, and whether where its columns end is told. */
  #row = ONE;
  #found = 0;
  #isSpread = false;
  /** Which column of each row is known to hold a UUID, and one more; 0 where none is. It has been read then. */
  readonly #uuidColumns = new Int32Array(ONE + 1);
  /** Where the many lines end; the one line lies behind them. */
  #linesEnd = LINES;

  constructor() {
    this.#view();
    randomFillSync(this.#words, SEED, HASH - SEED);
  }

  /** Shows a line; it is indexed unless it is the one that was indexed last. */
  add(line: Uint8Array): void {
    if (this.#line !== line) {
      this.#put(line, ONE, this.#linesEnd);
      this.#module.scan(ONE);
      this.#uuidColumns[ONE] = 0;
      this.#line = line;
    } else if (this.#row === ONE) return;
    this.show(ONE);
  }

  /** Indexes records at once, as many as it can from the one of this number on, to be shown by their places among them until others are. Says how many. */
  addRecords(records: Records, from: number): number {
    const last = Math.min(records.count, from + MAX_LINES);
    let end = from;
    let bytes = 0;
    for (; end < last; end++) {
      bytes += records.sizeOf(end);
      if (bytes > MAX_BYTES && end > from) break;
    }
    const count = end - from;
    let at = LINES;
    for (let i = 0; i < count; i++) at = this.#put(records.rawOf(from + i), i, at);
    this.#module.scanAll(count);
    this.#uuidColumns.fill(0, 0, count);
    this.#linesEnd = at;
    // Its bytes lay where others lie now.
    this.#line = undefined;
    return count;
  }

  /** Shows one of the lines that were indexed together. */
  show(row: number): void {
    this.#row = row;
    this.#found = this.#words[FOUND + row]!;
    this.#isSpread = false;
  }

  /** How many columns the line has. Where they end is known of the first 139. */
  get count(): number {
    return this.#found & COUNT;
  }

  get hasNewline(): boolean {
    return (this.#found & HAS_NEWLINE) !== 0;
  }

  /** Whether `KinesisS` stands in it, as in each log line of the enricher. */
  get hasLogger(): boolean {
    return (this.#found & HAS_LOGGER) !== 0;
  }

  /**
   * Whether its first column is anything but a short word (letters, digits, `.`, `-`, `_`, and not both dots and capitals, as a Java class
   * has) or its last anything but a number or a time: something may be glued to it. For lines of two columns or more.
   */
  get hasOddEnds(): boolean {
    return (this.#found & HAS_ODD_ENDS) !== 0;
  }

  /** Whether `{"line":` stands at a multiple of 4,096 bytes, where the enricher may have printed an event that it refused into a record. */
  get hasBadRow(): boolean {
    return (this.#found & HAS_BAD_ROW) !== 0;
  }

  /** Whether `{"line":` stands anywhere in it. */
  get holdsBadRow(): boolean {
    return this.#module.holdsBadRow(this.#row) !== 0;
  }

  get isAscii(): boolean {
    return (this.#found & IS_BEYOND_ASCII) === 0;
  }

  /** Where a column starts. */
  start(column: number): number {
    if (!this.#isSpread) this.#spread();
    return this.#words[ENDS + column]! + 1;
  }

  /** Where a column ends: the place of the tab after it, or the line's end. */
  end(column: number): number {
    if (!this.#isSpread) this.#spread();
    return this.#words[ENDS + column + 1]!;
  }

  /** Whether these bytes are its first column. */
  beginsWith(column: Uint8Array): boolean {
    const start = this.#words[TABLE + this.#row * 2]!;
    const end = start + column.length;
    const lineEnd = this.#words[TABLE + this.#row * 2 + 1]!;
    if (end > lineEnd || (end < lineEnd && this.bytes[end] !== TAB)) return false;
    for (let i = 0; i < column.length; i++) if (this.bytes[start + i] !== column[i]) return false;
    return true;
  }

  /** Whether nothing stands in a column, or the line has not so many. */
  isEmpty(column: number): boolean {
    return this.#module.isEmpty(this.#row, column) !== 0;
  }

  /**
   * Writes 128 bits of a hash of the bytes of neighbouring columns, from the `first` to the `last`: another one in each process, so that
   * nobody can foresee it.
   */
  hash(first: number, last: number, into: Uint32Array): void {
    this.#module.hash(this.#row, first, last);
    for (let i = 0; i < 4; i++) into[i] = this.#words[HASH + i]!;
  }

  /**
   * Reads a UUID's 128 bits from the 36 characters of a column, in either case.
   *
   * @param into takes four words; they are of no use when it says false: the column holds no UUID, or the line has not so many
   */
  uuid(column: number, into: Uint32Array): boolean {
    const row = this.#row;
    // An event's id is looked at to see whether it is one, and again to compare it with others.
    if (this.#uuidColumns[row] !== column + 1) {
      const isUuid = this.#module.uuid(row, column) !== 0;
      this.#uuidColumns[row] = isUuid ? column + 1 : 0;
      if (!isUuid) return false;
    }
    for (let i = 0; i < 4; i++) into[i] = this.#words[UUIDS + row * 4 + i]!;
    return true;
  }

  /** Whether a column holds a time that exists, as `2026-11-22 09:00:00` with up to nine digits of a fraction. */
  isTimestamp(column: number): boolean {
    return this.#module.isTimestamp(this.#row, column) !== 0;
  }

  /** Puts a line behind all before it, with room for the bits in front. Says where it ends. */
  #put(line: Uint8Array, row: number, behind: number): number {
    const start = behind + Math.ceil(line.length / STEP_BYTES) * WORD_BYTES;
    const end = start + line.length;
    if (end + STEP_BYTES > this.bytes.length) this.#grow(end + STEP_BYTES);
    this.bytes.set(line, start);
    this.#words[TABLE + row * 2] = start;
    this.#words[TABLE + row * 2 + 1] = end;
    return end;
  }

  #spread(): void {
    this.#module.spread(this.#row);
    this.#isSpread = true;
  }

  #grow(length: number): void {
    this.#module.memory.grow(Math.ceil((length - this.bytes.length) / PAGE_BYTES));
    this.#view();
  }

  #view(): void {
    const { buffer } = this.#module.memory;
    this.bytes = Buffer.from(buffer);
    this.#words = new Int32Array(buffer);
  }
}

/** The one of the process: lines are indexed once for all the steps that read them. */
export const lineIndex = new LineIndex();

interface LineModule extends WasmModule {
  readonly scan: (row: number) => void;
  readonly scanAll: (count: number) => void;
  readonly spread: (row: number) => void;
  readonly holdsBadRow: (row: number) => number;
  readonly isEmpty: (row: number, column: number) => number;
  readonly hash: (row: number, first: number, last: number) => void;
  readonly uuid: (row: number, column: number) => number;
  readonly isTimestamp: (row: number, column: number) => number;
}
