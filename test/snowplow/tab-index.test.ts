import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TabIndex } from '../../src/snowplow/tab-index.ts';

// Bytes around the tab and the newline, and the ones that share their bits in the scan.
const byte = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(9, 9, 8, 11, 12, 0, 13, 0x89, 0x8a, 0xff, 0x7f, 1) },
  fc.integer({ min: 0, max: 255 }).filter((b) => b !== 10),
);

it('ends a column at every tab and at the end of the line, and nowhere else', () => {
  const index = new TabIndex();
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 200 }), (bytes) => {
      const line = Uint8Array.from(bytes);
      const expected = bytes.flatMap((value, at) => (value === 9 ? [at] : [])).concat(bytes.length);
      expect(index.scan(line)).toBe(expected.length);
      expect([...index.ends.subarray(0, expected.length)]).toEqual(expected);
      expect([...index.bytes.subarray(0, index.length)]).toEqual(bytes);
    }),
    { numRuns: 1000 },
  );
});

it('finds a newline wherever it stands', () => {
  const index = new TabIndex();
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 50 }), fc.array(byte, { maxLength: 50 }), (before, after) => {
      expect(index.scan(Uint8Array.from([...before, 10, ...after]))).toBe(-1);
    }),
  );
});

it('is not misled by what a longer line left behind', () => {
  const index = new TabIndex();
  index.scan(Buffer.alloc(100, 9));
  expect(index.scan(Buffer.from('a'))).toBe(1);
  index.scan(Buffer.alloc(100, 10));
  expect(index.scan(Buffer.from('a\tb'))).toBe(2);
});

it('counts the columns of a line of any length', () => {
  const index = new TabIndex();
  expect(index.scan(Buffer.alloc(300_000, 9))).toBe(300_001);
  expect(index.scan(Buffer.from('a\tb'))).toBe(2);
});
