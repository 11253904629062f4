import { durationMs } from '../duration.ts';
import { RADIUS, type Scale } from './draw-scale.ts';
import { STEP, clock, foot, marbleAt, n, stack, text } from './draw-shapes.ts';
import { Recorded } from './marble-record.ts';
import type { ExpectedWindow, MarblePicture } from './marble-spec.ts';
import { type Moment, parseMarbles } from './marble-text.ts';

/** A piece of a picture: its height, and its drawing below a given y. */
export interface Row {
  readonly height: number;
  readonly draw: (y: number) => string;
}

const WINDOW_WIDTH = 36;
const CAPTION_LINE = 12;

interface Line {
  readonly name: string;
  readonly line: string;
  readonly spec: MarblePicture;
  readonly scale: Scale;
  /** Where it goes on without anybody listening. */
  readonly goneAt?: number | undefined;
}

/** Draws what is read: marbles, those of a moment on top of each other, with a foot at the time when they arrived. */
export function drawSource({ name, line, spec, scale, goneAt }: Line): Row {
  const moments = parseMarbles(line);
  const feet = moments.flatMap(({ column, signs }) =>
    signs.filter(isValue).flatMap((letter, level) => {
      const given: unknown = spec.given[letter];
      const arrived = given instanceof Recorded ? given.options.arrived : undefined;
      const from = arrived && scale.columnOf(durationMs(arrived, { orZero: true }));
      return from === undefined || from === column ? [] : [{ letter, from, column, level }];
    }),
  );
  const above = RADIUS + 6 + (tallest(moments) - 1) * STEP;
  const below = RADIUS + 8 + 6 * feet.filter(({ level }) => level === 0).length;
  const draw = (top: number): string => {
    const y = top + above;
    const drawn = moments.map((moment) => {
      const marbles = ends(moment, y, scale) + stack(moment.signs.filter(isValue), moment.column, y, scale);
      return goneAt !== undefined && moment.column > goneAt ? `<g opacity="0.35">${marbles}</g>` : marbles;
    });
    const drawnFeet = feet.map((each, index) => foot(each, y, index, scale));
    return axis(name, moments, y, scale, goneAt) + drawnFeet.join('') + drawn.join('');
  };
  return { height: above + below, draw };
}

/** Draws what comes out: marbles, or windows as boxes of them. */
export function drawResult({ name, line, spec, scale, goneAt }: Line): Row {
  const moments = parseMarbles(line);
  const windows = new Map(Object.entries(spec.emits ?? {}).flatMap(([letter, value]) => windowOf(letter, value)));
  const groups = moments.map(({ signs }) => signs.filter((sign) => windows.has(sign)));
  if (groups.every((group) => group.length === 0)) return drawSource({ name, line, spec: { ...spec, given: {} }, scale, goneAt });

  const above = RADIUS + 10;
  const boxHeight = (letter: string): number => Math.max(1, windows.get(letter)!.events.length) * STEP + 6;
  const height = Math.max(
    ...groups.flat().map((letter) => boxHeight(letter) + captionOf(windows.get(letter)!).length * CAPTION_LINE),
  );
  const draw = (top: number): string => {
    const y = top + above;
    const boxes = moments.map(({ column, signs }, index) => {
      const group = groups[index]!.map((letter, place) =>
        box(windows.get(letter)!, scale.x(column) + place * (WINDOW_WIDTH + 12), y, scale),
      );
      return ends({ column, signs }, y, scale, widthOfGroup(group.length)) + group.join('');
    });
    const beside = widthOfGroup(groups.at(-1)?.length ?? 0);
    return axis(name, moments, y, scale, goneAt, beside) + boxes.join('');
  };
  return { height: above + height - RADIUS + 8, draw };
}

/** Draws what is rejected: crossed marbles with the code of the reason. */
export function drawRejects({ name, line, spec, scale }: Line): Row {
  const moments = parseMarbles(line);
  const above = RADIUS + 6 + (tallest(moments) - 1) * STEP;
  const draw = (top: number): string => {
    const y = top + above;
    const drawn = moments.map(({ column, signs }) => {
      const letters = signs.filter(isValue);
      const codes = letters.map((letter) => spec.why?.[letter]?.code ?? '').filter(Boolean);
      const caption = codes.map((code, index) =>
        text(scale.x(column), y + RADIUS + 14 + index * CAPTION_LINE, code, 'small bad middle'),
      );
      return stack(letters, column, y, scale, true) + caption.join('');
    });
    const end = parseMarbles(spec.result).filter(({ signs }) => signs.includes('|') || signs.includes('#'));
    return axis(name, [...moments, ...end], y, scale) + drawn.join('');
  };
  return { height: above + RADIUS + 10 + CAPTION_LINE * tallest(moments), draw };
}

function axis(name: string, moments: readonly Moment[], y: number, scale: Scale, goneAt?: number, beside = 0): string {
  const label = text(scale.left - 10, y + 4, name, 'soft').replace('<text', '<text text-anchor="end"');
  const end = moments.find(({ signs }) => signs.some((sign) => sign === '|' || sign === '#'))?.column;
  const last = end === undefined ? scale.right - 4 : scale.x(end) + beside;
  const heard = goneAt === undefined ? last : Math.min(last, scale.x(goneAt));
  const line = (from: number, to: number, className: string): string =>
    to > from ? `<path class="${className}" d="M${n(from)} ${n(y)}H${n(to)}"/>` : '';
  const arrow =
    end === undefined && heard === last
      ? `<path class="axis" d="M${n(last - 7)} ${n(y - 5)}L${n(last)} ${n(y)}L${n(last - 7)} ${n(y + 5)}"/>`
      : '';
  return label + line(scale.left, heard, 'axis') + line(heard, last, 'axis gone') + arrow;
}

/** The end of a line; beside the windows of its moment, which would hide it. */
function ends({ column, signs }: Moment, y: number, scale: Scale, beside = 0): string {
  const x = scale.x(column) + beside;
  if (signs.includes('#')) return `<path class="cross" d="M${n(x - 9)} ${n(y - 9)}l18 18m0 -18l-18 18"/>`;
  return signs.includes('|')
    ? `<path class="axis" stroke-width="2.4" d="M${n(x)} ${n(y - RADIUS - 8)}v${2 * RADIUS + 16}"/>`
    : '';
}

function widthOfGroup(windows: number): number {
  return windows === 0 ? 0 : (windows - 0.5) * (WINDOW_WIDTH + 12) + 4;
}

function box(window: ExpectedWindow, x: number, y: number, scale: Scale): string {
  const height = Math.max(1, window.events.length) * STEP + 6;
  const top = y - RADIUS - 4.5;
  const inside = window.events.map((data, level) => marbleAt(scale.letterOf(data), x, y + level * STEP, scale));
  const captions = captionOf(window).map((line, index) =>
    text(x, top + height + (index + 1) * CAPTION_LINE, line, 'small middle'),
  );
  return (
    `<rect class="box" x="${n(x - WINDOW_WIDTH / 2)}" y="${n(top)}" width="${WINDOW_WIDTH}" height="${n(height)}" rx="${WINDOW_WIDTH / 2}"/>` +
    inside.join('') +
    captions.join('')
  );
}

function captionOf({ start, part, closedBy }: ExpectedWindow): string[] {
  const from = start ? [`of ${clock(durationMs(start, { orZero: true }))}`] : [];
  return [...from, ...(part === undefined ? [] : [`part ${part}`]), ...(closedBy?.split('-') ?? [])];
}

function windowOf(letter: string, value: unknown): [string, ExpectedWindow][] {
  if (Array.isArray(value)) return [[letter, { events: value }]];
  return typeof value === 'object' && value !== null && 'events' in value && Array.isArray(value.events)
    ? [[letter, value as ExpectedWindow]]
    : [];
}

function tallest(moments: readonly Moment[]): number {
  return Math.max(1, ...moments.map(({ signs }) => signs.filter(isValue).length));
}

function isValue(sign: string): boolean {
  return sign !== '|' && sign !== '#' && sign !== '!';
}
