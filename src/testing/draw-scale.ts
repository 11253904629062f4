import { durationMs } from '../duration.ts';
import { isDeepStrictEqual } from 'node:util';
import { dataOf } from './marble-record.ts';
import { type MarblePicture, sourcesOf } from './marble-spec.ts';
import { parseMarbles } from './marble-text.ts';

const COLUMN = 44;
export const RADIUS = 15;

/** Where and in which colour a picture has its things. */
export interface Scale {
  readonly left: number;
  readonly right: number;
  /** The middle of a column: the instant at which it begins. */
  readonly x: (column: number) => number;
  readonly columnOf: (ms: number) => number;
  readonly colour: (letter: string) => string;
  /** The letter that the spec has for the data of an event; `?` when it has none. */
  readonly letterOf: (data: unknown) => string;
}

export function scaleOf(spec: MarblePicture): Scale {
  const names = sourcesOf(spec).map(([name]) => name);
  const longest = Math.max(...[...names, 'result', spec.rejected ? 'rejects' : ''].map((name) => name.length));
  const left = 24 + longest * 7.3;
  const tickMs = durationMs(spec.tick, { who: 'marble', name: 'tick' });
  const letters = [...Object.keys(spec.given), ...Object.keys(spec.emits ?? {})];
  // A capital is the same record with other data, and has its colour.
  const families = [...new Set(letters.map((letter) => letter.toLowerCase()))];
  const values = Object.entries({ ...spec.emits, ...spec.given });
  return {
    left,
    right: left + Math.max((columnsOf(spec) + 0.4) * COLUMN, widestWords(spec)),
    x: (column) => left + (column + 0.5) * COLUMN,
    columnOf: (ms) => ms / tickMs,
    colour: (letter) => `var(--v${Math.max(0, families.indexOf(letter.toLowerCase())) % 8})`,
    letterOf: (data) => {
      const wanted = dataOf(data);
      const same = values.filter(([, value]) => isDeepStrictEqual(dataOf(value), wanted)).map(([letter]) => letter);
      return same.find((letter) => letter in spec.given) ?? same[0] ?? '?';
    },
  };
}

/** How many columns are drawn: what a group takes in the text only for its parentheses is left out. */
function columnsOf(spec: MarblePicture): number {
  const lines = [...sourcesOf(spec).map(([, line]) => line), spec.result, spec.rejected ?? '', spec.unsubscribe ?? ''];
  const columns = lines.map((line) => {
    const last = parseMarbles(line).at(-1);
    const values = last?.signs.filter((sign) => sign !== '|').length ?? 0;
    return line.endsWith(')') && last ? last.column + Math.max(1, values) : line.length;
  });
  return Math.max(...columns);
}

/** As wide as a picture has to be for what is written in it. */
function widestWords({ label, legend = {} }: MarblePicture): number {
  return Math.max(label.length * 9.1 + 28, ...Object.values(legend).map((words) => words.length * 6.7 + 28));
}
