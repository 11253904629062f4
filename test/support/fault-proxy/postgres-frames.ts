/** A message of the Postgres protocol that came to its end. */
export interface Frame {
  /** Its type letter; empty for the startup packet, which has none. */
  readonly type: string;
  /** What it holds, when somebody wants to read messages of its type. */
  readonly payload: Buffer;
  /** Where it begins in the chunk at hand; 0 when it began before. */
  readonly start: number;
}

/** Requests for encryption, which are answered with one bare byte. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const ENCRYPTION = new Set([80877103, 80877104]);

/** Follows one direction of a connection from message to message; keeps only what is to be read. */
export class PostgresFrames {
  readonly #wanted: string;
  #headBytes: 4 | 5;
  #head: number[] = [];
  #left = 0;
  #kept: Buffer[] = [];

  /**
   * @param wanted the type letters of messages to read
   * @param hasStartup whether its first message has no type: true of what a client sends
   */
  constructor(wanted: string, hasStartup: boolean) {
    this.#wanted = wanted;
    this.#headBytes = hasStartup ? 4 : 5;
  }

  /** Takes a chunk in and gives each message that ends in it. */
  *read(chunk: Buffer): Generator<Frame> {
    let start = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.#head.length < this.#headBytes) {
        if (this.#head.length === 0) start = at;
        this.#head.push(chunk[at++]!);
        if (this.#head.length < this.#headBytes) continue;
        this.#left = Buffer.from(this.#head).readUInt32BE(this.#headBytes - 4) - 4;
      }
      const type = this.#headBytes === 4 ? '' : String.fromCharCode(this.#head[0]!);
      const part = chunk.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      if (type === '' || this.#wanted.includes(type)) this.#kept.push(part);
      if (this.#left > 0) return;
      const payload = Buffer.concat(this.#kept);
      this.#head = [];
      this.#kept = [];
      const isEncryption = type === '' && ENCRYPTION.has(payload.readUInt32BE(0));
      if (!isEncryption) this.#headBytes = 5;
      yield { type: isEncryption ? 'encryption' : type, payload, start };
    }
  }
}
