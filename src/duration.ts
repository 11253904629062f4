import type { Duration } from 'date-fns';

const unitMs = { weeks: 604_800_000, days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1_000 } as const;

export interface DurationExpectation {
  /** Who asks, for the error: `minuteWindow`. */
  readonly who?: string;
  /** What it is called there: `every`. */
  readonly name?: string;
  /** @default false */
  readonly orZero?: boolean;
}

/**
 * Tells how many milliseconds a duration has, rounded to whole ones. Months and years have no length of their own.
 *
 * @throws {RangeError} when it has months or years, a part that is no number, or is not longer than zero.
 */
export function durationMs(
  duration: Duration,
  { who = 'durationMs', name = 'a duration', orZero = false }: DurationExpectation = {},
): number {
  let ms = 0;
  for (const [unit, amount] of Object.entries(duration) as [string, number][])
    ms += amount * (unitMs[unit as keyof typeof unitMs] ?? Number.NaN);
  ms = Math.round(ms);
  if (ms > 0 || (orZero && ms === 0)) return ms;
  throw new RangeError(
    `${who}: expected ${name} ${orZero ? 'of zero or longer' : 'longer than zero'}, in weeks to seconds, got ${JSON.stringify(duration)}`,
  );
}
