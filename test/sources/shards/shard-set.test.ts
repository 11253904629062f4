import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Shard, ShardSet } from '../../../src/sources/shards/shard-set.ts';

const ids = (shards: readonly Shard[]): string[] => shards.map(({ id }) => id);

describe('ShardSet', () => {
  it('hands out both children of a split once their parent has ended and is settled', () => {
    const set = new ShardSet();
    set.add([
      { id: 'left', parents: ['parent'] },
      { id: 'right', parents: ['parent'] },
      { id: 'parent', parents: [] },
    ]);
    expect(ids(set.takeReady())).toEqual(['parent']);
    expect(set.takeReady()).toEqual([]);
    set.end('parent');
    expect(set.takeReady()).toEqual([]);
    expect(set.isOver).toBe(false);
    set.settle('parent');
    expect(ids(set.takeReady())).toEqual(['left', 'right']);
    expect(set.takeReady()).toEqual([]);
  });

  it('hands out the child of a merge once both parents are settled', () => {
    const set = new ShardSet();
    set.add([
      { id: 'a', parents: [] },
      { id: 'b', parents: [] },
      { id: 'c', parents: ['a', 'b'] },
    ]);
    set.takeReady();
    // Read to its end, and not settled.
    set.end('b');
    set.settle('a');
    expect(set.takeReady()).toEqual([]);
    set.settle('b');
    expect(ids(set.takeReady())).toEqual(['c']);
  });

  it('hands out a shard once, though a parent of it is listed late', () => {
    const set = new ShardSet();
    set.add([{ id: 'child', parents: ['late'] }]);
    expect(ids(set.takeReady())).toEqual(['child']);
    set.add([{ id: 'late', parents: [] }]);
    expect(ids(set.takeReady())).toEqual(['late']);
    set.settle('late');
    expect(set.takeReady()).toEqual([]);
  });

  it('waits for no parent that the stream no longer lists', () => {
    const set = new ShardSet();
    set.add([
      { id: 'b', parents: [] },
      { id: 'c', parents: ['forgotten', 'b'] },
      { id: 'd', parents: ['forgotten'] },
    ]);
    expect(set.unlistedParents('c')).toEqual(['forgotten']);
    expect(ids(set.takeReady())).toEqual(['b', 'd']);
    set.settle('b');
    expect(ids(set.takeReady())).toEqual(['c']);
  });

  it('takes in shards while others are read, and each of them once', () => {
    const set = new ShardSet();
    set.add([{ id: 'a', parents: [] }]);
    set.takeReady();
    set.add([
      { id: 'a', parents: [] },
      { id: 'b', parents: ['a'] },
    ]);
    expect(set.takeReady()).toEqual([]);
    set.settle('a');
    set.add([{ id: 'b', parents: ['a'] }]);
    expect(ids(set.takeReady())).toEqual(['b']);
  });

  it('begins a child with its oldest record, unless all its parents began at a time', () => {
    const set = new ShardSet();
    const [early, late] = [new Date(1000), new Date(2000)];
    set.add([
      { id: 'a', parents: [] },
      { id: 'b', parents: [] },
      { id: 'c', parents: ['a', 'b'] },
    ]);
    expect(set.beginningOf('a', late)).toBe(late);
    set.began('a', late);
    set.began('b', early);
    expect(set.beginningOf('c', late)).toEqual(early);
    set.began('b', { shard: 'b', sequence: '7', subSequence: 0 });
    expect(set.beginningOf('c', late)).toBe('TRIM_HORIZON');
  });

  it('does not look through all shards for each one that has ended', () => {
    let looks = 0;
    const shards = Array.from({ length: 1000 }, (_, i): Shard => {
      const parents = i < 10 ? [] : [`s${i - 10}`];
      return {
        id: `s${i}`,
        get parents() {
          return (looks++, parents);
        },
      };
    });
    const set = new ShardSet();
    set.add(shards);
    for (let ready = set.takeReady(); !set.isOver; ready = [...ready, ...set.takeReady()]) set.settle(ready.shift()!.id);
    expect(looks).toBeLessThan(5 * shards.length);
  });

  it('hands out every shard once, never before its parents, whatever the order in which they are listed and end', () => {
    const family = fc.array(fc.array(fc.nat(), { maxLength: 2 }), { minLength: 1, maxLength: 20 }).chain((parents) => {
      const shards = parents.map((picks, i) => ({ id: `s${i}`, parents: i === 0 ? [] : picks.map((pick) => `s${pick % i}`) }));
      return fc.tuple(
        fc.constant(shards),
        fc.shuffledSubarray(shards, { minLength: shards.length }),
        fc.infiniteStream(fc.nat()),
      );
    });
    fc.assert(
      fc.property(family, ([shards, listed, picks]) => {
        const set = new ShardSet();
        const ended = new Set<string>();
        const reading: Shard[] = [];
        set.add(listed);
        for (;;) {
          for (const shard of set.takeReady()) {
            expect(shard.parents.every((id) => ended.has(id))).toBe(true);
            reading.push(shard);
          }
          if (reading.length === 0) break;
          const [{ id }] = reading.splice(picks.next().value % reading.length, 1) as [Shard];
          expect(ended.has(id)).toBe(false);
          ended.add(id);
          set.settle(id);
        }
        expect(ended.size).toBe(shards.length);
      }),
    );
  });
});
