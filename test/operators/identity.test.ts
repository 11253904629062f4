import { expect, test } from 'vitest';
import { hash128 } from '../../src/operators/identity.ts';

const hex = (bytes: Uint8Array, seed?: number): string => {
  const into = new Uint32Array(4);
  hash128(bytes, 0, bytes.length, into, seed);
  return [...into].map((word) => word.toString(16).padStart(8, '0')).join('');
};

test('hash128 has the verification value that SMHasher publishes for MurmurHash3_x86_128', () => {
  // https://github.com/aappleby/smhasher/blob/master/src/main.cpp: keys 0, 0 1, 0 1 2 … of 0 to 255 bytes, seed 256 - length.
  const key = Uint8Array.from({ length: 256 }, (_, i) => i);
  const hashes = new Uint32Array(4 * 256);
  for (let length = 0; length < 256; length++) hash128(key, 0, length, hashes.subarray(4 * length), 256 - length);
  const all = new Uint8Array(hashes.buffer);
  const final = new Uint32Array(4);
  hash128(all, 0, all.length, final);
  expect(final[0]!.toString(16)).toBe('b3ece62a');
});

test('hash128 gives what the murmurhash3js package documents', () => {
  expect(hex(Buffer.from("I will not buy this tobacconist's, it is scratched."))).toBe('9b5b7ba2ef3f7866889adeaf00f3f98e');
});

test('hash128 of no bytes is four zeros: no identity', () => {
  expect(hex(new Uint8Array())).toBe('0'.repeat(32));
});

test('hash128 reads from start to end and nothing around', () => {
  const into = new Uint32Array(4);
  for (let length = 0; length < 40; length++) {
    const alone = Uint8Array.from({ length }, (_, i) => 255 - i);
    const within = Uint8Array.from([1, 2, 3, ...alone, 4, 5]);
    hash128(within, 3, 3 + length, into);
    expect([...into].map((word) => word.toString(16).padStart(8, '0')).join('')).toBe(hex(alone));
  }
});
