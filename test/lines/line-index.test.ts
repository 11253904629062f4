import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineIndex, MAX_LINES } from '../../src/lines/line-index.ts';

// Bytes around the tab, the newline and the K of the log's logger, and those that share their bits.
const byte = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(9, 9, 10, 8, 11, 12, 0, 13, 0x4b, 0x4a, 0x89, 0x8a, 0xff, 0x80, 0x7f, 1) },
  fc.integer({ min: 0, max: 255 }),
);
const piece = fc.oneof(
  { weight: 10, arbitrary: byte.map((one) => Buffer.of(one)) },
  fc.constantFrom('KinesisS', 'KinesisSource', 'KinesiS', 'KKinesisS').map((word) => Buffer.from(word)),
);
const line = fc.array(piece, { maxLength: 120 }).map((pieces) => Uint8Array.from(Buffer.concat(pieces)));

/** What is to be found, found byte by byte. */
function expected(bytes: Uint8Array): unknown {
  const tabs = [...bytes].flatMap((value, at) => (value === 9 ? [at] : []));
  return {
    bytes: [...bytes],
    count: tabs.length + 1,
    ends: [...tabs, bytes.length],
    starts: [0, ...tabs.map((at) => at + 1)],
    hasNewline: bytes.includes(10),
    hasLogger: Buffer.from(bytes).includes('KinesisS'),
    isAscii: bytes.every((value) => value < 128),
  };
}

function shown(index: LineIndex): unknown {
  const { count, hasNewline, hasLogger, isAscii } = index;
  const from = index.start(0);
  const columns = Array.from({ length: count }, (_, column) => column);
  return {
    bytes: [...index.bytes.subarray(from, index.end(count - 1))],
    count,
    ends: columns.map((column) => index.end(column) - from),
    starts: columns.map((column) => index.start(column) - from),
    hasNewline,
    hasLogger,
    isAscii,
  };
}

describe('LineIndex', () => {
  it('finds of a line what a loop over its bytes finds', () => {
    const index = new LineIndex();
    fc.assert(
      fc.property(line, (bytes) => {
        index.add(bytes);
        expect(shown(index)).toEqual(expected(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('finds the same of many lines at once, and shows each by its row', () => {
    const index = new LineIndex();
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        index.addAll(lines);
        for (const [row, bytes] of lines.entries()) {
          expect(index.shows(row, bytes)).toBe(true);
          expect(shown(index)).toEqual(expected(bytes));
        }
      }),
    );
  });

  it('keeps many lines while one beside them is read', () => {
    const index = new LineIndex();
    const lines = Array.from({ length: MAX_LINES }, (_, i) => Buffer.from(`${i}\t${'x'.repeat(i)}`));
    index.addAll(lines);
    index.add(Buffer.from('a\tb\tc'));
    expect(index.shows(255, lines[255]!)).toBe(true);
    expect(shown(index)).toEqual(expected(lines[255]!));
  });

  it('does not show a line whose place another one has taken', () => {
    const index = new LineIndex();
    const [a, b, c] = ['a\t1', 'b\t2\t3', 'c'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
    index.addAll([a, b]);
    const row = index.add(c);
    expect([index.shows(0, a), index.shows(1, b), index.shows(row, c)]).toEqual([true, true, true]);
    index.addAll([b]);
    expect([index.shows(0, a), index.shows(0, b), index.shows(1, b), index.shows(row, c)]).toEqual([false, true, true, false]);
    index.add(a);
    expect([index.shows(row, c), index.shows(row, a)]).toEqual([false, true]);
  });

  it('counts the columns of a line of any length, and tells where the first 140 end', () => {
    const index = new LineIndex();
    const long = Buffer.alloc(3_000_000, 9);
    index.add(long);
    expect([index.count, index.end(139) - index.start(0)]).toEqual([3_000_001, 139]);
    const short = Buffer.from('a\tb');
    index.addAll([short, long, short]);
    expect(index.shows(1, long) && index.count).toBe(3_000_001);
    expect(index.shows(2, short) && shown(index)).toEqual(expected(short));
    index.add(Buffer.alloc(17_000_000, 9));
    expect(index.count).toBe(0xffffff);
  });
});
