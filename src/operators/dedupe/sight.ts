import type { Position } from '../../position.ts';

/**
 * The words of a sight: which identity was seen where and when, in 28 bytes.
 *
 *     0 to 3   the identity
 *     4, 5     56 bits of a hash of the position; the low 8 bits of word 5 belong to the time
 *     6        with those, the arrival time in milliseconds, modulo 2^40 (34 years)
 *
 * 56 bits: of 10^16 repeats one or so is taken for a replay and passes. The time costs no word more.
 */
export const SIGHT_WORDS = 7;

const [TIME_RANGE, WORD_RANGE] = [2 ** 40, 2 ** 32];

/** Writes where and when into words 4 to 6 of a sight; the identity stands before them. */
export function writePlace(into: Uint32Array, { shard, sequence, subSequence }: Position, arrivedAtMs: number): void {
  writeHashed(into, hashShard(shard), sequence, subSequence);
  into[5]! |= Math.floor(arrivedAtMs / WORD_RANGE) & 0xff;
  into[6] = arrivedAtMs;
}

// On its own, so that `writePlace` is short enough to be compiled into its callers: a position that is made for it is then no object.
function writeHashed(into: Uint32Array, shard: typeof last, sequence: string, subSequence: number): void {
  let { a, b } = shard;
  const { length } = sequence;
  let i = 0;
  for (; i + 8 <= length; i += 8) {
    const digits = (fourDigits(sequence, i) << 16) ^ fourDigits(sequence, i + 4);
    a = mix(a, digits, 0xcc9e2d51);
    b = mix(b, digits, 0x1b873593);
  }
  let digits = subSequence ^ (length << 24);
  a = mix(a, digits, 0x85ebca6b);
  b = mix(b, digits, 0xc2b2ae35);
  for (digits = 0; i < length; i++) digits = (digits << 4) ^ sequence.charCodeAt(i);
  a = mix(a, digits, 0xcc9e2d51);
  b = mix(b, digits, 0x1b873593);
  into[4] = a ^ (a >>> 16);
  into[5] = (b ^ (b >>> 16)) << 8;
}

/** The arrival time of the sight that begins at word `at`, in milliseconds modulo 2^40. */
export function timeAt(words: Uint32Array, at: number): number {
  return (words[at + 5]! & 0xff) * WORD_RANGE + words[at + 6]!;
}

/** How much later `a` is than `b` in milliseconds, both modulo 2^40 or whole; right up to 17 years. */
export function laterMs(a: number, b: number): number {
  const difference = a - b;
  // Not %, which costs more than all the rest here.
  return difference - TIME_RANGE * Math.floor(difference / TIME_RANGE + 0.5);
}

/** Whether two sights are of the same position. */
export function isSamePlace(x: Uint32Array, atX: number, y: Uint32Array, atY: number): boolean {
  return x[atX + 4] === y[atY + 4] && x[atX + 5]! >>> 8 === y[atY + 5]! >>> 8;
}

// One shard's events come in runs, so remembering the last one spares nearly all of the work.
let last = { shard: '', a: 0x9747b28c, b: 0x2545f491 };

function hashShard(shard: string): typeof last {
  if (shard === last.shard) return last;
  let a = 0x9747b28c;
  let b = 0x2545f491;
  for (let i = 0; i < shard.length; i++) {
    a = mix(a, shard.charCodeAt(i), 0xcc9e2d51);
    b = mix(b, shard.charCodeAt(i), 0x1b873593);
  }
  return (last = { shard, a, b });
}

/** Digits differ in their low four bits only, so nothing of them is lost. */
function fourDigits(text: string, at: number): number {
  return (text.charCodeAt(at) << 12) ^ (text.charCodeAt(at + 1) << 8) ^ (text.charCodeAt(at + 2) << 4) ^ text.charCodeAt(at + 3);
}

function mix(hash: number, value: number, factor: number): number {
  let h = Math.imul(hash ^ Math.imul(value, factor), 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), factor);
  return h ^ (h >>> 13);
}
