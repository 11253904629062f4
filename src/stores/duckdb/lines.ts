/** How many rows a chunk of DuckDB's has room for. */
export const CHUNK_ROWS = 2048;
/** How many bytes of lines go into a chunk; a longer line has one of its own. */
const CHUNK_BYTES = 3 * 1024 * 1024;
/** One is with DuckDB, one is being split, and two are full or being filled. */
const SLOTS = 4;
/** A tab follows each line, the next one begins at a word, and a short field may be read to the end of its cell. */
const PADDING_BYTES = 16;
/** The longest line that goes through memory of the usual size. */
export const USUAL_LINE_BYTES = CHUNK_BYTES - PADDING_BYTES;
const TAB = 9;

/** Words before the text of a slot: in which pass it is full (0: empty, -1: nothing comes any more), how many lines it has, and three words a line. */
const STATE = 0;
const ENDED = -1;
const COUNT = 1;
const HEADER_WORDS = 2 + 3 * CHUNK_ROWS;
const HEADER_BYTES = Math.ceil((HEADER_WORDS * 4) / 64) * 64;

/** The lines of one chunk, in memory that threads share: each from a word on, a tab behind it. */
export class LineSlot {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly view: DataView;
  /** The number of each line in its load, where it starts, and where it ends. */
  readonly numbers: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly #header: Int32Array;

  private constructor(memory: SharedArrayBuffer, at: number, sizeBytes: number) {
    this.#header = new Int32Array(memory, at, HEADER_WORDS);
    [this.numbers, this.starts, this.ends] = [0, 1, 2].map((i) =>
      this.#header.subarray(2 + i * CHUNK_ROWS, 2 + (i + 1) * CHUNK_ROWS),
    ) as [Int32Array, Int32Array, Int32Array];
    const text = [memory, at + HEADER_BYTES, sizeBytes - HEADER_BYTES] as const;
    this.bytes = Buffer.from(...text);
    this.words = new Int32Array(memory, text[1], text[2] >> 2);
    this.view = new DataView(...text);
  }

  static all(memory: SharedArrayBuffer): readonly LineSlot[] {
    const sizeBytes = memory.byteLength / SLOTS;
    return Array.from({ length: SLOTS }, (_, i) => new LineSlot(memory, i * sizeBytes, sizeBytes));
  }

  get count(): number {
    return this.#header[COUNT]!;
  }

  /** How many bytes of text it has. */
  get length(): number {
    return this.count === 0 ? 0 : afterLine(this.ends[this.count - 1]!);
  }

  line(index: number): Buffer {
    return this.bytes.subarray(this.starts[index], this.ends[index]);
  }

  /**
   * Takes as many lines as there is room for, at least one, or none when there are no more.
   *
   * @param numbers which of the lines
   * @returns the place in `numbers` of the first that is not taken
   */
  gather(lines: readonly Uint8Array[], numbers: Int32Array, from: number): number {
    let [to, count, end] = [from, 0, 0];
    for (; to < numbers.length && count < CHUNK_ROWS; to++) {
      const number = numbers[to]!;
      const line = lines[number]!;
      if (count > 0 && end + line.length + PADDING_BYTES > CHUNK_BYTES) break;
      this.bytes.set(line, end);
      this.numbers[count] = number;
      this.starts[count] = end;
      end += line.length;
      this.ends[count++] = end;
      this.bytes[end] = TAB;
      this.bytes[end + 1] = this.bytes[end + 2] = this.bytes[end + 3] = 0;
      end = afterLine(end);
    }
    this.#header[COUNT] = count;
    return to;
  }

  /** Resolves once the slot is empty. */
  async emptied(): Promise<void> {
    for (let state = Atomics.load(this.#header, STATE); state !== 0; state = Atomics.load(this.#header, STATE))
      await Atomics.waitAsync(this.#header, STATE, state).value;
  }

  /** Returns once the slot is full, in this pass, or has ended; meanwhile the thread does nothing. */
  awaitFull(pass: number): void {
    for (;;) {
      const state = Atomics.load(this.#header, STATE);
      if (state === pass || state === ENDED) return;
      Atomics.wait(this.#header, STATE, state);
    }
  }

  /** Hands it over without lines, whatever the pass. */
  end(): void {
    this.#header[COUNT] = 0;
    this.set(ENDED);
  }

  /** Hands it over: full, in a pass, or empty. */
  set(pass: number): void {
    Atomics.store(this.#header, STATE, pass);
    Atomics.notify(this.#header, STATE);
  }
}

function afterLine(end: number): number {
  return (end + 4) & ~3;
}

/** Sends the lines of a load to the thread that reads them, as fast as that one does; as often as it asks for them. */
export class LineSender {
  readonly longestBytes: number;
  readonly memory: SharedArrayBuffer;
  readonly #slots: readonly LineSlot[];
  /** What is being sent: of two passes over the same memory only the later one may write there. */
  #sending: Int32Array | undefined;

  /** @param longestBytes how many bytes the longest line may have, at least the usual */
  constructor(longestBytes: number) {
    const textBytes = Math.ceil((longestBytes + PADDING_BYTES) / 64) * 64;
    this.longestBytes = longestBytes;
    this.memory = new SharedArrayBuffer(SLOTS * (HEADER_BYTES + textBytes));
    this.#slots = LineSlot.all(this.memory);
  }

  /** Begins a pass, which ends the one before; a slot without lines is its end. */
  async send(pass: number, lines: readonly Uint8Array[], numbers: Int32Array): Promise<void> {
    this.stop();
    this.#sending = numbers;
    for (let i = 0, next = 0; ; i++) {
      const slot = this.#slots[i % SLOTS]!;
      await slot.emptied();
      if (this.#sending !== numbers) return;
      next = slot.gather(lines, numbers, next);
      slot.set(pass);
      if (slot.count === 0) return;
    }
  }

  /** Ends all passes in the middle: whoever reads finds fewer lines than there were to be. */
  breakOff(): void {
    this.#sending = undefined;
    for (const slot of this.#slots) slot.end();
  }

  /** Ends the pass. */
  stop(): void {
    this.#sending = undefined;
    for (const slot of this.#slots) slot.set(0);
  }
}

/** Asks for a pass over the lines with these numbers. */
export type AskForLines = (pass: number, numbers: Int32Array) => void;

/** Reads what a `LineSender` sends: all lines in the first pass, which is on its way; in others what it asks for. */
export class LineReader {
  readonly #slots: readonly LineSlot[];
  readonly #ask: AskForLines;
  #pass = 0;
  #next = 0;

  constructor(memory: SharedArrayBuffer, ask: AskForLines) {
    this.#slots = LineSlot.all(memory);
    this.#ask = ask;
  }

  begin(numbers: Int32Array): void {
    if (++this.#pass > 1) this.#ask(this.#pass, numbers);
    this.#next = 0;
  }

  /** Waits for the next slot, and lets the thread do nothing else. */
  next(): LineSlot {
    const slot = this.#slots[this.#next++ % SLOTS]!;
    slot.awaitFull(this.#pass);
    return slot;
  }
}
