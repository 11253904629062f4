import type { Connection, Submittable } from 'pg';

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

/**
 * One message of SQL that may hold several `COPY … FROM STDIN`; each takes the next of the copies. What follows a COPY in
 * the message runs on the server without another word from here, so a whole transaction is one round trip.
 *
 * (pg-copy-streams knows one COPY a message, and waits for the outcome of each.)
 */
export class CopyMessage implements Submittable {
  readonly #text: string;
  readonly #copies: Iterator<Iterator<Buffer>>;
  readonly #settle: (error?: Error) => void;
  #failed = false;

  constructor(text: string, copies: Iterable<Iterator<Buffer>>, settle: (error?: Error) => void) {
    this.#text = text;
    this.#copies = copies[Symbol.iterator]();
    this.#settle = settle;
  }

  submit(connection: Connection): void {
    (connection as Wire).query(this.#text);
  }

  handleCopyInResponse(connection: Wire): void {
    const { value: chunks, done } = this.#copies.next();
    if (done) connection.sendCopyFail('millrace: a COPY without data');
    else this.#send(connection, chunks);
  }

  handleError(error: Error): void {
    if (this.#failed) return;
    // The server drops what is still on its way to it.
    this.#failed = true;
    this.#settle(error);
  }

  handleReadyForQuery(): void {
    if (!this.#failed) this.#settle();
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}

  // One chunk at a time, as they share their memory; a failed write ends the connection, which tells.
  #send(connection: Wire, chunks: Iterator<Buffer>): void {
    if (this.#failed) return;
    const { value: chunk, done } = chunks.next();
    if (done) connection.endCopyFrom();
    else connection.stream.write(chunk, (error) => error ?? this.#send(connection, chunks));
  }
}

/** What pg's connection has beyond its published types. */
interface Wire extends Connection {
  query(text: string): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}
