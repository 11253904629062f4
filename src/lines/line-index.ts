import { randomFillSync } from 'node:crypto';
import type { Records } from '../records.ts';
import { type WasmModule, instantiate } from './instantiate.ts';
import { LINE_INDEX_WASM } from './line-index-wasm.ts';

/** How many lines are indexed at once. */
export const MAX_LINES = 256;
/** Records are indexed together up to so many bytes, so that they stay near. */
const MAX_BYTES = 512 * 1024;

// Where things lie in the module's memory: see line-index.as.
const [SEED, HASH, UUID] = [0xf000 >> 2, 0xf010 >> 2, 0xf020 >> 2];
const [TABLE, FOUND, ENDS, ROW_WORDS, LINES] = [0x10000 >> 2, 0x11000 >> 2, 0x12000 >> 2, 640 >> 2, 0x40000];
const [COUNT, HAS_NEWLINE, HAS_LOGGER, IS_BEYOND_ASCII] = [0xffffff, 0x1000000, 0x2000000, 0x4000000];
/** Sixteen bytes are read at a time. */
const SPARE_BYTES = 16;
const PAGE_BYTES = 65_536;

/**
 * Finds the columns of a tab-separated line, or of up to 256 of them at once.
 *
 * It works on copies in the memory of a WebAssembly module, where sixteen bytes are looked at in one go, and where text can be cut
 * without a view on its line: 180 ns a line of 1.3 kB and 131 columns, copying included, a fifth of what a loop takes here. It shows one
 * line at a time, and keeps room for the most bytes it ever saw.
 */
export class LineIndex {
  /** What columns are cut from: `start` and `end` are places in it. It is another one once the memory has grown. */
  bytes: Buffer = Buffer.alloc(0);
  #words = new Int32Array();
  readonly #module = instantiate<LineModule>(LINE_INDEX_WASM);
  /** The one line of which the columns are known. */
  #line: Uint8Array | undefined;
  /** Where the row begins of the line that is shown, and what was found of it. */
  #row = ENDS;
  #found = 0;
  #lineFound = 0;
  /** Where the bytes of many lines end; those of the one line lie behind them. */
  #linesEnd = LINES;

  constructor() {
    this.#view();
    randomFillSync(this.#words, SEED, HASH - SEED);
  }

  /** Shows a line; it is indexed unless it is the one that was indexed last. */
  add(line: Uint8Array): void {
    if (this.#line !== line) {
      const end = this.#linesEnd + line.length;
      this.#room(end);
      this.bytes.set(line, this.#linesEnd);
      this.#lineFound = this.#module.scan(this.#linesEnd, end);
      this.#line = line;
    }
    this.#row = ENDS + MAX_LINES * ROW_WORDS;
    this.#found = this.#lineFound;
  }

  /** Indexes up to 256 lines at once, to be shown by their places among them until others are. */
  addAll(lines: readonly Uint8Array[]): void {
    this.#addMany(lines.length, (i) => lines[i]!);
  }

  /** Indexes records at once, as many as it can from the one of this number on. Says how many. */
  addRecords(records: Records, from: number): number {
    const last = Math.min(records.count, from + MAX_LINES);
    let end = from;
    let bytes = 0;
    for (; end < last; end++) {
      bytes += records.sizeOf(end);
      if (bytes > MAX_BYTES && end > from) break;
    }
    this.#addMany(end - from, (i) => records.rawOf(from + i));
    return end - from;
  }

  /** Shows one of the lines that were indexed together. */
  show(row: number): void {
    this.#row = ENDS + row * ROW_WORDS;
    this.#found = this.#words[FOUND + row]!;
  }

  /** How many columns the line has. Where they end is known of the first 140. */
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

  get isAscii(): boolean {
    return (this.#found & IS_BEYOND_ASCII) === 0;
  }

  /** Where a column starts. */
  start(column: number): number {
    return this.#words[this.#row + column]! + 1;
  }

  /** Where a column ends: the place of the tab after it, or the line's end. */
  end(column: number): number {
    return this.#words[this.#row + column + 1]!;
  }

  /** Writes 128 bits of a hash of the bytes from `start` to `end`, places in `bytes`: another one in each process, so that nobody can foresee it. */
  hash(start: number, end: number, into: Uint32Array): void {
    this.#module.hash(start, end);
    for (let i = 0; i < 4; i++) into[i] = this.#words[HASH + i]!;
  }

  /**
   * Reads a UUID's 128 bits from the 36 characters of a column, in either case.
   *
   * @param into takes four words; they are of no use when it says false: the column holds no UUID
   */
  uuid(column: number, into: Uint32Array): boolean {
    const isUuid = this.#module.uuid(this.start(column), this.end(column)) !== 0;
    for (let i = 0; i < 4; i++) into[i] = this.#words[UUID + i]!;
    return isUuid;
  }

  /** Whether a column holds a time that exists, as `2026-11-22 09:00:00` with up to nine digits of a fraction. */
  isTimestamp(column: number): boolean {
    return this.#module.isTimestamp(this.start(column), this.end(column)) !== 0;
  }

  #addMany(count: number, lineOf: (i: number) => Uint8Array): void {
    let at = LINES;
    for (let i = 0; i < count; i++) {
      const line = lineOf(i);
      this.#room(at + line.length);
      this.bytes.set(line, at);
      this.#words[TABLE + i * 2] = at;
      this.#words[TABLE + i * 2 + 1] = at += line.length;
    }
    this.#module.scanAll(count);
    this.#linesEnd = at;
    // Its bytes lay where others lie now.
    this.#line = undefined;
  }

  #room(end: number): void {
    const missing = end + SPARE_BYTES - this.bytes.length;
    if (missing <= 0) return;
    this.#module.memory.grow(Math.ceil(missing / PAGE_BYTES));
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
  readonly scan: (start: number, end: number) => number;
  readonly scanAll: (count: number) => void;
  readonly hash: (start: number, end: number) => void;
  readonly uuid: (start: number, end: number) => number;
  readonly isTimestamp: (start: number, end: number) => number;
}
