import { durationMs } from '../duration.ts';
import { type Row, drawRejects, drawResult, drawSource } from './draw-line.ts';
import { RADIUS, scaleOf } from './draw-scale.ts';
import { clock, escapeXml, marbleAt, n, text } from './draw-shapes.ts';
import { drawStyle } from './draw-style.ts';
import { type MarblePicture, sourcesOf } from './marble-spec.ts';
import { parseMarbles } from './marble-text.ts';

/** Draws a marble spec as an SVG that needs nothing else, for light and dark. The same spec gives the same picture. */
export function drawMarble(name: string, spec: MarblePicture): string {
  const scale = scaleOf(spec);
  const goneAt = spec.unsubscribe === undefined ? undefined : parseMarbles(spec.unsubscribe)[0]?.column;
  const rows: Row[] = [
    { height: spec.ruler ? 30 : 12, draw: () => '' },
    ...sourcesOf(spec).map(([name, line]) => drawSource({ name, line, spec, scale, goneAt })),
    operatorBox(spec, scale.left, scale.right, scale.x),
    drawResult({ name: 'result', line: spec.result, spec, scale, goneAt }),
    ...(spec.rejected ? [drawRejects({ name: 'rejects', line: spec.rejected, spec, scale })] : []),
  ];
  const plotHeight = rows.reduce((sum, row) => sum + row.height, 0);
  rows.push(...footer(spec, scale));
  const width = scale.right + 14;
  let y = 0;
  const drawn = rows.map((row) => {
    const piece = row.draw(y);
    y += row.height;
    return piece;
  });
  const height = y + 8;
  const title = escapeXml(name);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="marbles" width="${n(width)}" height="${n(height)}" viewBox="0 0 ${n(width)} ${n(height)}" role="img">`,
    `<title>${title}</title>`,
    `<desc>${escapeXml(textOf(spec))}</desc>`,
    `<style>${drawStyle}</style>`,
    `<rect x="0.5" y="0.5" width="${n(width - 1)}" height="${n(height - 1)}" rx="10" fill="var(--paper)" stroke="var(--edge)"/>`,
    background(spec, scale, plotHeight + 4),
    goneAt === undefined ? '' : unsubscribed(scale.x(goneAt), plotHeight + 4),
    ...drawn.filter(Boolean),
    '</svg>',
    '',
  ]
    .filter((line, index, all) => line !== '' || index === all.length - 1)
    .join('\n');
}

/** The marble strings of a spec, aligned, as text. */
function textOf(spec: MarblePicture): string {
  const lines = [
    ...sourcesOf(spec),
    ...(spec.pressure ? [['pressure', spec.pressure] as const] : []),
    ...(spec.shardEnd ? [['shard end', spec.shardEnd] as const] : []),
    ...(spec.unsubscribe ? [['unsubscribe', spec.unsubscribe] as const] : []),
    ['result', spec.result] as const,
    ...(spec.rejected ? [['rejects', spec.rejected] as const] : []),
  ];
  const indent = Math.max(...lines.map(([name]) => name.length)) + 2;
  return [spec.label, ...lines.map(([name, line]) => name.padEnd(indent) + line)].join('\n');
}

type Scale = ReturnType<typeof scaleOf>;

function background(spec: MarblePicture, { left, right, x, columnOf }: Scale, height: number): string {
  if (!spec.ruler) return '';
  const everyMs = durationMs(spec.ruler, { who: 'marble', name: 'ruler' });
  const isHours = everyMs % 3_600_000 === 0;
  const drawn: string[] = [];
  for (let index = 0; x(columnOf(index * everyMs)) < right - 8; index++) {
    const at = x(columnOf(index * everyMs));
    const to = Math.min(right, x(columnOf((index + 1) * everyMs)));
    if (index % 2 === 1)
      drawn.push(`<rect x="${n(at)}" y="26" width="${n(to - at)}" height="${n(height - 26)}" fill="var(--band)"/>`);
    drawn.push(
      `<path class="ruler" d="M${n(Math.max(left, at))} 26V${n(height)}"/>`,
      text(at, 18, isHours ? `${index * (everyMs / 3_600_000)} h` : clock(index * everyMs), 'soft middle'),
    );
  }
  return drawn.join('');
}

function operatorBox(spec: MarblePicture, left: number, right: number, x: Scale['x']): Row {
  const told = [
    ...parseMarbles(spec.pressure ?? '').map(({ column }) => ({ column, what: 'a source waits for room', kind: 'bad' })),
    ...parseMarbles(spec.shardEnd ?? '').map(({ column }) => ({ column, what: 'the shard was read to its end', kind: 'ink' })),
  ];
  const above = told.length > 0 ? 24 : 8;
  const draw = (y: number): string => {
    const top = y + above;
    const marks = told.map(
      ({ column, what, kind }) =>
        `<path fill="var(--${kind})" d="M${n(x(column) - 8)} ${n(top - 15)}h16l-8 13z"/>` +
        text(x(column) + 13, top - 6, what, `small ${kind}`),
    );
    return (
      `<rect class="box" x="${n(left)}" y="${n(top)}" width="${n(right - left)}" height="38" rx="8"/>` +
      text((left + right) / 2, top + 24, spec.label, 'operator') +
      marks.join('')
    );
  };
  return { height: above + 38 + 12, draw };
}

function unsubscribed(x: number, height: number): string {
  return (
    `<path class="cross" stroke-dasharray="5 5" d="M${n(x)} 30V${n(height)}"/>` +
    text(x + 6, height - 4, 'unsubscribed', 'small bad')
  );
}

/** What the letters stand for, and what became of the events that did not come out. */
function footer(spec: MarblePicture, scale: Scale): Row[] {
  const notes = [
    ...Object.entries(spec.dropped ?? {}).map(([step, count]) => `${count} dropped by ${step}`),
    ...(spec.inFlight ? [`${spec.inFlight} still in flight`] : []),
  ];
  const size = 2 * RADIUS;
  const entries = Object.entries(spec.legend ?? {}).map(([letter, words]): Row => ({
    height: size * 0.62,
    draw: (y) =>
      `<g transform="translate(${n(scale.left + 8)} ${n(y + 8)}) scale(0.5)">${marbleAt(letter, 0, 0, scale)}</g>` +
      text(scale.left + 24, y + 12, words, 'soft'),
  }));
  const note = notes.length > 0 ? [{ height: 20, draw: (y: number) => text(scale.left, y + 12, notes.join(', '), 'soft') }] : [];
  const all = [...entries, ...note];
  return all.length > 0 ? [{ height: 6, draw: () => '' }, ...all] : [];
}
