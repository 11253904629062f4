import { LINE_INDEX_WASM } from './line-index-wasm.ts';

/** How many lines are indexed at once. */
export const MAX_LINES = 256;

/** The row of the one line that is indexed beside them. */
const ONE = MAX_LINES;
// Where things lie in the module's memory: see line-index.as.
const [TABLE, FOUND, ENDS, ROW_WORDS, LINES] = [0x10000 >> 2, 0x11000 >> 2, 0x12000 >> 2, 640 >> 2, 0x40000];
const [COUNT, HAS_NEWLINE, HAS_LOGGER, IS_BEYOND_ASCII] = [0xffffff, 0x1000000, 0x2000000, 0x4000000];
/** Sixteen bytes are read at a time. */
const SPARE_BYTES = 16;
const PAGE_BYTES = 65_536;

/**
 * Finds the columns of tab-separated lines: of up to 256 of them at once, and of one beside them.
 *
 * It works on copies in the memory of a WebAssembly module, where sixteen bytes are looked at in one go, and where text can be cut
 * without a view on its line: 180 ns a line of 1.3 kB and 131 columns, copying included, a fifth of what a loop takes here. It shows one
 * line at a time, by the row it was given, until other lines take its place. It keeps room for the most bytes it ever saw.
 */
export class LineIndex {
  /** What columns are cut from: `start` and `end` are places in it. It is another one once the memory has grown. */
  bytes: Buffer = Buffer.alloc(0);
  #words = new Int32Array();
  readonly #module = instantiate();
  /** By row, the line of which the columns are known. */
  readonly #lines: (Uint8Array | undefined)[] = Array.from({ length: MAX_LINES + 1 });
  /** Where the row begins whose line is shown. */
  #row = ENDS;
  #found = 0;
  /** The bytes of the many lines end here; the one line comes behind them. */
  #linesEnd = LINES;

  constructor() {
    this.#view();
  }

  /** Shows the line of a row, if it still is this one. */
  shows(row: number, line: Uint8Array): boolean {
    if (this.#lines[row] !== line) return false;
    this.#turnTo(row);
    return true;
  }

  /** Indexes a line, unless it is the one that was indexed last; shows it, and says which row it has. */
  add(line: Uint8Array): number {
    if (this.#lines[ONE] !== line) {
      this.#room(this.#linesEnd + line.length);
      this.#put(ONE, line, this.#linesEnd);
      this.#module.scan(ONE, 1);
      this.#lines[ONE] = line;
    }
    this.#turnTo(ONE);
    return ONE;
  }

  /** Indexes up to 256 lines: the first one has row 0. Shows none of them. */
  addAll(lines: readonly Uint8Array[]): void {
    let end = LINES;
    for (let i = 0; i < lines.length; i++) end += lines[i]!.length;
    this.#room(end);
    let at = LINES;
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!;
      this.#put(i, line, at);
      this.#lines[i] = line;
      at += line.length;
    }
    this.#module.scan(0, lines.length);
    this.#linesEnd = end;
    // Its bytes may lie where others lie now.
    this.#lines[ONE] = undefined;
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

  #turnTo(row: number): void {
    this.#row = ENDS + row * ROW_WORDS;
    this.#found = this.#words[FOUND + row]!;
  }

  #put(row: number, line: Uint8Array, at: number): void {
    this.bytes.set(line, at);
    this.#words[TABLE + row * 2] = at;
    this.#words[TABLE + row * 2 + 1] = at + line.length;
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

interface LineModule {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): void };
  readonly scan: (firstRow: number, count: number) => void;
}

/** What of WebAssembly is used here: Node's types leave it out. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
}

function instantiate(): LineModule {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
  return new Instance(new Module(Buffer.from(LINE_INDEX_WASM, 'base64'))).exports as LineModule;
}
