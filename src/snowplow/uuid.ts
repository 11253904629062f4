const hex = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  const character = digit.toString(16);
  hex[character.charCodeAt(0)] = digit;
  hex[character.toUpperCase().charCodeAt(0)] = digit;
}

const DASH = 0x2d;

/**
 * Reads a UUID's 128 bits from its 36 characters, in either case, without a string.
 *
 * @param into takes four words
 * @returns false when the bytes are not a UUID; `into` is then of no use
 */
export function readUuid(bytes: Uint8Array, start: number, end: number, into: Uint32Array): boolean {
  if (end - start !== 36) return false;
  const a = quad(bytes, start);
  const b = quad(bytes, start + 4);
  const c = quad(bytes, start + 9);
  const d = quad(bytes, start + 14);
  const e = quad(bytes, start + 19);
  const f = quad(bytes, start + 24);
  const g = quad(bytes, start + 28);
  const h = quad(bytes, start + 32);
  into[0] = (a << 16) | b;
  into[1] = (c << 16) | d;
  into[2] = (e << 16) | f;
  into[3] = (g << 16) | h;
  return (
    (a | b | c | d | e | f | g | h) >= 0 &&
    bytes[start + 8] === DASH &&
    bytes[start + 13] === DASH &&
    bytes[start + 18] === DASH &&
    bytes[start + 23] === DASH
  );
}

/** Four hexadecimal digits; negative when one of them is none. */
function quad(bytes: Uint8Array, at: number): number {
  return (hex[bytes[at]!]! << 12) | (hex[bytes[at + 1]!]! << 8) | (hex[bytes[at + 2]!]! << 4) | hex[bytes[at + 3]!]!;
}
