import type { Key, Piece } from './pieces.ts';

/** What makes a reading unlikely, and how much; only the differences matter. */
export const Cost = {
  /** A record cut elsewhere than at a multiple of 4,096 bytes. */
  oddCut: 3,
  /** An app id never seen. */
  newApp: 4,
  /** A newline too many. */
  emptyLine: 5,
  /** What looks like noise is a visitor's text. */
  asText: 6,
  /** A log line whose newline never comes. */
  unpaid: 10,
  /** A record that begins with less than its first column. */
  headless: 10,
  /** A newline inside a record that no log line accounts for. */
  torn: 18,
  /** A newline too many behind that: there was a log line, one that nobody knows. */
  tornByLog: 30,
  garbage: 20,
  /** Garbage of more columns than a record has. */
  overfull: 30,
} as const;
/** Readings that are worse than the best by this much are given up. */
const HOPELESS = 24;
/** A log line's newline comes within this many records, or doubts rise. */
export const PATIENCE_RECORDS = 4;

/** What was taken out of the text: a record, a bad row, or what is neither. */
export interface Found {
  readonly isRecord: boolean;
  /** It is a record, but for what may or may not be noise in it. */
  readonly isDoubted: boolean;
  readonly piece: Piece;
  /** The keys that may have bytes of it. */
  readonly keys: readonly number[];
  readonly from: number;
  readonly to: number;
  /** The same for the same bytes of the text. */
  readonly id: string;
  readonly before: Found | undefined;
}

/** One way to read the text so far. */
export interface Reading {
  readonly cost: number;
  /** How many columns its records have. */
  readonly columns: number;
  /** True between a log line and its newline. */
  readonly owesNewline: boolean;
  /** Records finished since. */
  readonly owedFor: number;
  /** The record that is not finished. */
  readonly open: Piece | undefined;
  readonly openId: string;
  readonly openBytes: number;
  /** How many bytes more it may have, of keys. */
  readonly openSlack: number;
  readonly openTabs: number;
  /** It can be no record: too many columns, or a log line that nobody knows in it. */
  readonly isSpoilt: boolean;
  readonly isTorn: boolean;
  /** What looks like noise was left in it: nothing, log lines, something else. */
  readonly leftIn: '' | 'log' | 'other';
  /** Records finished since one that was torn; -1 when there is none. */
  readonly tornFor: number;
  readonly found: Found | undefined;
  readonly foundId: string;
  readonly keys: readonly Key[];
}

/** A reading without an open record. */
export const CLOSED = {
  open: undefined,
  openId: '',
  openBytes: 0,
  openSlack: 0,
  openTabs: 0,
  isSpoilt: false,
  isTorn: false,
  leftIn: '',
} as const;

/** A reading of nothing yet, of records of this many columns. */
export function startReading(columns: number, cost: number): Reading {
  return { cost, columns, owesNewline: false, owedFor: 0, ...CLOSED, tornFor: -1, found: undefined, foundId: '', keys: [] };
}

/** The cost of a reading whose open record can be none; it is paid once. */
export function spoiltCost(reading: Reading, by: number): number {
  return reading.isSpoilt ? reading.cost : reading.cost + by;
}

/** Says whether a record was torn too lately: by a log line that nobody knows, which its newline would show. */
export function isDoubtful({ tornFor }: Reading): boolean {
  return tornFor >= 0 && tornFor <= PATIENCE_RECORDS;
}

/** Sorts readings, best first; keeps one of those that are the same from here on, and none that is hopeless. */
export function prune(readings: Reading[]): Reading[] {
  readings.sort((a, b) => a.cost - b.cost);
  const kept: Reading[] = [];
  for (const reading of readings) {
    if (reading.cost > readings[0]!.cost + HOPELESS) break;
    if (!kept.some((better) => isSame(better, reading))) kept.push(reading);
  }
  return kept;
}

/** Says whether two readings are the same from here on. */
function isSame(a: Reading, b: Reading): boolean {
  return (
    a.columns === b.columns &&
    a.owesNewline === b.owesNewline &&
    a.isSpoilt === b.isSpoilt &&
    a.isTorn === b.isTorn &&
    a.leftIn === b.leftIn &&
    a.tornFor === b.tornFor &&
    a.openId === b.openId &&
    a.foundId === b.foundId &&
    a.keys.length === b.keys.length &&
    a.keys.every((key, i) => isSameKey(key, b.keys[i]!))
  );
}

function isSameKey(a: Key, b: Key): boolean {
  return a.id === b.id && a.met === b.met && a.byApp === b.byApp && a.isDue === b.isDue;
}

/** What a reading found, last first. */
export function listed(reading: Reading): Found[] {
  const all: Found[] = [];
  for (let found = reading.found; found; found = found.before) all.push(found);
  return all;
}
