import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decay } from '../src/decay.ts';

const since = new Date('2026-01-01T00:00:00Z');
const day = 86_400_000;
const week = decay({ halfLife: { weeks: 1 }, since });

describe('decay', () => {
  it('doubles what is given a half-life later, so that what came before counts half', () => {
    expect(week(3, since.getTime())).toBe(3000);
    expect(week(3, since.getTime() + 7 * day)).toBe(6000);
    expect(week(-3, since.getTime() - 7 * day)).toBe(-1500);
  });

  it('gives whole numbers, and the same ones within a hundredth of a half-life', () => {
    const weights = fc.double({ min: -20, max: 20, noNaN: true });
    fc.assert(
      fc.property(weights, fc.integer({ min: -60, max: 200 }), (weight, days) => {
        const at = since.getTime() + days * day;
        expect(Number.isInteger(week(weight, at))).toBe(true);
        expect(Math.abs(week(weight, at) - weight * 1000 * 2 ** (days / 7))).toBeLessThanOrEqual(
          0.5 + Math.abs(week(weight, at)) * (2 ** (1 / 128) - 1),
        );
      }),
    );
    const step = (7 * day) / 128;
    for (const steps of [0, 1, 128, 1000]) {
      const [begins, ends] = [since.getTime() + steps * step, since.getTime() + (steps + 1) * step - 1];
      expect(week(1, ends)).toBe(week(1, begins));
      expect(week(1, ends + 1)).toBeGreaterThan(week(1, begins));
    }
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
        // Half a percent is the length of a step.
        fc.pre(Math.abs(x - y) > 0.01 * (x + y));
        expect(Math.sign(stored(a) - stored(b))).toBe(Math.sign(x - y));
        const ofToday = stored(a) / week(1, since.getTime() + 100 * day);
        expect(Math.abs(ofToday / x - 1)).toBeLessThan(0.01);
      }),
    );
  });

  it('refuses a half-life of zero, and a time at which scores would no longer fit', () => {
    expect(() => decay({ halfLife: { seconds: 0 } })).toThrow(RangeError);
    const short = decay({ halfLife: { hours: 1 }, since });
    expect(short(1, since.getTime() + 899 * 3_600_000)).toBeGreaterThan(1e270);
    expect(() => short(1, since.getTime() + 901 * 3_600_000)).toThrow(
      /decay: expected a time within 900 half-lives of 2026-01-01/,
    );
  });
});
