// AssemblyScript, https://www.assemblyscript.org: compiled by `npm run wasm` into line-index-wasm.ts.
//
// Finds the columns of lines of tab-separated text, 64 bytes at a time.

/** Where the lines are told: for each row where its line begins and ends, two words. */
const TABLE: usize = 0x10000;
/** What was found, a word a row: the number of columns, and above it the marks. */
const FOUND: usize = 0x11000;
/** Of the one line that was spread: a word before where it begins, then where each of its columns ends. */
const ENDS: usize = 0x12000;
/** Columns told of a line at most: behind them is room for what 64 bytes may add. */
const MAX_COLUMNS: usize = 140;
const MAX_COUNT: u64 = 0xffffff;

const HAS_NEWLINE: i32 = 0x01000000;
const HAS_LOGGER: i32 = 0x02000000;
const IS_BEYOND_ASCII: i32 = 0x04000000;
const HAS_ODD_ENDS: i32 = 0x08000000;
const HAS_BAD_ROW: i32 = 0x10000000;

/** Sixteen bytes that nobody outside knows, and behind them the hash that was asked for. */
const SEED: usize = 0xf000;
const HASH: usize = 0xf010;
/** For each row the 128 bits of the UUID that was read of it last, as four words, the first digits first. */
const UUIDS: usize = 0x13000;

const TAB: u8 = 9;
const NEWLINE: u8 = 10;
/** `KinesisS`: what each log line of the enricher has in its logger's name, and its first letter. */
const LOGGER: u64 = 0x53736973656e694b;
const LOGGER_LETTER: u8 = 0x4b;
/** `{"line":`, with which a refused event begins, and where one may begin inside a record: where a write of that may end. */
const BAD_ROW: u64 = 0x3a22656e696c227b;
const BAD_ROW_LETTER: u8 = 0x7b;
const PAGE: usize = 4096;

/** Finds the tabs of the first so many lines of the table. */
export function scanAll(count: i32): void {
  for (let row: usize = 0; row < <usize>count; row++) scan(row);
}

/**
 * Finds the tabs of a line: a bit for each of its bytes, in words of 64 that lie right before it. To set bits costs no branch, whatever
 * the line looks like; what of its columns is then asked for is few.
 */
export function scan(row: usize): void {
  const start = startOf(row);
  const end = endOf(row);
  let word = wordsBefore(start, end);
  let count: u64 = 1;
  let marks: i32 = 0;
  let newlines = i64x2.splat(0);
  let all = i64x2.splat(0);
  let at = start;
  for (; at + 64 <= end; at += 64, word += 8) {
    newlines = v128.or(newlines, whereAny(at, NEWLINE));
    all = v128.or(all, v128.or(v128.or(v128.load(at), v128.load(at, 16)), v128.or(v128.load(at, 32), v128.load(at, 48))));
    if (v128.any_true(whereAny(at, LOGGER_LETTER))) marks |= loggerAmong(bits(at, LOGGER_LETTER), at, end);
    const tabs = bits(at, TAB);
    store<u64>(word, tabs);
    count += popcnt(tabs);
  }
  if (at < end) {
    // What lies behind the line's end does not count.
    const inside: u64 = (<u64>1 << <u64>(end - at)) - 1;
    if (bits(at, NEWLINE) & inside) marks |= HAS_NEWLINE;
    if (highBits(at) & inside) marks |= IS_BEYOND_ASCII;
    marks |= loggerAmong(bits(at, LOGGER_LETTER) & inside, at, end);
    const tabs = bits(at, TAB) & inside;
    store<u64>(word, tabs);
    count += popcnt(tabs);
  }
  if (v128.any_true(newlines)) marks |= HAS_NEWLINE;
  if (i8x16.bitmask(all)) marks |= IS_BEYOND_ASCII;
  for (let border = start + PAGE; border + 8 <= end; border += PAGE) if (load<u64>(border) == BAD_ROW) marks |= HAS_BAD_ROW;
  if (beginsOddly(start) || endsOddly(end)) marks |= HAS_ODD_ENDS;
  store<i32>(FOUND + (row << 2), <i32>min(count, MAX_COUNT) | marks);
}

/**
 * Whether the first column of a line is anything but a short word, as an app id is, or may have the name of a Java class in it: dots and
 * capitals. Of a line of one column it says anything.
 */
@inline
function beginsOddly(start: usize): bool {
  const tabs = among(start, TAB, TAB);
  const inside = (tabs & (0 - tabs)) - 1;
  const dots = among(start, 0x2e, 0x2e);
  const capitals = among(start, 0x41, 0x5a);
  const word = capitals | dots | among(start, 0x61, 0x7a) | among(start, 0x30, 0x39) | among(start, 0x2d, 0x2d) | among(start, 0x5f, 0x5f);
  return tabs == 0 || (~word & inside) != 0 || ((dots & inside) != 0 && (capitals & inside) != 0);
}

/** Whether the last column of a line is anything but a number or a time. Of a line of one column it says anything. */
@inline
function endsOddly(end: usize): bool {
  const start = end - 32;
  const tabs = among(start, TAB, TAB);
  // Digits and the colon, minus and dot, blank, T, Z.
  const time = among(start, 0x30, 0x3a) | among(start, 0x2d, 0x2e) | among(start, 0x20, 0x20) | among(start, 0x54, 0x54) | among(start, 0x5a, 0x5a);
  return tabs == 0 || <u64>(~time & ~tabs) >> (32 - clz(tabs)) != 0;
}

/** A bit for each of 32 bytes that lies between two, both included. */
@inline
function among(at: usize, first: u8, last: u8): u32 {
  return <u32>i8x16.bitmask(isAmong(at, first, last)) | (<u32>i8x16.bitmask(isAmong(at + 16, first, last)) << 16);
}

@inline
function isAmong(at: usize, first: u8, last: u8): v128 {
  return i8x16.le_u(i8x16.sub(v128.load(at), i8x16.splat(first)), i8x16.splat(last - first));
}

/** Whether `{"line":` stands anywhere in a line. */
export function holdsBadRow(row: usize): bool {
  const end = endOf(row);
  for (let at = startOf(row); at < end; at += 64) {
    if (!v128.any_true(whereAny(at, BAD_ROW_LETTER))) continue;
    for (let letters = bits(at, BAD_ROW_LETTER); letters != 0; letters &= letters - 1) {
      const letter = at + <usize>ctz(letters);
      if (letter + 8 <= end && load<u64>(letter) == BAD_ROW) return true;
    }
  }
  return false;
}

/** Tells where each of a line's columns ends, as far as there is room. */
export function spread(row: usize): void {
  const start = startOf(row);
  const end = endOf(row);
  let word = wordsBefore(start, end);
  store<u32>(ENDS, <u32>start - 1);
  let next = ENDS + 4;
  for (let at = start; at < end && next < ENDS + MAX_COLUMNS * 4; at += 64, word += 8)
    for (let tabs = load<u64>(word); tabs != 0; tabs &= tabs - 1) {
      store<u32>(next, <u32>at + <u32>ctz(tabs));
      next += 4;
    }
  store<u32>(next, <u32>end);
}

@inline
function startOf(row: usize): usize {
  return <usize>load<u32>(TABLE + (row << 3));
}

@inline
function endOf(row: usize): usize {
  return <usize>load<u32>(TABLE + (row << 3), 4);
}

@inline
function wordsBefore(start: usize, end: usize): usize {
  return start - (((end - start + 63) >> 6) << 3);
}

/** Where a column of a line begins; behind the line's end when it has not so many. */
function columnStart(row: usize, column: i32): usize {
  return column == 0 ? startOf(row) : columnEnd(row, column - 1) + 1;
}

/** Where a column of a line ends: at the tab behind it, or with the line. */
function columnEnd(row: usize, column: i32): usize {
  const start = startOf(row);
  const end = endOf(row);
  let word = wordsBefore(start, end);
  let before: u64 = column;
  for (let at = start; at < end; at += 64, word += 8) {
    let tabs = load<u64>(word);
    const count = popcnt(tabs);
    if (before < count) {
      for (; before > 0; before--) tabs &= tabs - 1;
      return at + <usize>ctz(tabs);
    }
    before -= count;
  }
  return end;
}

/** A bit for each of 64 bytes that is this one. */
@inline
function bits(at: usize, byte: u8): u64 {
  const low = <u32>i8x16.bitmask(where(at, byte)) | (<u32>i8x16.bitmask(where(at + 16, byte)) << 16);
  const high = <u32>i8x16.bitmask(where(at + 32, byte)) | (<u32>i8x16.bitmask(where(at + 48, byte)) << 16);
  return <u64>low | (<u64>high << 32);
}

/** A bit for each of 64 bytes that is beyond ASCII. */
@inline
function highBits(at: usize): u64 {
  const low = <u32>i8x16.bitmask(v128.load(at)) | (<u32>i8x16.bitmask(v128.load(at, 16)) << 16);
  const high = <u32>i8x16.bitmask(v128.load(at, 32)) | (<u32>i8x16.bitmask(v128.load(at, 48)) << 16);
  return <u64>low | (<u64>high << 32);
}

/** Something where any of 64 bytes is this one. */
@inline
function whereAny(at: usize, byte: u8): v128 {
  return v128.or(v128.or(where(at, byte), where(at + 16, byte)), v128.or(where(at + 32, byte), where(at + 48, byte)));
}

@inline
function where(at: usize, byte: u8): v128 {
  return i8x16.eq(v128.load(at), i8x16.splat(byte));
}

function loggerAmong(letters: u64, at: usize, end: usize): i32 {
  for (; letters != 0; letters &= letters - 1) {
    const letter = at + <usize>ctz(letters);
    if (letter + 8 <= end && load<u64>(letter) == LOGGER) return HAS_LOGGER;
  }
  return 0;
}

/** Whether nothing stands in a column of a line, or it has not so many. */
export function isEmpty(row: usize, column: i32): bool {
  const start = columnStart(row, column);
  return start >= endOf(row) || load<u8>(start) == TAB;
}

/** Hashes the bytes of neighbouring columns, tabs between them included: 128 bits, in two lanes of 64. */
export function hash(row: usize, first: i32, last: i32): void {
  const start = columnStart(row, first);
  const end = columnEnd(row, last);
  let a = load<u64>(SEED);
  let b = load<u64>(SEED, 8);
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const word = load<u64>(at);
    a = mixed(a ^ word);
    b = rotl(b + word, 29) * 0xc2b2ae3d27d4eb4f;
  }
  let rest: u64 = 0;
  for (let i = end; i > at; i--) rest = (rest << 8) | load<u8>(i - 1);
  // At the end, where no first word can make up for it.
  const length = <u64>(end - start);
  a = mixed(mixed(a ^ rest) ^ b ^ length);
  b = mixed(mixed(b + rest) + a);
  store<u64>(HASH, a);
  store<u64>(HASH, b, 8);
}

@inline
function mixed(word: u64): u64 {
  const x = (word ^ (word >> 32)) * 0x9fb21c651e98df25;
  return x ^ (x >> 29);
}

/** Reads a column's UUID of 36 characters, in either case. False when it is none; what was written is then of no use. */
export function uuid(row: usize, column: i32): bool {
  const start = columnStart(row, column);
  const end = start + 36;
  // There is no tab in a UUID, so the column ends here or does not hold one.
  if (end > endOf(row) || (end < endOf(row) && load<u8>(end) != TAB)) return false;
  const a = v128.load(start);
  const b = v128.load(start, 16);
  const c = v128.load32_zero(start, 32);
  // The digits without the dashes, which stand behind the 8th, 12th, 16th and 20th of them.
  const first = i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17);
  const last = i8x16.shuffle(b, c, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
  const bytes = i8x16.narrow_i16x8_u(pairs(first), pairs(last));
  v128.store(UUIDS + (row << 4), i8x16.shuffle(bytes, bytes, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
  const dashes = load<u8>(start, 8) == 0x2d && load<u8>(start, 13) == 0x2d && load<u8>(start, 18) == 0x2d && load<u8>(start, 23) == 0x2d;
  return dashes && v128.any_true(v128.or(notHex(first), notHex(last))) == false;
}

/** What the hexadecimal digits mean, two and two, the first one above the second. */
@inline
function pairs(digits: v128): v128 {
  // Letters have their sixth bit set, and are nine more than their last four bits say.
  const isLetter = i8x16.shr_u(digits, 6);
  const values = i8x16.add(v128.and(digits, i8x16.splat(15)), i8x16.add(i8x16.shl(isLetter, 3), isLetter));
  return v128.or(i16x8.shl(v128.and(values, i16x8.splat(15)), 4), i16x8.shr_u(values, 8));
}

/** All bits set in each byte that is no hexadecimal digit. */
@inline
function notHex(digits: v128): v128 {
  const decimal = i8x16.gt_u(i8x16.sub(digits, i8x16.splat(0x30)), i8x16.splat(9));
  const letter = i8x16.gt_u(i8x16.sub(v128.or(digits, i8x16.splat(0x20)), i8x16.splat(0x61)), i8x16.splat(5));
  return v128.and(decimal, letter);
}

/** Whether a column holds a time that exists, `2026-11-22 09:00:00`, with up to nine digits of a fraction. */
export function isTimestamp(row: usize, column: i32): bool {
  const start = columnStart(row, column);
  const end = columnEnd(row, column);
  const length = end - start;
  if (length < 19 || length == 20 || length > 29) return false;
  const year = two(start) * 100 + two(start + 2);
  const month = two(start + 5);
  const day = two(start + 8);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return false;
  if (!isBelow(two(start + 11), 24) || !isBelow(two(start + 14), 60) || !isBelow(two(start + 17), 60)) return false;
  if (load<u8>(start, 4) != 0x2d || load<u8>(start, 7) != 0x2d || load<u8>(start, 10) != 0x20) return false;
  if (load<u8>(start, 13) != 0x3a || load<u8>(start, 16) != 0x3a) return false;
  if (length > 19 && load<u8>(start, 19) != 0x2e) return false;
  for (let at = start + 20; at < end; at++) if (<u32>load<u8>(at) - 0x30 > 9) return false;
  return true;
}

@inline
function isBelow(value: i32, limit: i32): bool {
  return value >= 0 && value < limit;
}

/** Two decimal digits; far below zero when one of them is none. */
@inline
function two(at: usize): i32 {
  const tens: u32 = <u32>load<u8>(at) - 0x30;
  const ones: u32 = <u32>load<u8>(at, 1) - 0x30;
  return tens > 9 || ones > 9 ? -100000 : <i32>(tens * 10 + ones);
}

@inline
function daysIn(year: i32, month: i32): i32 {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}
