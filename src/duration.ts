import { createRequire } from 'node:module';
import type { Duration } from 'date-fns';

// As CommonJS: of each module that is imported, Node keeps the text of its package.json until all are, and that of date-fns has 200 kB.
const { formatDuration } = createRequire(import.meta.url)('date-fns/formatDuration') as typeof import('date-fns/formatDuration');

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
  // Types do not reach it where a file is run, or tested, without being compiled.
  for (const [unit, amount] of Object.entries((duration as Duration | undefined) ?? { none: 0 }) as [string, number][])
    ms += amount * (unitMs[unit as keyof typeof unitMs] ?? Number.NaN);
  ms = Math.round(ms);
  if (ms > 0 || (orZero && ms === 0)) return ms;
  throw new RangeError(
    `${who}: expected ${name} ${orZero ? 'of zero or longer' : 'longer than zero'}, in weeks to seconds, got ${JSON.stringify(duration)}`,
  );
}

/** A longer wait fires at once in Node and browsers. https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Says a duration in words: `1 hour 30 minutes`. @param duration as parts, or in milliseconds, of which whole seconds are told, rounded up */
export function inWords(duration: Duration | number): string {
  return formatDuration(typeof duration === 'number' ? partsOf(duration) : duration) || '0 seconds';
}

function partsOf(ms: number): Duration {
  const parts: Duration = {};
  let rest = Math.ceil(ms / unitMs.seconds) * unitMs.seconds;
  for (const unit of ['days', 'hours', 'minutes', 'seconds'] as const) {
    parts[unit] = Math.floor(rest / unitMs[unit]);
    rest %= unitMs[unit];
  }
  return parts;
}
