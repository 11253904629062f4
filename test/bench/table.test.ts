import { describe, expect, it } from 'vitest';
import { chart } from '../../bench/chart.ts';
import type { Row } from '../../bench/rows.ts';
import { type Measured, asMarkdown, asText, tableOf } from '../../bench/table.ts';

const old: Row = { name: 'old', command: [] };
const ours: Row = { name: 'ours', command: [], against: 'old' };
const took = (seconds: number, cpuSeconds: number, serverCpuSeconds: number): Measured => ({
  events: 1_000_000,
  bytes: 1e9,
  seconds,
  cpuSeconds,
  serverCpuSeconds,
  peakMiB: 100,
});

describe('tableOf', () => {
  it('compares medians, and counts what the server spent', () => {
    const table = tableOf(
      { rows: [old, ours], table: 'file' },
      new Map([
        [old, [took(10, 30, 10)]],
        [ours, [took(2, 5, 15), took(9, 5, 15), took(2.5, 5, 15)]],
      ]),
    );
    expect(asText(table)).toBe(
      [
        "                  k events/s  times as many  MB/s  CPU s a million  server's  of the CPU  peak MiB",
        'old                    100.0                  100             30.0      10.0                   100',
        'ours  400.0 (111.1 to 500.0)            4.0   400              5.0      15.0        0.50       100',
      ].join('\n'),
    );
  });

  it('says which programs the machine lacks, and compares with nothing then', () => {
    const missing = { missing: ['cronolog', 'psql'] } as unknown as Measured;
    const table = tableOf(
      { rows: [old, ours], table: 'file' },
      new Map([
        [old, [missing]],
        [ours, [took(2, 5, 15)]],
      ]),
    );
    expect(table[1]!.slice(0, 3)).toEqual(['old', 'no cronolog, psql on this machine', '']);
    expect(table[2]!.slice(1, 4)).toEqual(['500.0', '', '500']);
    expect(asMarkdown(table).split('\n')).toHaveLength(4);
  });

  it('says of a row that failed in one round that it failed', () => {
    const failed: Measured = { failed: true, events: 0, seconds: 0, cpuSeconds: 0, peakMiB: 0 };
    const table = tableOf({ rows: [old], table: 'file' }, new Map([[old, [took(2, 5, 15), failed]]]));
    expect(table[1]!.slice(0, 3)).toEqual(['old', 'failed', '']);
  });
});

describe('chart', () => {
  it('draws a whisker from the least to the greatest, and escapes names', () => {
    const bar = { name: 'a < b', kind: 'row', median: 50, least: 40, greatest: 100 } as const;
    const picture = chart('rates', [{ title: 'group', bars: [bar] }]);
    expect(picture).toContain('a &lt; b');
    expect(picture).toContain('width="220.0"');
    expect(picture).toContain('M466.0 71H730.0');
  });
});
