import type { Connection, DatabaseError, Submittable } from 'pg';

/** How many bytes one message to the server holds; a longer line makes it grow. */
const COPY_CHUNK_BYTES = 128 * 1024;

const COPY_DATA = 0x64; // 'd'
const HEADER_BYTES = 5;
const NEWLINE = 0x0a;

/** Packs encoded lines into CopyData messages. A message is good until the next one is asked for: they share their memory. */
export function* copyData(lines: Iterable<Uint8Array>): Generator<Buffer> {
  let message = Buffer.allocUnsafeSlow(COPY_CHUNK_BYTES);
  let at = HEADER_BYTES;
  for (const line of lines) {
    if (at + line.length + 1 > message.length) {
      if (at > HEADER_BYTES) yield closed(message, at);
      at = HEADER_BYTES;
      if (at + line.length + 1 > message.length) message = Buffer.allocUnsafeSlow(at + line.length + 1);
    }
    message.set(line, at);
    at += line.length;
    message[at++] = NEWLINE;
  }
  if (at > HEADER_BYTES) yield closed(message, at);
}

function closed(message: Buffer, end: number): Buffer {
  message[0] = COPY_DATA;
  message.writeUInt32BE(end - 1, 1);
  return message.subarray(0, end);
}

/**
 * Encodes lines [from, to) in COPY's text format: the bytes as they are, but for what that format would read as something
 * else. A line is copied only when it holds such a byte.
 */
export function* textLines(lines: readonly Uint8Array[], from: number, to: number): Generator<Uint8Array> {
  for (let i = from; i < to; i++) {
    const line = lines[i]!;
    yield line.includes(0x5c) || line.includes(0x0d) || line.includes(0x0a) ? escape(line) : line;
  }
}

function escape(line: Uint8Array): Uint8Array {
  const escaped = Buffer.allocUnsafe(line.length * 2);
  let at = 0;
  for (const byte of line) {
    if (byte === 0x5c || byte === 0x0d || byte === 0x0a) escaped[at++] = 0x5c;
    escaped[at++] = byte === 0x0d ? 0x72 : byte === 0x0a ? 0x6e : byte;
  }
  return escaped.subarray(0, at);
}

/** What a `COPY … FROM STDIN` gets, and what the server says of it and of the statements that belong to it. */
export class Copy {
  /** Its messages, each good until the next one is asked for. */
  readonly messages: Iterator<Buffer>;
  /** Whether the server has begun with it. */
  isBegun = false;
  readonly #lastTag: string;
  #copied = 0;
  #inserted: number | undefined;
  #isDone = false;

  /** @param lastTag what the server says once the last of its statements is done */
  constructor(messages: Iterator<Buffer>, lastTag = 'COPY ') {
    this.messages = messages;
    this.#lastTag = lastTag;
  }

  /** Whether the server has taken all of it. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** How many rows did not get from where they were copied to where they belong; 0 until it is done. */
  get leftOut(): number {
    return this.#isDone && this.#inserted !== undefined ? this.#copied - this.#inserted : 0;
  }

  /** Takes in what the server has done. */
  hear(tag: string): void {
    if (tag.startsWith('COPY ')) this.#copied = Number(tag.slice('COPY '.length));
    if (tag.startsWith('INSERT 0 ')) this.#inserted = Number(tag.slice('INSERT 0 '.length));
    this.#isDone = tag.startsWith(this.#lastTag);
  }

  /** Whether the server is at its rows: a failure is one of theirs, unless it is one of the server's. */
  get isUnderWay(): boolean {
    return this.isBegun && !this.isDone;
  }
}

/**
 * One message of SQL that may hold several `COPY … FROM STDIN`, each with the next of the copies. They are sent without waiting for the
 * server to ask, so a whole transaction is one round trip. A copy that throws makes its COPY fail, and the message with what was
 * thrown.
 *
 * (pg-copy-streams knows one COPY a message, and waits for the outcome of each.)
 */
export class CopyMessage implements Submittable {
  readonly #text: string;
  readonly #copies: readonly Copy[];
  readonly #settle: (error?: Error) => void;
  /** The copy that is sent, and the one at which the server is. */
  #sent = 0;
  #done = 0;
  /** What the copy that is sent has thrown: it is the last one. */
  #thrown: Error | undefined;
  #failure: Error | undefined;
  #isWriting = false;

  constructor(text: string, copies: readonly Copy[], settle: (error?: Error) => void) {
    this.#text = text;
    this.#copies = copies;
    this.#settle = settle;
  }

  submit(connection: Connection): void {
    const wire = connection as Wire;
    wire.query(this.#text);
    this.#send(wire);
  }

  handleCopyInResponse(): void {
    this.#copies[this.#done]!.isBegun = true;
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const copy = this.#copies[this.#done];
    copy?.hear(text);
    if (copy?.isDone) this.#done++;
  }

  handleError(error: Error): void {
    if (this.#failure) return;
    const isAskedFor = (error as DatabaseError).code === COPY_FAILED && this.#done === this.#sent;
    // The server drops what is still on its way to it.
    this.#failure = isAskedFor ? (this.#thrown ?? error) : error;
    if (!this.#isWriting) this.#settle(this.#failure);
  }

  handleReadyForQuery(): void {
    if (!this.#failure) this.#settle();
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}

  #send(wire: Wire): void {
    try {
      for (; this.#sent < this.#copies.length; this.#sent++) {
        const { value: message, done } = this.#copies[this.#sent]!.messages.next();
        if (!done) return this.#write(wire, message);
        wire.endCopyFrom();
      }
    } catch (error) {
      this.#thrown = error as Error;
      wire.sendCopyFail('millrace: not to be copied');
    }
  }

  // One at a time, as they share their memory; a failed write ends the connection, which tells.
  #write(wire: Wire, message: Buffer): void {
    this.#isWriting = true;
    wire.stream.write(message, (error) => {
      this.#isWriting = false;
      if (this.#failure) this.#settle(this.#failure);
      else if (!error) this.#send(wire);
    });
  }
}

/** What the server says of a COPY that was asked to fail: query_canceled. */
const COPY_FAILED = '57014';

/** What pg's connection has beyond its published types. */
interface Wire extends Connection {
  query(text: string): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}
