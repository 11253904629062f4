const DASH = 0x2d;
const SPACE = 0x20;
const COLON = 0x3a;
const DOT = 0x2e;

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Reads a timestamp of the enriched format, `2026-11-22 09:00:00` in UTC with up to nine digits of a fraction, without a
 * string, as milliseconds since 1970. Finer digits are cut off.
 *
 * @returns NaN when the bytes are no such timestamp, or name a day or an hour that does not exist
 */
export function readTimestamp(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < 19 || length === 20 || length > 29) return NaN;
  const year = two(bytes, start) * 100 + two(bytes, start + 2);
  const month = two(bytes, start + 5);
  const day = two(bytes, start + 8);
  const hour = two(bytes, start + 11);
  const minute = two(bytes, start + 14);
  const second = two(bytes, start + 17);
  // What is not a digit makes these NaN, and a comparison with NaN is false.
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return NaN;
  if (!(hour < 24 && minute < 60 && second < 60)) return NaN;
  if (bytes[start + 4] !== DASH || bytes[start + 7] !== DASH || bytes[start + 10] !== SPACE) return NaN;
  if (bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return NaN;
  const ms = length === 19 ? 0 : fractionMs(bytes, start + 19, end);
  return ((daysSince1970(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + ms;
}

/** Writes milliseconds since 1970 as the enriched format does. */
export function formatTimestamp(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').slice(0, -1);
}

function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30;
  const ones = bytes[at + 1]! - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
}

function fractionMs(bytes: Uint8Array, dot: number, end: number): number {
  if (bytes[dot] !== DOT) return NaN;
  let ms = 0;
  for (let at = dot + 1; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    if (at === dot + 1) ms += digit * 100;
    else if (at === dot + 2) ms += digit * 10;
    else if (at === dot + 3) ms += digit;
  }
  return ms;
}

function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : DAYS[month - 1]!;
}

// Counts years from March, so that the leap day is the last of its year. `Date.UTC` takes the years 0 to 99 for 1900 to 1999.
function daysSince1970(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
}
