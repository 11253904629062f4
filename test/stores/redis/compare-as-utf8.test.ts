import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareAsUtf8 } from '../../../src/stores/redis/compare-as-utf8.ts';

// Of few characters, so that many begin alike: the last but one is the last of a single unit, the last one a pair.
const text = fc.string({ unit: fc.constantFrom('', 'a', '\u007f', '\u0080', '\ud7ff', '\ue000', '\uffff', '😀'), maxLength: 6 });

it('orders texts as their bytes are ordered', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareAsUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
