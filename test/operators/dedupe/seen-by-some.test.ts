import { expect, test } from 'vitest';
import { spread } from '../../../src/operators/dedupe/identity-partition.ts';
import { SeenBySome } from '../../../src/operators/dedupe/seen-by-some.ts';
import { SIGHT_WORDS, writePlace } from '../../../src/operators/dedupe/sight.ts';

const [A, B] = [0b01, 0b10];

function seeing(seen: SeenBySome): (place: number, sinks: number, atMs: number) => string {
  return (place, sinks, atMs) => {
    const sight = new Uint32Array(SIGHT_WORDS).fill(7, 0, 4);
    writePlace(sight, { shard: 's', sequence: String(place), subSequence: 0 }, atMs);
    return seen.see(sight, spread(sight, 0), sinks, atMs);
  };
}

test('what some sinks get is a repeat for those alone', () => {
  const see = seeing(new SeenBySome({ capacity: 10, withinMs: 1000 }));
  expect([see(1, A, 0), see(2, B, 1), see(3, A, 2), see(4, B, 3), see(5, A | B, 4)]).toEqual([
    'first',
    'first',
    'repeat',
    'repeat',
    'first',
  ]);
  expect(see(1, A, 0)).toBe('replay');
});

test('gives its memory back once all of a set of sinks is too old, as nothing comes to it any more when they are level', () => {
  const seen = new SeenBySome({ capacity: 10, withinMs: 1000 });
  const see = seeing(seen);
  see(1, A, 0);
  see(2, B, 10);
  seen.expire(10);
  // That of A is gone, though not so long ago that it would be no repeat.
  expect([see(3, B, 500), see(4, A, 500)]).toEqual(['repeat', 'first']);
});

test('keeps what came of a set of sinks as long as the newest of it is of use', () => {
  const seen = new SeenBySome({ capacity: 10, withinMs: 1000 });
  const see = seeing(seen);
  expect([see(1, A, 0), see(2, A, 2000)]).toEqual(['first', 'first']);
  seen.expire(1000);
  expect(see(3, A, 2500)).toBe('repeat');
});
