import type { LineIndex } from '../lines/line-index.ts';

/**
 * What makes two events the same event: 128 bits, written without a string or a promise.
 *
 * An object rather than a function, so that `dedupe` can tell it from `(data) => string` by its type alone.
 *
 *     const orderId: Identity<Order> = {
 *       name: 'order_id',
 *       hash: (order, into) => hash128(order.bytes, order.start, order.end, into),
 *     };
 */
export interface Identity<in T> {
  /** What it reads, in a word for graphs: `event_id`. */
  readonly name: string;
  /**
   * Writes four words, 128 bits, into `into` (from index 0; it may be longer). They need not be spread evenly: two different
   * identities only have to differ, so an identifier of 16 bytes may be copied as it is.
   * Four zeros mean that the event has no identity: it is never a repeat. `hash128` gives them for no bytes.
   */
  hash(data: T, into: Uint32Array): void;
  /** The same of a line that is shown. */
  hashLine?(index: LineIndex, into: Uint32Array): void;
}

/**
 * Writes the MurmurHash3_x86_128 of the bytes in [start, end) into the first four words of `into`; allocates nothing.
 * Fast and well spread, not a secret: whoever wants to can make two inputs collide.
 * https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
 *
 * @param seed 0 unless two hashes of the same bytes have to differ
 */
export function hash128(bytes: Uint8Array, start: number, end: number, into: Uint32Array, seed = 0): void {
  let [h1, h2, h3, h4] = [seed, seed, seed, seed];
  let at = start;
  for (; at + 16 <= end; at += 16) {
    h1 ^= mix1(word(bytes, at));
    h1 = (Math.imul(((h1 << 19) | (h1 >>> 13)) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= mix2(word(bytes, at + 4));
    h2 = (Math.imul(((h2 << 17) | (h2 >>> 15)) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= mix3(word(bytes, at + 8));
    h3 = (Math.imul(((h3 << 15) | (h3 >>> 17)) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= mix4(word(bytes, at + 12));
    h4 = (Math.imul(((h4 << 13) | (h4 >>> 19)) + h1, 5) + 0x32ac3b17) | 0;
  }
  if (end > at + 12) h4 ^= mix4(tail(bytes, at + 12, end));
  if (end > at + 8) h3 ^= mix3(tail(bytes, at + 8, end));
  if (end > at + 4) h2 ^= mix2(tail(bytes, at + 4, end));
  if (end > at) h1 ^= mix1(tail(bytes, at, end));

  const length = end - start;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = ((h1 ^ length) + h2 + h3 + h4) | 0;
  h2 = finish(h1 + h2);
  h3 = finish(h1 + h3);
  h4 = finish(h1 + h4);
  h1 = (finish(h1) + h2 + h3 + h4) | 0;
  into[0] = h1;
  into[1] = h1 + h2;
  into[2] = h1 + h3;
  into[3] = h1 + h4;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The up to four bytes from `at` that lie before `end`. */
function tail(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) return word(bytes, at);
  let value = 0;
  for (let i = end - 1; i >= at; i--) value = (value << 8) | bytes[i]!;
  return value;
}

const [C1, C2, C3, C4] = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;

function mix1(k: number): number {
  const x = Math.imul(k, C1);
  return Math.imul((x << 15) | (x >>> 17), C2);
}

function mix2(k: number): number {
  const x = Math.imul(k, C2);
  return Math.imul((x << 16) | (x >>> 16), C3);
}

function mix3(k: number): number {
  const x = Math.imul(k, C3);
  return Math.imul((x << 17) | (x >>> 15), C4);
}

function mix4(k: number): number {
  const x = Math.imul(k, C4);
  return Math.imul((x << 18) | (x >>> 14), C1);
}

function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
