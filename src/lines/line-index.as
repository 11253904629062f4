// AssemblyScript, https://www.assemblyscript.org: compiled by `npm run wasm` into line-index-wasm.ts.
//
// Finds the columns of lines of tab-separated text, sixteen bytes at a time.

/** Where the lines are told: for each row where its line begins and ends, two words. */
const TABLE: usize = 0x10000;
/** What was found, a word a row: the number of columns, and above it the marks. */
const FOUND: usize = 0x11000;
/** A row of words for each line: one before where it begins, then where each of its columns ends. */
const ENDS: usize = 0x12000;
const ROW_BYTES: usize = 640;
/** Columns told of a line at most: behind them is room for what sixteen bytes may add. */
const MAX_COLUMNS: i32 = 140;
const MAX_COUNT: i32 = 0xffffff;

const HAS_NEWLINE: i32 = 0x01000000;
const HAS_LOGGER: i32 = 0x02000000;
const IS_BEYOND_ASCII: i32 = 0x04000000;

/** `KinesisS`: what each log line of the enricher has in its logger's name. */
const LOGGER: u64 = 0x53736973656e694b;

export function scan(first: i32, count: i32): void {
  for (let row = first; row < first + count; row++) {
    const line = TABLE + (<usize>row << 3);
    store<i32>(FOUND + (<usize>row << 2), scanLine(load<u32>(line), load<u32>(line, 4), ENDS + <usize>row * ROW_BYTES));
  }
}

@inline
function scanLine(start: usize, end: usize, row: usize): i32 {
  const limit = row + MAX_COLUMNS * 4;
  let marks: i32 = 0;
  let more: i32 = 0;
  let newlines = i64x2.splat(0);
  let all = i64x2.splat(0);
  store<u32>(row, <u32>start - 1);
  let next = row + 4;
  let at = start;
  for (; at + 16 <= end; at += 16) {
    const bytes = v128.load(at);
    newlines = v128.or(newlines, i8x16.eq(bytes, i8x16.splat(10)));
    all = v128.or(all, bytes);
    const letters = i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(0x4b)));
    if (letters != 0) marks |= loggerAmong(letters, at, end);
    const tabs = i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(9)));
    if (next < limit) next = addTabs(tabs, at, next);
    else more += popcnt(tabs);
  }
  if (at < end) {
    // What lies behind the line's end does not count.
    const inside: i32 = (1 << <i32>(end - at)) - 1;
    const bytes = v128.load(at);
    if (i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(10))) & inside) marks |= HAS_NEWLINE;
    if (i8x16.bitmask(bytes) & inside) marks |= IS_BEYOND_ASCII;
    marks |= loggerAmong(i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(0x4b))) & inside, at, end);
    const tabs = i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(9))) & inside;
    if (next < limit) next = addTabs(tabs, at, next);
    else more += popcnt(tabs);
  }
  if (v128.any_true(newlines)) marks |= HAS_NEWLINE;
  if (i8x16.bitmask(all)) marks |= IS_BEYOND_ASCII;
  store<u32>(next, <u32>end);
  return min(<i32>((next - row) >> 2) + more, MAX_COUNT) | marks;
}

@inline
function addTabs(tabs: i32, at: usize, next: usize): usize {
  for (; tabs != 0; tabs &= tabs - 1) {
    store<u32>(next, <u32>at + <u32>ctz(tabs));
    next += 4;
  }
  return next;
}

function loggerAmong(letters: i32, at: usize, end: usize): i32 {
  for (; letters != 0; letters &= letters - 1) {
    const letter = at + <usize>ctz(letters);
    if (letter + 8 <= end && load<u64>(letter) == LOGGER) return HAS_LOGGER;
  }
  return 0;
}
