import { describe, expect, it } from 'vitest';
import { shop } from '../../src/demo/shop.ts';
import { faultsOf, oracleOf } from './oracle.ts';

describe('the oracle of the crash test', () => {
  const records = shop().take(50).toArray();
  const expected = oracleOf(records);
  const lines = records.filter(({ truth }) => truth === 'event').map(({ data }) => Buffer.from(data).toString());
  const only = { ...expected, stored: new Map([...expected.stored].filter(([, line]) => line !== undefined)) };

  it('finds nothing wrong with what is right', () => {
    expect(lines.length).toBeGreaterThan(30);
    expect(faultsOf('store', lines, only)).toEqual([]);
  });

  it.each([
    ['lost', lines.slice(1)],
    ['duplicate', [...lines, lines[3]!]],
    ['phantom', [...lines, lines[0]!.replace(/[0-9a-f]{8}-/g, '00000000-')]],
    ['split', [...lines, lines[0]!.slice(0, 200)]],
    ['changed', [lines[0]!.replace('\t', 'x\t'), ...lines.slice(1)]],
  ])('finds what is %s', (fault, found) => {
    const faults = faultsOf('store', found, only);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`store: ${fault}: `);
  });
});
