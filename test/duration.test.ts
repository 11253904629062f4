import { describe, expect, it } from 'vitest';
import { durationMs } from '../src/duration.ts';

describe('durationMs', () => {
  it('adds up weeks to seconds, in whole milliseconds', () => {
    expect(durationMs({ weeks: 1, days: 1, hours: 1, minutes: 1, seconds: 1 })).toBe(694_861_000);
    expect(durationMs({ seconds: 0.0015 })).toBe(2);
  });

  it('allows nothing at all only where that is asked for', () => {
    expect(durationMs({}, { orZero: true })).toBe(0);
    expect(() => durationMs({ seconds: 0 })).toThrow(RangeError);
  });

  it.each([{ months: 1 }, { years: 1 }, { seconds: -1 }, { seconds: Number.NaN }])('refuses %j', (duration) => {
    expect(() => durationMs(duration, { who: 'dedupe', name: 'within' })).toThrow(
      /^dedupe: expected within longer than zero, in weeks to seconds, got /,
    );
  });
});
