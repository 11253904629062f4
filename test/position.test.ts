import { describe, expect, it } from 'vitest';
import { type Resume, compareResumes, formatResume, isBeyond, parseResume } from '../src/position.ts';

const at = (sequence: string, subSequence = 0): Resume => ({ shard: 's', sequence, subSequence });
const ordered: Resume[] = [
  'TRIM_HORIZON',
  new Date(1),
  new Date(2),
  at('9'),
  at('10'),
  at('10', 1),
  at('1'.repeat(56)),
  'SHARD_END',
];

describe('places in a shard', () => {
  it('are ordered: the oldest record, times, positions, the end', () => {
    for (const [i, a] of ordered.entries())
      for (const [j, b] of ordered.entries()) expect(Math.sign(compareResumes(a, b))).toBe(Math.sign(i - j));
  });

  it('are beyond each other in this order, beyond nothing all of them, and at the same place when quiet for longer', () => {
    for (const [i, a] of ordered.entries()) for (const [j, b] of ordered.entries()) expect(isBeyond(a, b)).toBe(i > j);
    for (const place of ordered) expect([isBeyond(place, undefined), isBeyond(undefined, place)]).toEqual([true, false]);
    expect(isBeyond(undefined, undefined)).toBe(false);
    const quiet = (quietUntilMs: number): Resume => ({ shard: 's', sequence: '9', subSequence: 0, quietUntilMs });
    expect([isBeyond(quiet(1), at('9')), isBeyond(quiet(2), quiet(1))]).toEqual([true, true]);
    expect([isBeyond(at('9'), quiet(1)), isBeyond(quiet(1), quiet(1)), isBeyond(quiet(1), at('10'))]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('are written and read back, with how long nothing came behind them, which is no matter of order', () => {
    const quiet: Resume = { shard: 's', sequence: '9', subSequence: 2, quietUntilMs: Date.UTC(2026, 10, 22, 9) };
    expect(formatResume(quiet)).toBe('9:2@2026-11-22T09:00:00.000Z');
    expect(parseResume('s', formatResume(quiet))).toEqual(quiet);
    expect(compareResumes(quiet, at('9', 2))).toBe(0);
    for (const place of ordered) expect(parseResume('s', formatResume(place))).toEqual(place);
    for (const text of ['LATEST', '', '9', '9:2 and more', '9:2@soon', '@soon', '=2026-11-22T09:00:00.000Z'])
      expect(() => parseResume('s', text)).toThrow(`or SHARD_END, got "${text}"`);
  });
});
