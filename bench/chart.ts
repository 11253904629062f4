import type { Spread } from './spread.ts';

/** One bar: a median, with a whisker from the least to the greatest. */
export interface Bar extends Spread {
  readonly name: string;
  readonly kind: 'old' | 'row' | 'limit';
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const [WIDTH, LEFT, RIGHT] = [860, 290, 130];
const [BAR, STEP, TITLE, TOP] = [14, 24, 42, 50];

const STYLE = `
.bench { --paper: #ffffff; --ink: #1d2733; --soft: #667384; --row: #1f6fd6; --old: #c2550a; --limit: #8b97a5; }
@media (prefers-color-scheme: dark) { .bench { --paper: #12171e; --ink: #e6ebf1; --soft: #93a1b1; --row: #6cb0ff; --old: #ffa45c; --limit: #66727f; } }
.bench .paper { fill: var(--paper); }
.bench text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace; font-size: 12px; fill: var(--ink); }
.bench .head { font-size: 14px; font-weight: 700; }
.bench .soft { fill: var(--soft); }
.bench .name { text-anchor: end; }
.bench .row { fill: var(--row); }
.bench .old { fill: var(--old); }
.bench .limit { fill: var(--limit); }
.bench .whisker { stroke: var(--ink); stroke-width: 1.4; }`.trim();

/** Draws bars, group under group, each group on a scale of its own: a picture with all it needs in it, by day and by night. */
export function chart(title: string, groups: readonly BarGroup[]): string {
  let y = TOP;
  const shapes: string[] = [];
  for (const { title: words, bars } of groups) {
    const scale = (WIDTH - LEFT - RIGHT) / Math.max(...bars.map(({ greatest }) => greatest));
    shapes.push(text(16, y, words, 'soft'));
    bars.forEach((bar, i) => shapes.push(...barAt(bar, y + 14 + i * STEP, scale)));
    y += bars.length * STEP + TITLE;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" class="bench" viewBox="0 0 ${WIDTH} ${y - 10}" width="${WIDTH}" height="${y - 10}" role="img">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<rect class="paper" width="100%" height="100%" rx="8"/>
${text(16, 26, title, 'head')}
${shapes.join('\n')}
</svg>
`;
}

function barAt({ name, kind, median, least, greatest }: Bar, y: number, scale: number): readonly string[] {
  const [middle, baseline] = [y + BAR / 2, y + BAR - 3];
  const whisker = `<path class="whisker" d="M${x(least, scale)} ${middle}H${x(greatest, scale)}"/>`;
  const told = median >= 10 ? median.toFixed(0) : median.toFixed(1);
  return [
    text(LEFT - 10, baseline, name, 'name'),
    `<rect class="${kind}" x="${LEFT}" y="${y}" width="${(median * scale).toFixed(1)}" height="${BAR}" rx="2"/>`,
    ...(least === greatest ? [] : [whisker]),
    text(Number(x(greatest, scale)) + 8, baseline, told, ''),
  ];
}

function x(value: number, scale: number): string {
  return (LEFT + value * scale).toFixed(1);
}

function text(at: number, y: number, words: string, kind: string): string {
  return `<text${kind === '' ? '' : ` class="${kind}"`} x="${at}" y="${y}">${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
