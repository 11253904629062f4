import { describe, expect, it } from 'vitest';
import { perSecond, size, stretch } from '../../../src/observe/page/figures.ts';

describe('figures', () => {
  it('say times in the unit that a person would take', () => {
    const said = [0, 85.4, 999, 1000, 3230, 42_000, 100_000, 240_000, 3 * 3_600_000, 30 * 86_400_000].map((ms) =>
      stretch(ms).replace('\u00A0', ' '),
    );
    expect(said).toEqual(['0 ms', '85 ms', '999 ms', '1 s', '3.2 s', '42 s', '1.7 min', '4 min', '3 h', '30 days']);
  });

  it('say sizes and rates alike', () => {
    const said = [0, 512, 2000, 23 * 2 ** 10, 2.71 * 2 ** 20, 256 * 2 ** 20, 5 * 2 ** 50].map((bytes) =>
      size(bytes).replace('\u00A0', ' '),
    );
    expect(said).toEqual(['0 B', '512 B', '2 KiB', '23 KiB', '2.7 MiB', '256 MiB', '5,120 TiB']);
    expect([0, 0.25, 9.94, 12.6, 48_213].map(perSecond)).toEqual(['0/s', '0.3/s', '9.9/s', '13/s', '48,213/s']);
  });
});
