import { describe, expect, it } from 'vitest';
import { durationMs, inWords } from '../src/duration.ts';

describe('durationMs', () => {
  it('adds up weeks to seconds, in whole milliseconds', () => {
    expect(durationMs({ weeks: 1, days: 1, hours: 1, minutes: 1, seconds: 1 })).toBe(694_861_000);
    expect(durationMs({ seconds: 0.0015 })).toBe(2);
  });

  it('allows nothing at all only where that is asked for', () => {
    expect(durationMs({}, { orZero: true })).toBe(0);
    expect(() => durationMs({ seconds: 0 })).toThrow(RangeError);
  });

  it.each([{ months: 1 }, { years: 1 }, { seconds: -1 }, { seconds: Number.NaN }, undefined as never])(
    'refuses %j',
    (duration) => {
      expect(() => durationMs(duration, { who: 'dedupe', name: 'within' })).toThrow(
        /^dedupe: expected within longer than zero, in weeks to seconds, got /,
      );
    },
  );
});

describe('inWords', () => {
  it.each([
    [{ hours: 1, minutes: 30 }, '1 hour 30 minutes'],
    [{ weeks: 2 }, '2 weeks'],
    [90_061_000, '1 day 1 hour 1 minute 1 second'],
    [40 * 86_400_000, '40 days'],
    [1, '1 second'],
    [0, '0 seconds'],
  ])('says %j', (duration, words) => {
    expect(inWords(duration)).toBe(words);
  });
});
