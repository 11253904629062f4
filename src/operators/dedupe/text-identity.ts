import { type Identity, hash128 } from '../identity.ts';

/**
 * Makes an identity of a text: the hash of its UTF-8 bytes, so that it is the same as one that hashes those bytes where they lie.
 * Keeps the bytes of one text; `undefined` and the empty text are no identity.
 */
export function textIdentity<T>(by: (data: T) => string | undefined): Identity<T> {
  const encoder = new TextEncoder();
  let bytes = new Uint8Array(256);
  return {
    // Written in its place, a function has the name of the option.
    name: by.name === 'by' ? 'text' : by.name || 'text',
    hash(data, into) {
      const text = by(data);
      if (!text) return void into.fill(0, 0, 4);
      // UTF-8 has up to three bytes for each of UTF-16's units.
      if (text.length * 3 > bytes.length) bytes = new Uint8Array(text.length * 6);
      hash128(bytes, 0, encoder.encodeInto(text, bytes).written, into);
    },
  };
}
