import { describe, expect, it } from 'vitest';
import { enrichedAt } from '../../src/snowplow/enriched-at.ts';

const at = '2026-11-22 09:00:00.123';
const timeIn = (line: string): string | undefined => enrichedAt(Buffer.from(line))?.toISOString();

describe('enrichedAt', () => {
  it('reads the third field, whatever comes behind it', () => {
    expect(timeIn(`shop\tweb\t${at}\t\t`)).toBe('2026-11-22T09:00:00.123Z');
    expect(timeIn(`\t\t${at}\t${at}\n`)).toBe('2026-11-22T09:00:00.123Z');
  });

  it('reads milliseconds, which old enrichers wrote', () => {
    expect(timeIn('shop\tweb\t1417023480123\t2014-11-26 17:37:59.000\t')).toBe('2014-11-26T17:38:00.123Z');
  });

  it.each([
    'shop\tweb\t415\t',
    'shop\tweb\t14170234801234\t',
    'shop\tweb\t141702348012x\t',
    '',
    '\n',
    at,
    `${at}\tweb`,
    `shop\t${at}\tweb\t`,
    `shop\tweb\t${at}`,
    'shop\tweb\t\t',
    'shop\tweb\t2026-13-45 99:00:00.000\t',
    'shop\tweb\t0000-01-01 00:00:00\t',
    'shop\tweb\t1969-12-31 23:59:59.999\t',
  ])('tells nothing of %j', (line) => expect(timeIn(line)).toBeUndefined());
});
