import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { spread } from '../../../src/operators/dedupe/identity-partition.ts';
import { IdentityTable } from '../../../src/operators/dedupe/identity-table.ts';
import { SIGHT_WORDS, writePlace } from '../../../src/operators/dedupe/sight.ts';

interface Seeing {
  readonly id: number;
  readonly place: number;
  readonly atMs: number;
}

function sightOf({ id, place, atMs }: Seeing): Uint32Array {
  const words = new Uint32Array(SIGHT_WORDS);
  // Small numbers in one word: the table has to spread them itself.
  words[id % 4] = id + 1;
  writePlace(words, { shard: 'shard-1', sequence: String(place), subSequence: 0 }, atMs);
  return words;
}

/** What the table does, said as plainly as possible. */
class Model {
  sights: Seeing[] = [];
  forgotten = 0;
  beforeMs = -Infinity;

  readonly capacity: number;
  readonly withinMs: number;

  constructor(capacity: number, withinMs: number) {
    this.capacity = capacity;
    this.withinMs = withinMs;
  }

  see(seeing: Seeing): string {
    const same = this.sights.filter(({ id }) => id === seeing.id);
    if (same.some(({ place }) => place === seeing.place)) return 'replay';
    if (same.some(({ atMs }) => Math.abs(atMs - seeing.atMs) < this.withinMs)) return 'repeat';
    for (let i = 0; i < 2; i++) if (this.sights[0] && this.sights[0].atMs < this.beforeMs) this.sights.shift();
    if (this.sights.length === this.capacity && this.sights.shift()!.atMs >= this.beforeMs) this.forgotten++;
    this.sights.push(seeing);
    return 'first';
  }
}

const seeings = fc.record({ id: fc.nat(40), place: fc.nat(60), atMs: fc.nat(200) });
const actions = fc.array(fc.oneof({ weight: 20, arbitrary: seeings }, { weight: 1, arbitrary: fc.nat(200) }), { maxLength: 400 });

describe('IdentityTable', () => {
  test('does what a list of sights would do', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 150 }), actions, (capacity, withinMs, all) => {
        const [table, model] = [new IdentityTable({ capacity, withinMs }), new Model(capacity, withinMs)];
        for (const action of all) {
          if (typeof action === 'number') table.expire((model.beforeMs = action));
          else expect(table.see(sightOf(action))).toBe(model.see(action));
          expect([table.size, table.forgotten]).toEqual([model.sights.length, model.forgotten]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('does so while it grows and shrinks, the ring being anywhere', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(3)), fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 }), (jitter, keeps) => {
        const [table, model] = [new IdentityTable({ capacity: 1000, withinMs: 300 }), new Model(1000, 300)];
        let atMs = 0;
        for (const keep of keeps) {
          for (let i = 0; i < 250; i++) {
            table.expire((model.beforeMs = (atMs += 1) - keep));
            // One in four is of an identity from up to twelve events ago.
            const back = jitter.next().value!;
            const seeing = { id: back === 0 ? Math.max(0, atMs - 4 * jitter.next().value!) : atMs, place: atMs, atMs };
            expect(table.see(sightOf(seeing))).toBe(model.see(seeing));
            expect([table.size, table.forgotten]).toEqual([model.sights.length, model.forgotten]);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  test('of many partitions, has never more than its capacity, hardly less, and the newest', () => {
    const [capacity, extra] = [100_000, 30_000];
    const table = new IdentityTable({ capacity, withinMs: 1000 });
    const count = (place: 'own' | 'other', from: number, to: number): Record<string, number> => {
      const seen: Record<string, number> = {};
      for (let id = from; id < to; id++) {
        const one = table.see(sightOf({ id, place: place === 'own' ? id : -1, atMs: 0 }));
        seen[one] = (seen[one] ?? 0) + 1;
      }
      return seen;
    };
    expect(count('own', 0, 0.97 * capacity)).toEqual({ first: 0.97 * capacity });
    expect(table.forgotten).toBe(0);
    count('own', 0.97 * capacity, capacity);
    expect(table.forgotten).toBeLessThan(0.01 * capacity);
    count('own', capacity, capacity + extra);
    expect(table.size).toBe(capacity);
    expect(table.forgotten).toBe(extra);
    expect(count('own', extra + 0.03 * capacity, capacity + extra)).toEqual({ replay: 0.97 * capacity });
    expect(count('other', extra + 0.03 * capacity, capacity + extra)).toEqual({ repeat: 0.97 * capacity });
    expect(count('other', 0, 100)).toEqual({ first: 100 });
  });

  test('has exactly its capacity, be it no multiple of its partitions, and forgets nothing before it is told a time', () => {
    const [capacity, atMs] = [80_003, Date.UTC(2026, 10, 22)];
    const table = new IdentityTable({ capacity, withinMs: 1000 });
    for (let id = 0; id < capacity / 2; id++) table.see(sightOf({ id, place: id, atMs }));
    expect(table.size).toBe(Math.ceil(capacity / 2));
    for (let id = capacity; id < 3 * capacity; id++) table.see(sightOf({ id, place: id, atMs }));
    expect(table.size).toBe(capacity);
  });

  test('takes back what was remembered, and is as it was', () => {
    fc.assert(
      fc.property(fc.array(seeings, { maxLength: 200 }), fc.array(seeings, { maxLength: 100 }), (before, after) => {
        const [one, other] = [0, 0].map(() => new IdentityTable({ capacity: 30, withinMs: 50 }));
        const firsts = before.map(sightOf).filter((sight) => one!.see(sight) === 'first');
        other!.expect(firsts.length);
        other!.restore(Uint32Array.from(firsts.flatMap((sight) => [...sight])));
        expect([other!.size, other!.forgotten]).toEqual([one!.size, 0]);
        for (const seeing of after) expect(other!.see(sightOf(seeing))).toBe(one!.see(sightOf(seeing)));
      }),
    );
  });

  test('begins small, whatever its capacity', () => {
    const table = new IdentityTable({ capacity: 10_000_000, withinMs: 1000 });
    for (let id = 0; id < 1000; id++) table.see(sightOf({ id, place: id, atMs: 0 }));
    expect(table.sizeBytes).toBeLessThan(1_000_000);
  });

  test('has 34 bytes for a sight when it is full, and gives memory back when it is nearly empty', () => {
    const capacity = 320_000;
    const table = new IdentityTable({ capacity, withinMs: 1000 });
    for (let id = 0; id < capacity; id++) table.see(sightOf({ id, place: id, atMs: 0 }));
    expect(table.sizeBytes / capacity).toBeLessThan(34);
    table.expire(1);
    for (let id = 0; id < 2 * capacity; id++) {
      const atMs = 1 + id / 100;
      table.expire(atMs - 10);
      table.see(sightOf({ id, place: -1 - id, atMs }));
    }
    expect(table.size).toBeLessThan(2000);
    expect(table.sizeBytes).toBeLessThan(2_000_000);
  });

  test('moves at most one partition at a time, never the whole', () => {
    const table = new IdentityTable({ capacity: 400_000, withinMs: 1000 });
    let [before, greatest] = [table.sizeBytes, 0];
    for (let id = 0; id < 400_000; id++) {
      table.see(sightOf({ id, place: id, atMs: 0 }));
      const now = table.sizeBytes;
      greatest = Math.max(greatest, now - before);
      before = now;
    }
    // Half of a partition of 25,000 sights.
    expect(greatest).toBeLessThan((25_000 * 34) / 2);
  });

  test('identities that were made to collide push out each other, and no others', () => {
    const table = new IdentityTable({ capacity: 80_000, withinMs: 1 });
    const colliding = Array.from({ length: 100_000 }, (_, id) => sightOf({ id, place: id, atMs: 0 })).filter(isInFirstHalf);
    const [first, ...others] = Array.from({ length: 20 }, (_, i) => sightOf({ id: 200_000 + i, place: i, atMs: 0 })).filter(
      (sight) => !isInFirstHalf(sight),
    );
    for (const sight of [first!, ...others, ...colliding]) expect(table.see(sight)).toBe('first');
    expect(table.forgotten).toBe(colliding.length - 40_000);
    for (const sight of [first!, ...others, ...colliding.slice(-40_000)]) expect(table.see(sight)).toBe('replay');
  });
});

/** Whether it belongs to the first of two partitions. */
function isInFirstHalf(sight: Uint32Array): boolean {
  return (spread(sight, 0) & 1) === 0;
}
