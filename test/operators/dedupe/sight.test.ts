import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SIGHT_WORDS, isSamePlace, laterMs, timeAt, writePlace } from '../../../src/operators/dedupe/sight.ts';

const sequences = fc.bigInt({ min: 0n, max: 10n ** 56n - 1n }).map(String);
const positions = fc.record({
  shard: fc.constantFrom('shardId-000000000000', 'shardId-000000000001', 's', ''),
  sequence: fc.oneof(sequences, fc.nat(20).map(String)),
  subSequence: fc.oneof(fc.constant(0), fc.nat()),
});
const times = fc.integer({ min: Date.UTC(1970), max: Date.UTC(2100) });

function sightAt(position: { shard: string; sequence: string; subSequence: number }, arrivedAtMs: number): Uint32Array {
  const words = new Uint32Array(SIGHT_WORDS);
  writePlace(words, position, arrivedAtMs);
  return words;
}

test('two sights are of the same place exactly when shard, sequence and sub-sequence are the same', () => {
  fc.assert(
    fc.property(positions, positions, times, times, (a, b, x, y) => {
      const isSame = a.shard === b.shard && a.sequence === b.sequence && a.subSequence === b.subSequence;
      expect(isSamePlace(sightAt(a, x), 0, sightAt(b, y), 0)).toBe(isSame);
      expect(isSamePlace(sightAt(a, x), 0, sightAt({ ...a }, y), 0)).toBe(true);
    }),
  );
});

test('a hundred thousand neighbouring positions have a hundred thousand hashes', () => {
  const seen = new Set<string>();
  const first = 49546986683135544286507457936321625675700192471156785154n;
  for (let i = 0; i < 50_000; i++)
    for (const subSequence of [0, 1]) {
      const words = sightAt({ shard: 'shardId-000000000000', sequence: String(first + BigInt(i)), subSequence }, 0);
      seen.add(`${words[4]} ${words[5]! >>> 8}`);
    }
  expect(seen.size).toBe(100_000);
});

test('a sight tells how far apart two events arrived, to the millisecond, up to 17 years', () => {
  fc.assert(
    fc.property(times, fc.integer({ min: -(2 ** 39) + 1, max: 2 ** 39 - 1 }), (at, later) => {
      const [a, b] = [sightAt({ shard: 's', sequence: '1', subSequence: 0 }, at), new Uint32Array(SIGHT_WORDS)];
      writePlace(b, { shard: 's', sequence: '2', subSequence: 0 }, at + later);
      expect(laterMs(timeAt(b, 0), timeAt(a, 0))).toBe(later);
      expect(laterMs(at + later, timeAt(a, 0))).toBe(later);
    }),
  );
});
