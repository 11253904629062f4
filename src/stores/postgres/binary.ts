import { type WasmModule, instantiate } from '../../lines/instantiate.ts';
import { BINARY_WASM } from './binary-wasm.ts';

// Where things lie in the module's memory: see binary.as.
const [COLUMNS, STARTS, LINES, MESSAGE] = [0x10000 >> 2, 0x12000 >> 2, 0x20000, 0x60000];
const MAX_LINES = 256;
/** Sixteen bytes are read at a time. */
const SPARE_BYTES = 16;

const COPY_DATA = 0x64; // 'd'
const HEADER_BYTES = 5;
/** The format's name, no flags, no extension. https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4 */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = -1;

/**
 * Writes lines in COPY's binary format, which costs the server about three quarters of what text does, in WebAssembly. Its memory is of one
 * size, whatever comes.
 */
export class BinaryLines {
  readonly #module: BinaryModule;
  readonly #columns: number;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  /** How many lines are taken in, and how many of them are written. */
  #taken = 0;
  #row = 0;
  #end = 0;

  /** @param columns what `columnWord` says of each column */
  constructor(columns: readonly number[]) {
    const toNumber = (start: number, end: number): number => Number(this.#bytes.toString('latin1', start, end));
    this.#module = instantiate<BinaryModule>(BINARY_WASM, { toNumber });
    this.#bytes = Buffer.from(this.#module.memory.buffer);
    this.#words = new Uint32Array(this.#module.memory.buffer);
    this.#words.set(columns, COLUMNS);
    this.#columns = columns.length;
  }

  /** The line before which the last messages ended: the first one in doubt, or the number of lines. */
  get end(): number {
    return this.#end;
  }

  /**
   * Writes lines from `from` on, up to one that is in doubt or too long, as CopyData messages. A message is good until the next
   * one is asked for: they share their memory.
   */
  *messages(lines: readonly Uint8Array[], from: number): Generator<Buffer> {
    const { encode, end: written, isInDoubt } = this.#module;
    const first = MESSAGE + HEADER_BYTES;
    let at = first + SIGNATURE.copy(this.#bytes, first);
    this.#end = from;
    this.#row = this.#taken = 0;
    while (this.#row < this.#taken || this.#take(lines)) {
      const row = encode(this.#columns, this.#row, this.#taken, at);
      this.#end += row - this.#row;
      this.#row = row;
      at = written.value;
      if (row === this.#taken) continue;
      if (isInDoubt.value || at === first) break;
      yield this.#message(at);
      at = first;
    }
    yield this.#message(this.#bytes.writeInt16BE(TRAILER, at));
  }

  /** Takes in as many of the next lines as there is room for; false when there is none, or the next one is too long. */
  #take(lines: readonly Uint8Array[]): boolean {
    let at = LINES;
    let count = 0;
    this.#words[STARTS] = at;
    for (let i = this.#end; i < lines.length && count < MAX_LINES; i++) {
      const line = lines[i]!;
      if (at + line.length + SPARE_BYTES > MESSAGE) break;
      this.#bytes.set(line, at);
      at += line.length;
      this.#words[STARTS + ++count] = at;
    }
    this.#taken = count;
    this.#row = 0;
    return count > 0;
  }

  #message(end: number): Buffer {
    this.#bytes[MESSAGE] = COPY_DATA;
    this.#bytes.writeUInt32BE(end - MESSAGE - 1, MESSAGE + 1);
    return this.#bytes.subarray(MESSAGE, end);
  }
}

interface BinaryModule extends WasmModule {
  readonly encode: (columns: number, from: number, to: number, at: number) => number;
  readonly end: { readonly value: number };
  readonly isInDoubt: { readonly value: number };
}
