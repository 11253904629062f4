/** An argument as the client takes it. */
export type Sendable = string | number | Buffer;

const FIRST_BYTES = 64 * 1024;
/** What the length of an argument takes, with its line ends. */
const HEAD_BYTES = 24;
const [STAR, DOLLAR, CR, LF, ZERO] = [0x2a, 0x24, 13, 10, 0x30];

/**
 * Writes a command as Redis's protocol has it, byte by byte into a buffer that is used again: of a call of tens of thousands of short
 * arguments strings would be joined, measured and copied. https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server
 */
export class RespWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;

  /** The bytes of a command and all its arguments, which come in several lists; good until the next one is written. */
  write(name: string, ...lists: readonly (readonly Sendable[])[]): Buffer {
    this.#at = 0;
    this.#head(
      STAR,
      lists.reduce((sum, { length }) => sum + length, 1),
    );
    this.#text(name);
    for (const args of lists) {
      for (let i = 0; i < args.length; i++) {
        const arg = args[i]!;
        if (typeof arg === 'string') this.#text(arg);
        else if (typeof arg === 'number') this.#text(String(arg));
        else this.#data(arg);
      }
    }
    return this.#bytes.subarray(0, this.#at);
  }

  #text(text: string): void {
    const { length } = text;
    // Three bytes for one of its characters at most.
    this.#reserve(length * 3 + HEAD_BYTES);
    const start = this.#at;
    this.#head(DOLLAR, length);
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        // Not as many bytes as characters: once more, the slow way.
        this.#at = start;
        this.#head(DOLLAR, Buffer.byteLength(text));
        at = this.#at + bytes.write(text, this.#at);
        break;
      }
      bytes[at++] = code;
    }
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.#at = at;
  }

  #data(data: Buffer): void {
    this.#reserve(data.length + HEAD_BYTES);
    this.#head(DOLLAR, data.length);
    this.#bytes.set(data, this.#at);
    this.#at += data.length;
    this.#bytes[this.#at++] = CR;
    this.#bytes[this.#at++] = LF;
  }

  /** A letter, a number, the end of the line. */
  #head(letter: number, count: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = letter;
    let power = 1;
    while (power * 10 <= count) power *= 10;
    for (let rest = count; power >= 1; power = Math.floor(power / 10)) {
      const digit = Math.floor(rest / power);
      bytes[this.#at++] = ZERO + digit;
      rest -= digit * power;
    }
    bytes[this.#at++] = CR;
    bytes[this.#at++] = LF;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + count));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}
