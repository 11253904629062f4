// AssemblyScript, https://www.assemblyscript.org: compiled by `npm run wasm` into binary-wasm.ts.
//
// Writes lines of tab-separated text as tuples of COPY's binary format:
// https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4
//
// A value is written only when the input function of its type is sure to read the text as that value, and the line is in
// doubt otherwise. What the server asks of both formats in the same way is left to it: that a text is UTF-8 without NUL,
// or JSON.

// Where things lie: see binary.ts.
/** A word a column: what it is, whether it may be NULL, and how many characters it takes (0: any number). */
const COLUMNS: usize = 0x10000;
/** Where each line begins, and at last where the last one ends. */
const LINES: usize = 0x12000;
/** Where a message for the server may reach. */
const MESSAGE_END: usize = 0x80000;

// What columns are: see postgres-types.ts.
const TEXT: u32 = 0;
const JSONB: u32 = 1;
const BOOL: u32 = 2;
const INT2: u32 = 3;
const INT4: u32 = 4;
const INT8: u32 = 5;
const FLOAT4: u32 = 6;
const FLOAT8: u32 = 7;
const TIMESTAMP: u32 = 8;
const DATE: u32 = 9;
const UUID: u32 = 10;
const KIND: u32 = 0x7f;
const REQUIRED: u32 = 0x80;

/** How much longer than its line a tuple may be, for each column: four bytes tell a value's length, eight stand for a digit. */
const MORE_A_COLUMN: usize = 12;
/** Text is copied sixteen bytes at a time; what that writes beyond it is written over. */
const SPARE: usize = 64;

/** Powers of ten: a double has each of them exactly, so a division by one of them is rounded once. */
const POWERS: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
]);
const DAYS: usize = memory.data<u8>([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);

/** Reads a number as JavaScript does: as the double that is nearest. */
@external("host", "toNumber")
declare function toNumber(start: usize, end: usize): f64;

/** Where the message ends. */
export let end: usize = 0;
/** Whether it ends before a line that is in doubt, and not for want of lines or room. */
export let isInDoubt: bool = false;

/**
 * Writes the lines [from, to) behind `at`, as far as the message has room.
 *
 * @returns the line before which it ends
 */
export function encode(columns: i32, from: i32, to: i32, at: usize): i32 {
  isInDoubt = false;
  end = at;
  for (let row = from; row < to; row++) {
    const start = <usize>load<u32>(LINES + (<usize>row << 2));
    const stop = <usize>load<u32>(LINES + (<usize>row << 2), 4);
    if (end + (stop - start) + <usize>columns * MORE_A_COLUMN + SPARE > MESSAGE_END) return row;
    const next = tuple(columns, start, stop, end);
    if (next == 0) {
      isInDoubt = true;
      return row;
    }
    end = next;
  }
  return to;
}

/** @returns where the tuple ends; 0 when it is in doubt, as of all that follows */
function tuple(columns: i32, start: usize, stop: usize, at: usize): usize {
  store<u16>(at, bswap<u16>(<u16>columns));
  let out = at + 2;
  let column = COLUMNS;
  const last = COLUMNS + (<usize>(columns - 1) << 2);
  let begin = start;
  for (let block = start; block < stop; block += 16) {
    let tabs = i8x16.bitmask(i8x16.eq(v128.load(block), i8x16.splat(9)));
    // What lies behind the line's end does not count.
    if (block + 16 > stop) tabs &= (1 << <i32>(stop - block)) - 1;
    for (; tabs != 0; tabs &= tabs - 1) {
      if (column == last) return 0;
      const tab = block + <usize>ctz(tabs);
      out = field(load<u32>(column), begin, tab, out);
      if (out == 0) return 0;
      column += 4;
      begin = tab + 1;
    }
  }
  return column == last ? field(load<u32>(column), begin, stop, out) : 0;
}

@inline
function field(column: u32, start: usize, stop: usize, at: usize): usize {
  if (start == stop) {
    store<i32>(at, -1);
    return column & REQUIRED ? 0 : at + 4;
  }
  const kind = column & KIND;
  if (kind != TEXT) return value(kind, start, stop, at);
  const length = stop - start;
  const most = column >> 8;
  if (most != 0 && <u32>length > most && characters(start, stop) > most) return 0;
  store<u32>(at, bswap(<u32>length));
  copy(start, length, at + 4);
  return at + 4 + length;
}

/** Counts the bytes that begin a character. */
function characters(start: usize, stop: usize): u32 {
  let count: u32 = 0;
  for (let at = start; at < stop; at++) if ((load<u8>(at) & 0xc0) != 0x80) count++;
  return count;
}

@inline
function copy(start: usize, length: usize, out: usize): void {
  if (length > 256) memory.copy(out, start, length);
  else for (let i: usize = 0; i < length; i += 16) v128.store(out + i, v128.load(start + i));
}

function value(kind: u32, start: usize, stop: usize, at: usize): usize {
  switch (kind) {
    case JSONB: {
      store<u32>(at, bswap(<u32>(stop - start + 1)));
      store<u8>(at, 1, 4);
      copy(start, stop - start, at + 5);
      return at + 5 + (stop - start);
    }
    case BOOL:
      return bool_(start, stop, at);
    case INT2:
    case INT4:
    case INT8:
      return integer(kind, start, stop, at);
    case FLOAT4:
    case FLOAT8:
      return float(kind, start, stop, at);
    case TIMESTAMP:
      return timestamp(start, stop, at);
    case DATE: {
      if (stop - start != 10) return 0;
      const days = date(start);
      if (days == NO_DATE) return 0;
      return put4(at, days);
    }
    case UUID:
      return uuid(start, stop, at);
    default:
      return 0;
  }
}

@inline
function put4(at: usize, word: i32): usize {
  store<u32>(at, 0x04000000);
  store<u32>(at, bswap(<u32>word), 4);
  return at + 8;
}

@inline
function put8(at: usize, word: u64): usize {
  store<u32>(at, 0x08000000);
  store<u64>(at, bswap(word), 4);
  return at + 12;
}

/** `0`, `1`, `t`, `f`, `true`, `false`, in capitals or not. */
function bool_(start: usize, stop: usize, at: usize): usize {
  let is: i32 = -1;
  const length = stop - start;
  if (length == 1) {
    const letter = load<u8>(start);
    if (letter == 0x31 || (letter | 0x20) == 0x74) is = 1;
    else if (letter == 0x30 || (letter | 0x20) == 0x66) is = 0;
  } else if (length == 4) {
    if ((load<u32>(start) | 0x20202020) == 0x65757274) is = 1;
  } else if (length == 5) {
    if ((load<u32>(start) | 0x20202020) == 0x736c6166 && (load<u8>(start, 4) | 0x20) == 0x65) is = 0;
  }
  if (is < 0) return 0;
  store<u32>(at, 0x01000000);
  store<u8>(at, <u8>is, 4);
  return at + 5;
}

function integer(kind: u32, start: usize, stop: usize, at: usize): usize {
  const isNegative = load<u8>(start) == 0x2d;
  let digit = start + <usize>isNegative;
  // Eighteen digits fit into 64 bits, whatever they are.
  if (digit == stop || stop - digit > 18) return 0;
  let value: i64 = 0;
  for (; digit < stop; digit++) {
    const one = load<u8>(digit) - 0x30;
    if (one > 9) return 0;
    value = value * 10 + one;
  }
  if (isNegative) value = -value;
  if (kind == INT4) return value == <i64>(<i32>value) ? put4(at, <i32>value) : 0;
  if (kind == INT8) return put8(at, value);
  if (value != <i64>(<i16>value)) return 0;
  store<u32>(at, 0x02000000);
  store<u16>(at, bswap<u16>(<u16>value), 4);
  return at + 6;
}

function float(kind: u32, start: usize, stop: usize, at: usize): usize {
  const value = double(start, stop);
  if (isNaN(value)) return 0;
  if (kind == FLOAT8) return put8(at, reinterpret<u64>(value));
  const single = <f32>value;
  // Rounded twice, half-way between two floats would be rounded wrong; very small ones have fewer digits.
  if ((reinterpret<u64>(value) & 0x1fffffff) == 0x10000000) return 0;
  if (value != 0 && !(abs(single) >= 1.17549435e-38 && abs(single) <= 3.40282346e38)) return 0;
  return put4(at, reinterpret<i32>(single));
}

/** @returns NaN when it is in doubt */
function double(start: usize, stop: usize): f64 {
  const isNegative = load<u8>(start) == 0x2d;
  let at = start + <usize>isNegative;
  let mantissa: u64 = 0;
  let digits = 0;
  let scale = 0;
  let hasDot = false;
  for (; at < stop; at++) {
    const byte = load<u8>(at);
    const one = byte - 0x30;
    if (one <= 9) {
      // Beyond eighteen it is only seen whether it is a number.
      if (digits < 18) {
        mantissa = mantissa * 10 + one;
        if (hasDot) scale++;
      }
      digits++;
    } else if (byte == 0x2e && !hasDot) hasDot = true;
    else break;
  }
  if (digits == 0) return NaN;
  if (at == stop && digits <= 18 && mantissa <= 0x20000000000000) {
    const value = <f64>mantissa / load<f64>(POWERS + (<usize>scale << 3));
    return isNegative ? -value : value;
  }
  if (at < stop) {
    if ((load<u8>(at) | 0x20) != 0x65) return NaN;
    at++;
    if (at < stop && (load<u8>(at) == 0x2b || load<u8>(at) == 0x2d)) at++;
    if (at == stop) return NaN;
    for (; at < stop; at++) if (load<u8>(at) - 0x30 > 9) return NaN;
  }
  const value = toNumber(start, stop);
  // What is too great or too small is for Postgres to say.
  return abs(value) <= f64.MAX_VALUE && abs(value) >= f64.MIN_NORMAL_VALUE ? value : NaN;
}

const NO_DATE: i32 = i32.MIN_VALUE;

/** `2026-11-22`: days since 2000. */
function date(start: usize): i32 {
  const year = two(start) * 100 + two(start + 2);
  const month = two(start + 5);
  const day = two(start + 8);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return NO_DATE;
  if (load<u8>(start, 4) != 0x2d || load<u8>(start, 7) != 0x2d) return NO_DATE;
  // Years from March, so that the leap day is the last of its year.
  const y = month > 2 ? year : year - 1;
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return y * 365 + y / 4 - y / 100 + y / 400 + dayOfYear - 730425;
}

@inline
function daysIn(year: i32, month: i32): i32 {
  const isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && isLeap ? 29 : <i32>load<u8>(DAYS + <usize>(month - 1));
}

/** `2026-11-22 09:00:00` with up to six digits of a fraction: microseconds since 2000. */
function timestamp(start: usize, stop: usize, at: usize): usize {
  const length = stop - start;
  if (length < 19 || length == 20 || length > 26) return 0;
  const days = date(start);
  const hour = two(start + 11);
  const minute = two(start + 14);
  const second = two(start + 17);
  if (days == NO_DATE || <u32>hour > 23 || <u32>minute > 59 || <u32>second > 59) return 0;
  if (load<u8>(start, 10) != 0x20 || load<u8>(start, 13) != 0x3a || load<u8>(start, 16) != 0x3a) return 0;
  let micros = 0;
  if (length > 19) {
    if (load<u8>(start, 19) != 0x2e) return 0;
    let unit = 100000;
    for (let digit = start + 20; digit < stop; digit++) {
      const one = load<u8>(digit) - 0x30;
      if (one > 9) return 0;
      micros += <i32>one * unit;
      unit /= 10;
    }
  }
  return put8(at, <u64>((((<i64>days * 24 + hour) * 60 + minute) * 60 + second) * 1000000 + micros));
}

/** Two digits; so little when they are none that no sum with them is a number of anything. */
@inline
function two(at: usize): i32 {
  const tens = load<u8>(at) - 0x30;
  const ones = load<u8>(at, 1) - 0x30;
  return tens > 9 || ones > 9 ? -100000 : <i32>tens * 10 + <i32>ones;
}

/** 32 digits in groups of 8, 4, 4, 4 and 12. */
function uuid(start: usize, stop: usize, at: usize): usize {
  if (stop - start != 36) return 0;
  if (load<u8>(start, 8) != 0x2d || load<u8>(start, 13) != 0x2d || load<u8>(start, 18) != 0x2d || load<u8>(start, 23) != 0x2d) return 0;
  store<u32>(at, 0x10000000);
  let out = at + 4;
  for (let digit = start; digit < stop; digit += 2) {
    if (load<u8>(digit) == 0x2d) digit++;
    const high = hex(load<u8>(digit));
    const low = hex(load<u8>(digit, 1));
    if ((high | low) > 15) return 0;
    store<u8>(out++, <u8>((high << 4) | low));
  }
  return out == at + 20 ? out : 0;
}

@inline
function hex(byte: u8): u32 {
  const digit = byte - 0x30;
  if (digit <= 9) return digit;
  const letter = (byte | 0x20) - 0x61;
  return letter <= 5 ? <u32>letter + 10 : 255;
}
