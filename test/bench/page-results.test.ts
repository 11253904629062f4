import { describe, expect, it } from 'vitest';
import type { Machine } from '../../bench/machine.ts';
import { failedOf, resultsOf, withAnew } from '../../bench/page-results.ts';
import type { Group } from '../../bench/rows.ts';
import type { Measured } from '../../bench/table.ts';

const here: Machine = {
  processor: 'A',
  cores: 2,
  memoryGiB: 24,
  system: 'linux',
  load: 0.1,
  node: 'v24.21.0',
  packages: { rxjs: '7.8.2' },
  programs: { sed: '4.9' },
};
const took: Measured = { events: 1000, seconds: 1, cpuSeconds: 1, peakMiB: 100 };
const failed: Measured = { failed: true, events: 0, seconds: 0, cpuSeconds: 0, peakMiB: 0 };
const group: Group = {
  name: 'core',
  title: 'The core',
  table: 'whole',
  rows: [
    { name: 'old', command: [] },
    { name: 'ours', command: [], against: 'old' },
  ],
};
const written = {
  machine: here,
  rounds: 2,
  groups: [
    {
      name: 'core',
      rows: [
        { name: 'old', measured: [took, failed] },
        { name: 'ours', measured: [took, took] },
      ],
    },
  ],
};

describe('resultsOf', () => {
  it('gives the rows that failed in a round, and takes what was measured anew in their places', () => {
    const page = resultsOf(written, { ...here, load: 3 }, [group]);
    const [chosen] = failedOf(page);
    expect(chosen!.rows.map(({ name }) => name)).toEqual(['old']);
    const anew = withAnew(page, [{ group: chosen!, measured: new Map([[chosen!.rows[0]!, [took]]]) }]);
    expect(failedOf(anew)).toEqual([]);
    expect(anew.results[0]!.group).toBe(group);
    expect([...anew.results[0]!.measured.values()]).toEqual([[took], [took, took]]);
  });

  it('takes no figures of another machine', () => {
    expect(() => resultsOf(written, { ...here, programs: { sed: '4.8' } }, [group])).toThrow(
      /expected the machine of the page, \{.*"sed":"4\.9".*got \{.*"sed":"4\.8".*: measure all of it/,
    );
  });

  it('takes no page that lacks a row', () => {
    const more = { ...group, rows: [...group.rows, { name: 'newer', command: [] }] };
    expect(() => resultsOf(written, here, [more])).toThrow('bench: the page has no row core, newer: measure all of it');
  });
});
