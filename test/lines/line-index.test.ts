import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineIndex, MAX_LINES } from '../../src/lines/line-index.ts';
import { RecordList } from '../../src/records.ts';
import { formatTimestamp, readTimestamp } from '../../src/snowplow/fields/timestamp.ts';

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
    empty: [-1, ...tabs].map((at) => at + 1 === bytes.length || bytes[at + 1] === 9),
    beyond: [true, false, false],
    hasNewline: bytes.includes(10),
    hasLogger: Buffer.from(bytes).includes('KinesisS'),
    isAscii: bytes.every((value) => value < 128),
  };
}

function recordsOf(lines: readonly Uint8Array[]): RecordList {
  const position = { shard: 's', sequence: '1', subSequence: 0 };
  return new RecordList(lines.map((data) => ({ position, arrivedAtMs: 0, data })));
}

/** Indexes lines at once. */
function addAll(index: LineIndex, lines: readonly Uint8Array[]): void {
  expect(index.addRecords(recordsOf(lines), 0)).toBe(lines.length);
}

function shown(index: LineIndex): unknown {
  const { count, hasNewline, hasLogger, isAscii } = index;
  const empty = Array.from({ length: count }, (_, column) => index.isEmpty(column));
  const beyond = [index.isEmpty(count), index.uuid(count, new Uint32Array(4)), index.isTimestamp(count)];
  const from = index.start(0);
  const columns = Array.from({ length: count }, (_, column) => column);
  return {
    bytes: [...index.bytes.subarray(from, index.end(count - 1))],
    count,
    ends: columns.map((column) => index.end(column) - from),
    starts: columns.map((column) => index.start(column) - from),
    empty,
    beyond,
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

  it('finds the same of many lines at once, and shows each by its place', () => {
    const index = new LineIndex();
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 12 }), (lines) => {
        addAll(index, lines);
        for (const [row, bytes] of lines.entries()) {
          index.show(row);
          expect(shown(index)).toEqual(expected(bytes));
        }
      }),
    );
  });

  it('tells a first column that is no short word, or a last one that is neither number nor time', () => {
    const index = new LineIndex();
    const letters = 'azAZ059_-.:;,@[`{/ TZ!ÿ'.split('');
    const column = fc.oneof(
      fc.string({ unit: fc.constantFrom(...letters), maxLength: 5 }),
      fc.string({ unit: fc.constantFrom('a', '0'), minLength: 14, maxLength: 34 }),
      fc.string({ unit: fc.constantFrom(...'0123456789: .-TZ'.split('')), maxLength: 34 }),
      fc.tuple(fc.nat(33), fc.constantFrom(...letters)).map(([count, letter]) => '0'.repeat(count) + letter),
    );
    const isPlain = (first: string, last: string): boolean =>
      /^[\w.-]{0,31}$/.test(first) && !(/\./.test(first) && /[A-Z]/.test(first)) && /^[\d:. TZ-]{0,31}$/.test(last);
    let plain = 0;
    fc.assert(
      fc.property(column, fc.array(column, { maxLength: 3 }), column, (first, between, last) => {
        index.add(Buffer.from([first, ...between, last].join('\t'), 'latin1'));
        expect(index.hasOddEnds).toBe(!isPlain(first, last));
        if (!index.hasOddEnds) plain++;
      }),
      { numRuns: 5000 },
    );
    expect(plain).toBeGreaterThan(500);
  });

  it('tells a bad row where a write may have ended, and nowhere else', () => {
    const index = new LineIndex();
    const hasBadRow = (at: number, behind = 'x'): boolean => {
      index.add(Buffer.from(`${'x'.repeat(at)}{"line":${behind}`));
      return index.hasBadRow;
    };
    expect([4096, 8192, 65_536].map((at) => hasBadRow(at))).toEqual([true, true, true]);
    expect([0, 4095, 4097, 5000].map((at) => hasBadRow(at))).toEqual([false, false, false, false]);
    expect(hasBadRow(4096, '')).toBe(true);
    index.add(Buffer.from(`${'x'.repeat(4096)}{"line"`));
    expect(index.hasBadRow).toBe(false);
  });

  it('tells a bad row anywhere in a line, and not behind it', () => {
    const index = new LineIndex();
    const mark = '{"line":';
    const holds = (text: string): boolean => {
      index.add(Buffer.from(text));
      return index.holdsBadRow;
    };
    const places = Array.from({ length: 140 }, (_, at) => at);
    for (const at of places) expect(holds(`${'{'.repeat(at)}${mark}`), String(at)).toBe(true);
    for (const at of places) expect(holds(`${'x'.repeat(at)}${mark.slice(0, -1)}`), String(at)).toBe(false);
    expect(holds('')).toBe(false);
    // What lies behind a line in memory is another one.
    addAll(index, [Buffer.from('x{"lin'), Buffer.from('e":'), Buffer.from(mark)]);
    const told = [0, 1, 2].map((row) => {
      index.show(row);
      return index.holdsBadRow;
    });
    expect(told).toEqual([false, false, true]);
  });

  it('tells whether a line begins with a column, and not with a part of one', () => {
    const index = new LineIndex();
    const begins = (line: string, column: string): boolean => {
      index.add(Buffer.from(line));
      return index.beginsWith(Buffer.from(column));
    };
    expect([begins('shop\tweb', 'shop'), begins('shop', 'shop'), begins('\tweb', ''), begins('', '')]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([begins('shops\tweb', 'shop'), begins('sho', 'shop'), begins('shap\tweb', 'shop'), begins('shop\tweb', '')]).toEqual([false, false, false, false]); // prettier-ignore
    // Behind one that ends there lies the next: `a` and `b` are no `ab`.
    addAll(index, [Buffer.from('a'), Buffer.from('b\tc')]);
    index.show(0);
    expect(index.beginsWith(Buffer.from('ab'))).toBe(false);
  });

  it('indexes as many as it says, and afterwards a single one, as if it had never seen another', () => {
    const index = new LineIndex();
    const one = Buffer.from('a\tb\tc');
    index.add(one);
    const lines = Array.from({ length: MAX_LINES }, (_, i) => Buffer.from(`${i}\t${'x'.repeat(i)}`));
    addAll(index, lines);
    for (const [row, bytes] of lines.entries()) {
      index.show(row);
      expect(shown(index)).toEqual(expected(bytes));
    }
    index.add(one);
    expect(shown(index)).toEqual(expected(one));
  });

  it('hashes bytes: the same ones alike wherever they stand, others otherwise, and in another process otherwise', () => {
    const [index, other] = [new LineIndex(), new LineIndex()];
    // With tabs in them they are as many columns.
    const hashOf = (bytes: Uint8Array, before: number, of = index): string => {
      of.add(Buffer.concat([Buffer.alloc(before, 9), bytes, Buffer.from('\tand more')]));
      const words = new Uint32Array(4);
      of.hash(before, before + bytes.filter((value) => value === 9).length, words);
      return words.join();
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), fc.nat(20), (a, b, before) => {
        expect(hashOf(a, before)).toBe(hashOf(a, 0));
        expect(hashOf(a, before) === hashOf(b, 0)).toBe(Buffer.compare(a, b) === 0);
        expect(hashOf(a, before)).not.toBe(hashOf(a, before, other));
      }),
    );
    // What differs in its first word as its length does.
    for (let zeros = 1; zeros < 8; zeros++) {
      const long = Buffer.from(`abcdefghi${'\0'.repeat(zeros)}`);
      const short = Buffer.from('abcdefghi');
      short[0]! ^= long.length ^ short.length;
      expect(hashOf(short, 0)).not.toBe(hashOf(long, 0));
    }
    const bits = Buffer.alloc(24);
    const hashes = new Set([hashOf(bits, 0)]);
    for (let bit = 0; bit < 24 * 8; bit++) {
      bits[bit >> 3] = 1 << (bit & 7);
      hashes.add(hashOf(bits, 0));
      bits[bit >> 3] = 0;
    }
    for (let length = 0; length < 24; length++) hashes.add(hashOf(bits.subarray(0, length), 0));
    expect(hashes.size).toBe(1 + 24 * 8 + 24);
  });

  it('reads a UUID as its hexadecimal digits say, and knows what is none, also off by one character', () => {
    const index = new LineIndex();
    const words = new Uint32Array(4);
    const read = (text: string): number[] | undefined => {
      index.add(Buffer.from(`a\t${text}`, 'latin1'));
      const atEnd = index.uuid(1, words) ? [...words] : undefined;
      index.add(Buffer.from(`a\t${text}\tb`, 'latin1'));
      expect(index.uuid(1, words) ? [...words] : undefined).toEqual(atEnd);
      return atEnd;
    };
    const expectedOf = (text: string): number[] | undefined =>
      /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)
        ? text.replaceAll('-', '').match(/.{8}/g)!.map((word) => Number.parseInt(word, 16)) // prettier-ignore
        : undefined;
    const letter = fc.integer({ min: 0, max: 255 }).filter((code) => code !== 9 && code !== 10);
    fc.assert(
      fc.property(fc.uuid(), fc.boolean(), fc.nat(35), letter, (uuid, isUpper, at, code) => {
        const text = isUpper ? uuid.toUpperCase() : uuid;
        expect(read(text)).toEqual(expectedOf(text));
        const spoilt = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        expect(read(spoilt)).toEqual(expectedOf(spoilt));
        for (const odd of [text.slice(1), `${text}0`, '', text.slice(0, at)]) expect(read(odd)).toBe(undefined);
      }),
      { numRuns: 3000 },
    );
  });

  it('reads the UUIDs of any columns and lines in any order, again and again', () => {
    const index = new LineIndex();
    const words = new Uint32Array(4);
    const field = fc.oneof(
      fc.uuid(),
      fc.uuid().map((uuid) => uuid.replace('-', '0')),
      fc.constant(''),
    );
    const lines = fc.array(fc.tuple(field, field, field), { minLength: 1, maxLength: 4 });
    const looks = fc.array(fc.tuple(fc.nat(4), fc.nat(2)), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(fc.tuple(lines, looks), { minLength: 1, maxLength: 3 }), (rounds) => {
        for (const [fields, asked] of rounds) {
          const texts = fields.map((all) => Buffer.from(all.join('\t')));
          addAll(index, texts);
          for (const [i, column] of asked) {
            // One beyond the last: the first line once more, by itself.
            const row = i % (texts.length + 1);
            if (row < texts.length) index.show(row);
            else index.add(Buffer.from(texts[0]!));
            const text = fields[row % texts.length]![column]!;
            const expected =
              text[8] === '-'
                ? text
                    .replaceAll('-', '')
                    .match(/.{8}/g)!
                    .map((word) => Number.parseInt(word, 16))
                : undefined;
            expect(index.uuid(column, words) ? [...words] : undefined).toEqual(expected);
          }
        }
      }),
    );
  });

  it('takes for a timestamp what readTimestamp can read, and nothing else', () => {
    const index = new LineIndex();
    const isTimestamp = (text: string): boolean => {
      index.add(Buffer.from(`a\t${text}\tb`, 'latin1'));
      return index.isTimestamp(1);
    };
    const isReadable = (text: string): boolean => !Number.isNaN(readTimestamp(Buffer.from(text, 'latin1'), 0, text.length));
    const [min, max] = [Date.parse('0000-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')];
    const letter = fc.constantFrom(...'0123456789 -:./T+Zé'.split(''));
    let sound = 0;
    fc.assert(
      fc.property(
        fc.integer({ min, max }),
        fc.nat(9),
        fc.array(fc.tuple(fc.nat(28), letter), { maxLength: 2 }),
        (ms, digits, changes) => {
          let text = `${formatTimestamp(ms)}123456`.slice(0, digits === 0 ? 19 : 20 + digits);
          for (const [at, one] of changes) text = text.slice(0, at) + one + text.slice(at + 1);
          expect(isTimestamp(text), text).toBe(isReadable(text));
          if (isReadable(text)) sound++;
          for (const cut of [text.slice(0, -1), text.slice(0, 19), `${text}0`, ''])
            expect(isTimestamp(cut), cut).toBe(isReadable(cut));
        },
      ),
      { numRuns: 5000 },
    );
    expect(sound).toBeGreaterThan(1000);
    for (const year of [1900, 2000, 2023, 2024])
      for (const month of ['00', '01', '02', '04', '06', '09', '11', '12', '13'])
        for (let day = 0; day <= 32; day++) {
          const text = `${year}-${month}-${String(day).padStart(2, '0')} 23:59:59`;
          expect(isTimestamp(text), text).toBe(isReadable(text));
        }
  });

  it('counts the columns of a line of any length, and tells where the first 139 end', () => {
    const index = new LineIndex();
    const long = Buffer.alloc(3_000_000, 9);
    index.add(long);
    expect([index.count, index.end(138) - index.start(0)]).toEqual([3_000_001, 138]);
    const short = Buffer.from('a\tb');
    const records = recordsOf([short, long, short]);
    const counts = [0, 1, 2].map((from) => {
      const added = index.addRecords(records, from);
      index.show(0);
      return [added, index.count];
    });
    expect(counts).toEqual([
      [1, 2],
      [1, 3_000_001],
      [1, 2],
    ]);
    index.add(Buffer.alloc(17_000_000, 9));
    expect(index.count).toBe(0xffffff);
  });

  it('shows the one line again that it indexed last, after one of the many', () => {
    const index = new LineIndex();
    addAll(index, [Buffer.from('a'), Buffer.from('a\tb')]);
    const one = Buffer.from('a\tb\tc');
    index.add(one);
    index.show(1);
    expect(index.count).toBe(2);
    index.add(one);
    expect([index.count, index.end(2) - index.start(2)]).toEqual([3, 1]);
  });
});
