import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { objectKey, parseObjectKey } from '../../src/sinks/object-key.ts';

describe('the key of an object', () => {
  it('tells the minute, the shard and the first position of its window, whatever the names', () => {
    const position = fc.record({
      shard: fc.string({ unit: 'grapheme', minLength: 1 }),
      sequence: fc.bigInt({ min: 0n, max: 10n ** 56n }).map(String),
      subSequence: fc.integer({ min: 0, max: 9_999_999_999 }),
    });
    const start = fc.integer({ min: 0, max: Date.UTC(2999, 0) });
    fc.assert(
      fc.property(position, start, fc.constantFrom('tsv.gz', 'tsv.zst'), (first, startMs, extension) => {
        const key = objectKey('shop/events', startMs, first, extension);
        const minuteMs = Math.floor(startMs / 60_000) * 60_000;
        expect(parseObjectKey('shop/events', key)).toEqual({ minuteMs, first, extension });
      }),
    );
  });

  it.each([
    '2026/02/30/0900-a-1.tsv.gz',
    '2026/11/22/2400-a-1.tsv.gz',
    '2026/11/22/0900-a b-1.tsv.gz',
    '2026/11/22/0900-%-1.tsv.gz',
  ])('is nothing that it would not be, as %s', (name) => {
    expect(parseObjectKey('shop/events', `shop/events/${name}`)).toBeUndefined();
  });

  it('has no longer a name than its store can have, and tells shards apart whose names begin alike', () => {
    const [place, minuteMs] = [{ sequence: '9'.repeat(56), subSequence: 12 }, Date.UTC(2026, 10, 22, 9)];
    const shard = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(shard, fc.integer({ min: 120, max: 255 }), (name, maxNameBytes) => {
        const keyOf = (of: string): string => objectKey('shop/events', minuteMs, { shard: of, ...place }, 'tsv.gz', maxNameBytes);
        const key = keyOf(name);
        expect(key.split('/').at(-1)!.length).toBeLessThanOrEqual(maxNameBytes);
        const { first } = parseObjectKey('shop/events', key)!;
        expect(first).toMatchObject(place);
        if (objectKey('shop/events', minuteMs, { shard: name, ...place }, 'tsv.gz').length === key.length)
          expect(first.shard).toBe(name);
        // What was read of a key leads to it.
        expect(keyOf(first.shard)).toBe(key);
        expect(keyOf(`${name}~`)).not.toBe(key);
      }),
    );
  });
});
