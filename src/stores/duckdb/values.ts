/**
 * Reads a value from its bytes as DuckDB's cast to its type does. A reader knows the usual ways to write a value and no more: of what
 * it calls NaN, DuckDB has to say what it is.
 */
export type ReadValue = (bytes: Buffer, start: number, end: number) => number;

const PLUS = 0x2b;
const DASH = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const SPACE = 0x20;
const UPPER_T = 0x54;

const DATE_BYTES = 'YYYY-MM-DD'.length;
const TIME_BYTES = 'hh:mm:ss'.length;
const DAY_MICROS = 86_400e6;
const BOOLEANS = new Map(Object.entries({ t: 1, true: 1, f: 0, false: 0 }));
/** Any number of so many digits is a double, and so is the power of ten. */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Float64Array.from({ length: EXACT_DIGITS + 1 }, (_, power) => 10 ** power);

/** An integer of 32 bits: digits, with a sign or without. */
export const readInteger: ReadValue = (bytes, start, end) => {
  const isNegative = bytes[start] === DASH;
  const first = isNegative || bytes[start] === PLUS ? start + 1 : start;
  const value = first < end && end - first <= EXACT_DIGITS ? digits(bytes, first, end) : NaN;
  if (!(value <= (isNegative ? 2 ** 31 : 2 ** 31 - 1))) return NaN;
  return isNegative ? 0 - value : value;
};

/** A finite number: digits, with a minus or without, with a point between them or without. */
export const readDouble: ReadValue = (bytes, start, end) => {
  const isNegative = bytes[start] === DASH;
  const first = isNegative ? start + 1 : start;
  let dot = first;
  while (dot < end && bytes[dot] !== DOT) dot++;
  const fraction = Math.max(0, end - dot - 1);
  if (dot === first || dot === end - 1) return NaN;
  const [before, after] = [digits(bytes, first, dot), digits(bytes, dot + 1, end)];
  if (dot - first + fraction > EXACT_DIGITS) {
    const value = Number.isNaN(before + after) ? NaN : Number(bytes.toString('latin1', start, end));
    return Number.isFinite(value) ? value : NaN;
  }
  // A quotient of two doubles is the double next to it, so this is what reading the decimal number as a whole gives.
  const value = (before * POWERS_OF_TEN[fraction]! + after) / POWERS_OF_TEN[fraction]!;
  return isNegative ? -value : value;
};

/** 1 or 0 for true or false. */
export const readBoolean: ReadValue = (bytes, start, end) => {
  const bit = end - start === 1 ? bytes[start]! - ZERO : NaN;
  return bit === 0 || bit === 1 ? bit : (BOOLEANS.get(bytes.toString('latin1', start, end)) ?? NaN);
};

/** Microseconds since 1970 of `2026-11-22 09:00:00`, with up to six digits of a fraction; or of a day alone. */
export const readTimestamp: ReadValue = (bytes, start, end) => {
  const time = start + DATE_BYTES + 1;
  if (end < time) return readDay(bytes, start, end) * DAY_MICROS;
  const second = time + TIME_BYTES;
  const fraction = end - second - 1;
  const isTime =
    (bytes[time - 1] === SPACE || bytes[time - 1] === UPPER_T) &&
    bytes[time + 2] === COLON &&
    bytes[time + 5] === COLON &&
    (end === second || (bytes[second] === DOT && fraction > 0 && fraction <= 6));
  if (!isTime) return NaN;
  const hours = digits(bytes, time, time + 2);
  const minutes = digits(bytes, time + 3, time + 5);
  const seconds = digits(bytes, time + 6, second);
  if (!(hours < 24 && minutes < 60 && seconds < 60)) return NaN;
  const micros = end === second ? 0 : digits(bytes, second + 1, end) * POWERS_OF_TEN[6 - fraction]!;
  const whole = readDay(bytes, start, time - 1) * DAY_MICROS + ((hours * 60 + minutes) * 60 + seconds) * 1e6;
  // Before 1684 and after 2255 not every microsecond is a number of its own; whole seconds are.
  return micros === 0 || Number.isSafeInteger(whole + micros) ? whole + micros : NaN;
};

/** Timestamps of a load are of a day or two. */
const lastDay = { date: 0, days: NaN };

/** Days since 1970 of `2026-11-22`, or `2026-11-2`. */
function readDay(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < DATE_BYTES - 1 || bytes[start + 4] !== DASH || bytes[start + 7] !== DASH) return NaN;
  const year = digits(bytes, start, start + 4);
  const month = digits(bytes, start + 5, start + 7);
  const day = digits(bytes, start + 8, end);
  const date = (year * 100 + month) * 100 + day;
  if (lastDay.date === date) return lastDay.days;
  const found = new Date(Date.UTC(year, month - 1, day));
  // It takes the 30th of February for the 2nd of March, and the years 0 to 99 for 1900 to 1999.
  const isDay = year >= 1000 && found.getUTCMonth() === month - 1 && found.getUTCDate() === day;
  lastDay.date = date;
  lastDay.days = isDay ? found.getTime() / 86_400_000 : NaN;
  return lastDay.days;
}

/** The number that is written in [start, end), which is 0 when empty; NaN when there is something else than digits. */
function digits(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}
