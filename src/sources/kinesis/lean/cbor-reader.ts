/** How deep maps and lists may lie in each other; an answer of Kinesis nests four deep. */
const MAX_DEPTH = 16;

const BREAK = 0xff;
const Major = { unsigned: 0, negative: 1, bytes: 2, text: 3, list: 4, map: 5, tag: 6, simple: 7 } as const;
const Simple = { false: 20, true: 21, null: 22, undefined: 23, half: 25, single: 26, double: 27 } as const;

/** A key that is known beforehand, so that no string is made to recognise it. */
export interface CborKey<Name extends string> {
  readonly name: Name;
  readonly bytes: Uint8Array;
}

/** Makes the keys of a map for `CborReader.key`. */
export function cborKeys<Name extends string>(...names: readonly Name[]): readonly CborKey<Name>[] {
  return names.map((name) => ({ name, bytes: Buffer.from(name) }));
}

/**
 * Reads the items of a CBOR text one after the other, as far as answers of AWS need it: definite and indefinite lengths, any
 * tag (passed over), no big numbers. Byte strings are views of what was given. Time and memory are bounded by its length.
 *
 * https://www.rfc-editor.org/rfc/rfc8949
 *
 * Every method @throws {SyntaxError} when the bytes are cut off or are not what is asked for.
 */
export class CborReader {
  readonly #bytes: Buffer;
  #at = 0;
  /** Of the last head: what its item counts, or -1 when that is indefinite; of a simple item which one it is. */
  #argument = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Enters a map or a list. Gives how many entries it has to `hasMore`; none when it is null. */
  enter(what: 'map' | 'list'): number {
    if (this.isNull()) return 0;
    if (this.#head() !== Major[what]) throw this.#malformed(`a ${what}`);
    return this.#argument;
  }

  /** Tells whether there is another entry, when `left` of them are to come; a negative number is indefinite. */
  hasMore(left: number): boolean {
    if (left >= 0) return left > 0;
    if (this.#peek() !== BREAK) return true;
    this.#at++;
    return false;
  }

  /** Reads a map's key. Gives undefined for one that is not among the names; its value is still to be read. */
  key<Name extends string>(keys: readonly CborKey<Name>[]): Name | undefined {
    if (this.#head() !== Major.text) throw this.#malformed('a key');
    const length = this.#argument;
    if (length < 0) {
      const text = this.#joined(Major.text).toString();
      return keys.find(({ name }) => name === text)?.name;
    }
    this.#need(length);
    const at = this.#at;
    this.#at += length;
    for (let i = 0; i < keys.length; i++) {
      const { name, bytes } = keys[i]!;
      if (bytes.length !== length) continue;
      let same = 0;
      while (same < length && bytes[same] === this.#bytes[at + same]) same++;
      if (same === length) return name;
    }
    return undefined;
  }

  /** Reads a text, or null. */
  text(): string | undefined {
    if (this.isNull()) return undefined;
    if (this.#head() !== Major.text) throw this.#malformed('a text');
    return this.#text();
  }

  /** Reads bytes, or null. A text is taken for base64, as the Java SDK takes it. */
  bytes(): Uint8Array | undefined {
    if (this.isNull()) return undefined;
    const major = this.#head();
    if (major === Major.text) return Buffer.from(this.#text(), 'base64');
    if (major !== Major.bytes) throw this.#malformed('bytes');
    return this.#byteString();
  }

  /** Reads a number, or null. One beyond the whole numbers that JavaScript knows is the nearest it has. */
  number(): number | undefined {
    if (this.isNull()) return undefined;
    const value = this.value();
    if (typeof value !== 'number') throw this.#malformed('a number');
    return value;
  }

  /** Reads whatever comes: a map as an object, null and undefined as null. */
  value(depth = 0): unknown {
    if (depth > MAX_DEPTH) throw this.#malformed('less depth');
    switch (this.#head()) {
      case Major.unsigned:
        return this.#argument;
      case Major.negative:
        return -1 - this.#argument;
      case Major.bytes:
        return this.#byteString();
      case Major.text:
        return this.#text();
      case Major.list: {
        const list: unknown[] = [];
        for (let left = this.#argument; this.hasMore(left); left--) list.push(this.value(depth + 1));
        return list;
      }
      case Major.map: {
        const entries: [unknown, unknown][] = [];
        for (let left = this.#argument; this.hasMore(left); left--) entries.push([this.value(depth + 1), this.value(depth + 1)]);
        return Object.fromEntries(entries);
      }
      default:
        return this.#simple();
    }
  }

  /** Tells whether null comes next, and passes over it. */
  isNull(): boolean {
    const next = this.#peek();
    if (next !== ((Major.simple << 5) | Simple.null) && next !== ((Major.simple << 5) | Simple.undefined)) return false;
    this.#at++;
    return true;
  }

  /** Makes sure that nothing follows. */
  end(): void {
    if (this.#at < this.#bytes.length) throw this.#malformed('the end');
  }

  /** Reads what an item is, behind its tags. */
  #head(): number {
    for (;;) {
      const first = this.#peek();
      this.#at++;
      const major = first >> 5;
      const minor = first & 31;
      if (minor < 24 || major === Major.simple) this.#argument = minor;
      else if (minor < 28) this.#argument = this.#unsigned(1 << (minor - 24));
      else if (minor === 31 && major >= Major.bytes && major <= Major.map) this.#argument = -1;
      else throw this.#malformed('an item');
      if (major !== Major.tag) return major;
    }
  }

  #unsigned(size: number): number {
    this.#need(size);
    const at = this.#at;
    this.#at += size;
    if (size === 8) return this.#bytes.readUInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
    return this.#bytes.readUIntBE(at, size);
  }

  #text(): string {
    if (this.#argument < 0) return this.#joined(Major.text).toString();
    const at = this.#take(this.#argument);
    return this.#bytes.toString('utf8', at, this.#at);
  }

  #byteString(): Uint8Array {
    if (this.#argument < 0) return this.#joined(Major.bytes);
    const at = this.#take(this.#argument);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, this.#argument);
  }

  /** A string of indefinite length: strings of definite length until the break. */
  #joined(major: number): Buffer {
    const chunks: Uint8Array[] = [];
    while (this.hasMore(-1)) {
      if (this.#head() !== major || this.#argument < 0) throw this.#malformed('a piece of a string');
      chunks.push(this.#byteString());
    }
    return Buffer.concat(chunks);
  }

  #simple(): unknown {
    switch (this.#argument) {
      case Simple.false:
        return false;
      case Simple.true:
        return true;
      case Simple.null:
      case Simple.undefined:
        return null;
      case Simple.half: {
        const at = this.#take(2);
        return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getFloat16(at);
      }
      case Simple.single:
        return this.#bytes.readFloatBE(this.#take(4));
      case Simple.double:
        return this.#bytes.readDoubleBE(this.#take(8));
      default:
        throw this.#malformed('an item');
    }
  }

  #peek(): number {
    this.#need(1);
    return this.#bytes[this.#at]!;
  }

  #take(count: number): number {
    this.#need(count);
    const at = this.#at;
    this.#at += count;
    return at;
  }

  #need(count: number): void {
    if (this.#bytes.length - this.#at < count) throw new SyntaxError(`CBOR: cut off after ${this.#bytes.length} bytes`);
  }

  #malformed(expected: string): SyntaxError {
    return new SyntaxError(`CBOR: expected ${expected} before byte ${this.#at}`);
  }
}
