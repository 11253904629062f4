import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimestamp, readTimestamp } from '../../../src/snowplow/fields/timestamp.ts';

function read(text: string): number {
  const bytes = Buffer.from(`..${text}..`);
  return readTimestamp(bytes, 2, bytes.length - 2);
}

describe('readTimestamp', () => {
  it('agrees with Date.parse at every millisecond from the year 0 to the year 9999', () => {
    const min = Date.parse('0000-01-01T00:00:00Z');
    const max = Date.parse('9999-12-31T23:59:59.999Z');
    fc.assert(
      fc.property(fc.integer({ min, max }), (ms) => {
        expect(read(formatTimestamp(ms))).toBe(ms);
      }),
    );
  });

  it('takes no fraction, or up to nine digits, and cuts off what is finer than a millisecond', () => {
    expect(read('1970-01-01 00:00:01')).toBe(1000);
    expect(read('1970-01-01 00:00:01.5')).toBe(1500);
    expect(read('1970-01-01 00:00:01.05')).toBe(1050);
    expect(read('1970-01-01 00:00:01.123999999')).toBe(1123);
  });

  it('knows leap years', () => {
    expect(read('2024-02-29 00:00:00')).toBe(Date.UTC(2024, 1, 29));
    expect(read('2000-02-29 00:00:00')).toBe(Date.UTC(2000, 1, 29));
    expect(read('2026-02-29 00:00:00')).toBeNaN();
    expect(read('1900-02-29 00:00:00')).toBeNaN();
  });

  it.each([
    '',
    '2026-11-22',
    '2026-11-22T09:00:00',
    '2026-11-22 09:00:00Z',
    '2026-11-22 09:00:00.',
    '2026-11-22 09:00:00.1234567890',
    '2026-11-22 09:00:00,123',
    '2026-11-22 09:00:00.1x3',
    '2026-11-22 09:00',
    '2026-13-22 09:00:00',
    '2026-00-22 09:00:00',
    '2026-11-31 09:00:00',
    '2026-11-00 09:00:00',
    '2026-11-22 24:00:00',
    '2026-11-22 09:60:00',
    '2026-11-22 09:00:60',
    '2026/11/22 09:00:00',
    '2026-11-22 09-00-00',
    '20x6-11-22 09:00:00',
    '1417023480123',
  ])('reads %o as no timestamp', (text) => expect(read(text)).toBeNaN());
});
