import { Scores } from '../commands/scores.ts';

/** An argument as it is sent: a number as text, as everything in Redis; scores as a list of numbers, each followed by its member. */
export type Packable = string | number | Buffer | Scores;

const FIRST_BYTES = 64 * 1024;
/** A list of so many that their number fits in 32 bits. */
const [LIST_32, LIST_HEAD_BYTES] = [0xdd, 5];
/** Text of up to 31 bytes, and of up to as many as fit in 8, 16 and 32 bits. */
const [TEXT_5, TEXT_8, TEXT_16, TEXT_32] = [0xa0, 0xd9, 0xda, 0xdb];
const HEAD_BYTES = 5;
const ZERO = 0x30;
/** A number is written in parts of so many digits, as far as integers of 32 bits go. */
const [PART, PART_DIGITS] = [1_000_000_000, 9];

/**
 * Writes a list of arguments as one, in MessagePack, byte by byte into a buffer that is used again. A script takes it apart in half the time
 * that as many arguments of a call take. https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export class PackWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = LIST_HEAD_BYTES;
  #count = 0;

  add(arg: Packable): void {
    this.#count++;
    if (typeof arg === 'string') this.text(arg);
    else if (typeof arg === 'number') this.number(arg);
    else if (arg instanceof Scores) this.#scores(arg);
    else this.#data(arg);
  }

  /** Adds a command: its name, how many arguments it has, and those, the key first. */
  addCommand(name: string, key: string, args: readonly Packable[]): void {
    this.add(name);
    this.add(args.length + 1);
    this.add(key);
    for (let i = 0; i < args.length; i++) this.add(args[i]!);
  }

  /** Where the key of the command will stand that is added next, counted from 1. */
  get nextKey(): number {
    return this.#count + 3;
  }

  /** Adds a list as one argument; its items are to be written next. */
  addList(length: number): void {
    this.#count++;
    this.#list(length);
  }

  /** The bytes of all that was added; good until more is. */
  take(): Buffer {
    this.#listHead(0, this.#count);
    const taken = this.#bytes.subarray(0, this.#at);
    this.#at = LIST_HEAD_BYTES;
    this.#count = 0;
    return taken;
  }

  /** Writes an item of a list. */
  text(text: string): void {
    const { length } = text;
    // Three bytes for one of its characters at most.
    this.#reserve(HEAD_BYTES + length * 3);
    const start = this.#at;
    this.#head(length);
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        // Not as many bytes as characters: once more, the slow way.
        this.#at = start;
        this.#head(Buffer.byteLength(text));
        at = this.#at + bytes.write(text, this.#at);
        break;
      }
      bytes[at++] = code;
    }
    this.#at = at;
  }

  /** Writes an item of a list. */
  number(number: number): void {
    if (!(number >= 0 && Number.isSafeInteger(number))) return this.text(String(number));
    this.#reserve(HEAD_BYTES + 2 * PART_DIGITS);
    const high = number < PART ? 0 : Math.floor(number / PART);
    const low = number - high * PART;
    if (high === 0) {
      this.#head(digitsOf(low));
      this.#digits(low, digitsOf(low));
    } else {
      this.#head(digitsOf(high) + PART_DIGITS);
      this.#digits(high, digitsOf(high));
      this.#digits(low, PART_DIGITS);
    }
  }

  /** Writes an item of a list that `packed` has put into bytes. */
  packed(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    const bytes = this.#bytes;
    let at = this.#at;
    // They are few: to copy them in one go takes longer.
    for (let i = start; i < end; i++) bytes[at++] = from[i]!;
    this.#at = at;
  }

  #scores({ members, by }: Scores): void {
    this.#list(members.length * 2);
    for (let i = 0; i < members.length; i++) {
      this.number(by[i]!);
      this.text(members[i]!);
    }
  }

  #digits(number: number, count: number): void {
    const bytes = this.#bytes;
    this.#at += count;
    for (let at = this.#at - 1, rest = number; count > 0; at--, count--) {
      const tenth = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
  }

  #data(data: Buffer): void {
    this.#reserve(HEAD_BYTES + data.length);
    this.#head(data.length);
    this.#bytes.set(data, this.#at);
    this.#at += data.length;
  }

  #list(length: number): void {
    this.#reserve(LIST_HEAD_BYTES);
    this.#listHead(this.#at, length);
    this.#at += LIST_HEAD_BYTES;
  }

  #listHead(at: number, length: number): void {
    this.#bytes[at] = LIST_32;
    this.#bytes.writeUInt32BE(length, at + 1);
  }

  #head(length: number): void {
    const bytes = this.#bytes;
    if (length < 32) bytes[this.#at++] = TEXT_5 + length;
    else if (length < 0x100) {
      bytes[this.#at++] = TEXT_8;
      bytes[this.#at++] = length;
    } else if (length < 0x10000) {
      bytes[this.#at++] = TEXT_16;
      this.#at = bytes.writeUInt16BE(length, this.#at);
    } else {
      bytes[this.#at++] = TEXT_32;
      this.#at = bytes.writeUInt32BE(length, this.#at);
    }
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + count));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

function digitsOf(number: number): number {
  let digits = 1;
  for (let power = 10; power <= number; power *= 10) digits++;
  return digits;
}

const single = new PackWriter();

/** Text as an item of a list, in bytes. */
export function packed(text: string): Uint8Array {
  single.text(text);
  return new Uint8Array(single.take().subarray(LIST_HEAD_BYTES));
}
