/** One that no line is broken at. */
const SPACE = '\u00A0';

/** How many, with three digits together: `12,345`. */
export function number(count: number): string {
  return count.toLocaleString('en-US');
}

/** How many a second: of a slow trickle to a tenth. */
export function perSecond(rate: number): string {
  return `${fewDigits(rate)}/s`;
}

/** A size as a person wants to know it: `512 B`, `23 KiB`, `2.7 MiB`. */
export function size(bytes: number): string {
  const [unit, length] = SIZES.find(([, length]) => bytes < 1000 * length) ?? SIZES.at(-1)!;
  return `${fewDigits(bytes / length)}${SPACE}${unit}`;
}

const SIZES = [
  ['B', 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
  ['TiB', 2 ** 40],
] as const;

/** A stretch of time, as exactly as a person wants to know it: `85 ms`, `3.2 s`, `4 min`, `2.5 h`, `3 days`. */
export function stretch(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}${SPACE}ms`;
  const [unit, length] = UNITS.find(([, length]) => ms < 100 * length) ?? UNITS.at(-1)!;
  return `${fewDigits(ms / length)}${SPACE}${unit}`;
}

const UNITS = [
  ['s', 1000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['days', 86_400_000],
] as const;

/** Two digits or as many as there are before the point. */
function fewDigits(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 });
}
