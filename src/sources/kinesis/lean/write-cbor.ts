/**
 * Writes a flat object as a CBOR map of texts, whole numbers of 0 or more and booleans, which is all that a request for records
 * holds. Leaves out what is undefined.
 *
 * @throws {TypeError} when it holds anything else
 */
export function writeCbor(input: object): Buffer {
  const entries = Object.entries(input).filter(([, value]) => value !== undefined);
  const pieces: Buffer[] = [head(5, entries.length)];
  for (const [key, value] of entries) {
    pieces.push(...text(key));
    if (typeof value === 'string') pieces.push(...text(value));
    else if (typeof value === 'boolean') pieces.push(Buffer.of(value ? 0xf5 : 0xf4));
    else if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32) pieces.push(head(0, value));
    else
      throw new TypeError(`writeCbor: expected a text, a whole number of 0 or more or a boolean in ${key}, got ${String(value)}`);
  }
  return Buffer.concat(pieces);
}

function text(value: string): [Buffer, Buffer] {
  const bytes = Buffer.from(value);
  return [head(3, bytes.length), bytes];
}

/** https://www.rfc-editor.org/rfc/rfc8949#section-3 */
function head(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.of((major << 5) | argument);
  const size = argument < 2 ** 8 ? 1 : argument < 2 ** 16 ? 2 : 4;
  const bytes = Buffer.alloc(1 + size);
  bytes[0] = (major << 5) | (24 + Math.log2(size));
  bytes.writeUIntBE(argument, 1, size);
  return bytes;
}
