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
});
