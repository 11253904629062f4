/** How a field is written. https://protobuf.dev/programming-guides/encoding/ */
export const Wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** What is no protobuf message. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/**
 * Goes through the fields of one protobuf message, in place.
 *
 *     while (reader.next()) if (reader.field === 3 && reader.wire === Wire.bytes) take(reader.from, reader.to);
 *
 * @throws {ProtobufError} when the bytes are no message
 */
export class ProtobufReader {
  /** The number of the field at hand. */
  field = 0;
  wire = 0;
  /** The value of a varint; right up to 2^53. */
  value = 0;
  /** Where the bytes of the field begin. */
  from = 0;
  /** The first byte behind them. */
  to = 0;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, from: number, end: number) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
  }

  /** Goes to the next field; false behind the last one. */
  next(): boolean {
    if (this.#at === this.#end) return false;
    const key = this.#varint();
    this.wire = key & 7;
    this.field = Math.floor(key / 8);
    if (this.field === 0) throw new ProtobufError('a field with number 0');
    if (this.wire === Wire.varint) this.value = this.#varint();
    else if (this.wire === Wire.bytes) this.#take(this.#varint());
    else if (this.wire === Wire.fixed64) this.#take(8);
    else if (this.wire === Wire.fixed32) this.#take(4);
    else throw new ProtobufError(`a field of wire type ${this.wire}`);
    return true;
  }

  #take(length: number): void {
    if (length > this.#end - this.#at)
      throw new ProtobufError(`a field of ${length} bytes where ${this.#end - this.#at} are left`);
    this.from = this.#at;
    this.#at = this.to = this.#at + length;
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (this.#at === this.#end) throw new ProtobufError('a number that is cut off');
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      if (scale > 2 ** 56) throw new ProtobufError('a number of more than 10 bytes');
    }
  }
}
