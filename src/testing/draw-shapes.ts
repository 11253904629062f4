import { RADIUS, type Scale } from './draw-scale.ts';

/** How far apart the marbles of one moment are. */
export const STEP = 2 * RADIUS + 3;

export function text(x: number, y: number, words: string, className: string): string {
  return `<text x="${n(x)}" y="${n(y)}" class="${className}">${escapeXml(words)}</text>`;
}

export function escapeXml(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Writes a coordinate. */
export function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A marble; a struck one is hollow, so that its letter can be read. */
export function marbleAt(letter: string, x: number, y: number, scale: Scale, isStruck = false): string {
  const colour = scale.colour(letter);
  const isCapital = letter !== letter.toLowerCase();
  const paint = isStruck ? `fill="var(--paper)" stroke="${colour}" stroke-width="2.4"` : `fill="${colour}"`;
  const radius = isStruck ? RADIUS - 1.2 : RADIUS;
  const shape = isCapital
    ? `<rect x="${n(x - radius)}" y="${n(y - radius)}" width="${n(2 * radius)}" height="${n(2 * radius)}" rx="7" ${paint}/>`
    : `<circle cx="${n(x)}" cy="${n(y)}" r="${n(radius)}" ${paint}/>`;
  if (!isStruck) return shape + text(x, y + 5, letter, 'letter');
  const strike = `<path class="cross" d="M${n(x - 17)} ${n(y + 17)}L${n(x + 17)} ${n(y - 17)}"/>`;
  return shape + strike + text(x, y + 5, letter, 'letter struck').replace('<text', `<text style="fill: ${colour}"`);
}

/** The marbles of one moment. */
export function stack(letters: readonly string[], column: number, y: number, scale: Scale, isCrossed = false): string {
  return letters.map((letter, level) => marbleAt(letter, scale.x(column), y - level * STEP, scale, isCrossed)).join('');
}

interface Foot {
  readonly letter: string;
  readonly from: number;
  readonly column: number;
  readonly level: number;
}

/** From a marble to when it arrived: under the line, or over it for those that lie on others. */
export function foot({ letter, from, column, level }: Foot, y: number, index: number, scale: Scale): string {
  const [x0, x1] = [scale.x(from), scale.x(column)];
  const end = y - level * STEP;
  const by = level === 0 ? y + RADIUS + 10 + 6 * index : end;
  const colour = scale.colour(letter);
  return (
    `<path class="foot" stroke="${colour}" d="M${n(x0)} ${n(y)}C${n(x0)} ${n(by)} ${n(x1 - 24)} ${n(by)} ${n(x1)} ${n(end)}"/>` +
    `<circle cx="${n(x0)}" cy="${n(y)}" r="4.5" fill="${colour}"/>`
  );
}

/** Writes a moment of virtual time: `1:05`, in minutes and seconds. */
export function clock(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
