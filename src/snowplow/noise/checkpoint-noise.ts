import { asBuffer } from '../../as-buffer.ts';
import { lineIndex } from '../../lines/line-index.ts';
import {
  BAD_ROW,
  LOGGER,
  THROWN,
  type Noise,
  blockAt,
  findNoise,
  isBlockMessage,
  isBlockTrace,
  isException,
  isNoiseLine,
} from './grammar.ts';
import { NoiseKnowledge } from './knowledge.ts';
import { withoutLogLine } from './one-log-line.ts';
import { BAD_ROW_REASON, type NoiseOut, NoisePuzzle, UNEXPLAINED_REASON } from './puzzle.ts';

export interface CheckpointNoiseOptions {
  /**
   * How many bytes it keeps waiting for what explains them; past that they are rejects. The longest record that it can take.
   *
   * @default 4_194_304 (4 MiB)
   */
  readonly maxPendingBytes?: number;
}

/** A line that java.util.logging printed into: it writes its two lines, newlines and all, in one go. */
interface Blocks {
  bytes: Buffer;
  readonly from: number;
  readonly noise: Noise[];
  /** Where the last block begins when its second line has yet to come; else -1. */
  headAt: number;
}

/** The shortest part of a record that one write prints, but for its last. */
const PAGE = 4096;
const TAB = 9;
const NEWLINE = 10;

/**
 * Tells the enricher's records from what it printed between and into them, in one text that comes in chunks.
 *
 * It knows a closed set of messages (scala-kinesis-enrich 0.1.0 to 0.7.0): bare lines, `[thread] LEVEL logger - message`
 * anywhere, blocks of java.util.logging, stack traces, bad rows. Noise is left out; a record comes out byte for byte, without its
 * newline; bad rows and what cannot be explained are rejects with their bytes. How the text is cut into chunks makes no difference.
 */
export class CheckpointNoise {
  readonly #maxPendingBytes: number;
  readonly #knowledge = new NoiseKnowledge();
  readonly #puzzle = new NoisePuzzle(this.#knowledge);
  /** Where the next chunk begins in the text. */
  #offset = 0;
  /** The line that has no newline yet. */
  #tail: Buffer[] = [];
  #tailBytes = 0;
  /** True inside a line that is longer than the limit. */
  #isOverlong = false;
  /** A line into which blocks of java.util.logging were printed. */
  #blocks: Blocks | undefined;

  /** @throws {RangeError} when `maxPendingBytes` is not above zero. */
  constructor({ maxPendingBytes = 4 * 1024 * 1024 }: CheckpointNoiseOptions = {}) {
    if (!(maxPendingBytes > 0)) throw new RangeError(`CheckpointNoise: expected maxPendingBytes above 0, got ${maxPendingBytes}`);
    this.#maxPendingBytes = maxPendingBytes;
  }

  /** Up to where the text is done with: what lies behind is kept, and may yet become part of a record. */
  get doneTo(): number {
    if (!this.#puzzle.isIdle) return this.#puzzle.from;
    return this.#blocks?.from ?? this.#offset - this.#tailBytes;
  }

  /** The one record of a text, when it is beyond doubt which one that is; the text is then done with. For whole texts, instead of `push`. */
  recordOf(text: Uint8Array): Buffer | undefined {
    return text.length > this.#maxPendingBytes ? undefined : withoutLogLine(asBuffer(text), this.#knowledge);
  }

  /** Says whether a line has the columns of a record, and noise glued to the first or the last of them. */
  hasGlued(line: Uint8Array): boolean {
    return this.#knowledge.hasGlued(line);
  }

  /**
   * Takes a line that is shown by the index, and its newline, when it is a record beyond doubt and nothing else is in doubt; else it is to be
   * pushed. What comes of both is the same.
   *
   * @param line without its newline; it has no mark of the log, and its last column is a number or a time
   */
  takes(line: Uint8Array): boolean {
    const isQuiet = this.#tailBytes === 0 && !this.#isOverlong && !this.#blocks && this.#puzzle.isIdle;
    if (!isQuiet || line.length > this.#maxPendingBytes || lineIndex.holdsBadRow || hasThrown(line)) return false;
    if (!this.#knowledge.recognizeClean()) return false;
    this.#offset += line.length + 1;
    return true;
  }

  /** Takes the next bytes of the text, which must not change from then on; gives out what they complete. */
  push(chunk: Uint8Array, out: NoiseOut): void {
    const bytes = asBuffer(chunk);
    const base = this.#offset;
    this.#offset += bytes.length;
    // Where the next mark of noise stands: looked for once a chunk, not once a line.
    let logger = -2;
    let badRow = -2;
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      if (this.#tailBytes > 0 || this.#isOverlong) {
        this.#keep(bytes.subarray(start, end), base + end, out);
        this.#endTail(base + end, true, out);
      } else {
        if (logger !== -1 && logger < start) logger = bytes.indexOf(LOGGER, start);
        if (badRow !== -1 && badRow < start) badRow = bytes.indexOf(BAD_ROW, start);
        const marked = (logger !== -1 && logger < end) || (badRow !== -1 && badRow < end);
        this.#line(bytes.subarray(start, end), base + start, marked, true, out);
      }
      start = end + 1;
    }
    if (start < bytes.length) this.#keep(bytes.subarray(start), this.#offset, out);
  }

  /** Ends the text: gives out what is left and forgets all; the next chunk begins another text. */
  end(out: NoiseOut): void {
    if (this.#tailBytes > 0) this.#endTail(this.#offset, false, out);
    this.#settle(out);
    this.#knowledge.forget();
    this.#offset = 0;
    this.#isOverlong = false;
  }

  #keep(bytes: Buffer, to: number, out: NoiseOut): void {
    if (bytes.length === 0) return;
    this.#tail.push(bytes);
    this.#tailBytes += bytes.length;
    const max = this.#maxPendingBytes;
    if (this.#tailBytes <= max) return;
    // Cut at multiples of the limit, wherever the chunks were cut.
    let rest = Buffer.concat(this.#tail);
    if (!this.#isOverlong) this.#settle(out);
    this.#isOverlong = true;
    while (rest.length > max) {
      this.#rejectOverlong(rest.subarray(0, max), to - rest.length, out);
      rest = rest.subarray(max);
    }
    this.#tail = [rest];
    this.#tailBytes = rest.length;
  }

  #endTail(to: number, hasNewline: boolean, out: NoiseOut): void {
    const line = this.#tail.length === 1 ? this.#tail[0]! : Buffer.concat(this.#tail);
    this.#tail = [];
    this.#tailBytes = 0;
    if (this.#isOverlong) this.#rejectOverlong(line, to - line.length, out);
    else this.#line(line, to - line.length, isMarked(line), hasNewline, out);
    this.#isOverlong = false;
  }

  #rejectOverlong(bytes: Buffer, from: number, out: NoiseOut): void {
    const reason = `expected a newline within ${this.#maxPendingBytes} bytes`;
    out.reject(bytes, from, from + bytes.length, 'overlong', reason);
  }

  #line(line: Buffer, from: number, marked: boolean, hasNewline: boolean, out: NoiseOut): void {
    if (line.length > this.#maxPendingBytes) {
      this.#keep(line, from + line.length, out);
      this.#endTail(from + line.length, hasNewline, out);
    } else if (this.#blocks || !this.#puzzle.isIdle) this.#doubt(line, from, hasNewline, out);
    else if (!marked && !hasThrown(line) && this.#knowledge.recognize(line)) out.record(line, from, from + line.length);
    else if (line.length > 0) this.#strange(line, from, hasNewline, out);
  }

  // A line that is not just a record, after others that left no doubt.
  #strange(line: Buffer, from: number, hasNewline: boolean, out: NoiseOut): void {
    const to = from + line.length;
    const text = line.toString('latin1');
    if (isNoiseLine(text)) return this.#knowledge.hear(text);
    if (!line.includes(TAB) && blockAt(text) === -1) {
      // No record and no part of one: those begin with columns.
      if (text.startsWith('{"line":')) return out.reject(line, from, to, 'bad_row', BAD_ROW_REASON);
      if (!line.includes(LOGGER)) return out.reject(line, from, to, 'unexplained', UNEXPLAINED_REASON);
    }
    this.#doubt(line, from, hasNewline, out);
  }

  #doubt(line: Buffer, from: number, hasNewline: boolean, out: NoiseOut): void {
    const text = line.toString('latin1');
    const headAt = blockAt(text);
    const blocks = this.#blocks;
    if (!blocks) {
      if (headAt === -1 || !hasNewline) this.#add(line, from, [], hasNewline, out);
      else this.#blocks = { bytes: line, from, noise: [], headAt };
      return;
    }
    if (blocks.headAt === -1 ? isBlockTrace(text) : isBlockMessage(text)) {
      const at = blocks.headAt === -1 ? blocks.noise.pop()!.at : blocks.headAt;
      blocks.bytes = Buffer.concat([blocks.bytes, NEWLINE_BYTES, line]);
      blocks.headAt = -1;
      blocks.noise.push({ at, ends: [blocks.bytes.length + 1], kind: 'block', thread: '' });
      if (at === 0 && this.#puzzle.isIdle) this.#blocks = undefined;
      else if (blocks.bytes.length > this.#maxPendingBytes) this.#endBlocks(hasNewline, out);
    } else if (blocks.headAt !== -1) {
      // No block after all.
      this.#endBlocks(true, out);
      this.#line(line, from, isMarked(line), hasNewline, out);
    } else {
      const at = blocks.bytes.length + 1;
      blocks.bytes = Buffer.concat([blocks.bytes, NEWLINE_BYTES, line]);
      if (headAt !== -1 && hasNewline) blocks.headAt = at + headAt;
      else this.#endBlocks(hasNewline, out);
    }
  }

  #endBlocks(hasNewline: boolean, out: NoiseOut): void {
    const { bytes, from, noise } = this.#blocks!;
    this.#blocks = undefined;
    // A text that ends with a block has no newline behind it but the block's own.
    const last = noise.at(-1)?.ends[0];
    this.#add(
      bytes,
      from,
      last !== undefined && last > bytes.length ? [...noise.slice(0, -1), { ...noise.at(-1)!, ends: [bytes.length] }] : noise,
      hasNewline,
      out,
    );
  }

  #add(bytes: Buffer, from: number, blocks: readonly Noise[], hasNewline: boolean, out: NoiseOut): void {
    const text = bytes.toString('latin1');
    if (isException(text)) this.#knowledge.hearException(text);
    const noise = [...findNoise(text, this.#knowledge), ...blocks].sort((a, b) => a.at - b.at);
    this.#puzzle.add({ bytes, text, from, noise, hasNewline }, out);
    if (this.#puzzle.sizeBytes > this.#maxPendingBytes) this.#puzzle.end(out);
  }

  // Nothing more comes that would explain what is kept.
  #settle(out: NoiseOut): void {
    if (this.#blocks) this.#endBlocks(false, out);
    this.#puzzle.end(out);
  }
}

const NEWLINE_BYTES = Buffer.from('\n');

// A record of one write has nothing inside; of a longer one, a write may end where an exception's text begins.
function hasThrown(line: Uint8Array): boolean {
  return line.length > PAGE && THROWN.some((word) => asBuffer(line).includes(word));
}

function isMarked(line: Buffer): boolean {
  return line.includes(LOGGER) || line.includes(BAD_ROW);
}
