import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decay } from '../src/decay.ts';

const since = new Date('2026-01-01T00:00:00Z');
const day = 86_400_000;
const week = decay({ halfLife: { weeks: 1 }, since });

describe('decay', () => {
  it('doubles what is given a half-life later, so that what came before counts half', () => {
    expect(week(3, since.getTime())).toBe(3);
    expect(week(3, since.getTime() + 7 * day)).toBe(6);
    expect(week(-3, since.getTime() - 7 * day)).toBe(-1.5);
  });

  it('ranks sums as sums of faded scores are ranked, at whatever time one looks', () => {
    const actions = fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 60 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(actions, actions, (a, b) => {
        const stored = (list: typeof a): number =>
          list.reduce((sum, [weight, at]) => sum + week(weight, since.getTime() + at * day), 0);
        const faded = (list: typeof a): number => list.reduce((sum, [weight, at]) => sum + weight * 0.5 ** ((100 - at) / 7), 0);
        const [x, y] = [faded(a), faded(b)];
        fc.pre(Math.abs(x - y) > 1e-9 * (x + y));
        expect(Math.sign(stored(a) - stored(b))).toBe(Math.sign(x - y));
        expect(stored(a) / week(1, since.getTime() + 100 * day)).toBeCloseTo(x, 9);
      }),
    );
  });

  it('refuses a half-life of zero, and a time at which scores would no longer fit', () => {
    expect(() => decay({ halfLife: { seconds: 0 } })).toThrow(RangeError);
    const short = decay({ halfLife: { hours: 1 }, since });
    expect(short(1, since.getTime() + 999 * 3_600_000)).toBeGreaterThan(1e300);
    expect(() => short(1, since.getTime() + 1001 * 3_600_000)).toThrow(
      /decay: expected a time within 1000 half-lives of 2026-01-01/,
    );
  });
});
