import { describe, expect, it } from 'vitest';
import { drawMarble } from '../../src/testing/draw.ts';
import { record } from '../../src/testing/marble-record.ts';
import type { MarblePicture } from '../../src/testing/marble-spec.ts';

const spec: MarblePicture = {
  tick: { seconds: 10 },
  ruler: { minutes: 1 },
  label: 'keep<T>("a" & b)',
  source: { 'shard 1': '-a-(bc)-|', 'shard 2': '--d--#' },
  result: '-A----(xy|)',
  rejected: '--d',
  why: { d: { code: 'bad' } },
  given: { a: 1, b: 2, c: record(3, { arrived: { seconds: 10 } }), d: 4 },
  emits: { A: 10, x: [2, 3], y: { events: [4], part: 1, closedBy: 'later-event', start: { minutes: 0 } } },
  dropped: { dedupe: 2 },
  inFlight: 1,
  pressure: '--!',
  unsubscribe: '-------!',
  legend: { a: '<one>' },
};

describe('drawMarble', () => {
  const svg = drawMarble('keeps <what> & why', spec);

  it('gives the same picture for the same spec', () => {
    expect(drawMarble('keeps <what> & why', { ...spec })).toBe(svg);
  });

  it('has the test’s name as its title and the strings as its description', () => {
    expect(svg).toContain('<title>keeps &lt;what&gt; &amp; why</title>');
    expect(/<desc>([^<]*)<\/desc>/.exec(svg)![1]).toMatchInlineSnapshot(`
      "keep&lt;T&gt;(&quot;a&quot; &amp; b)
      shard 1      -a-(bc)-|
      shard 2      --d--#
      pressure     --!
      unsubscribe  -------!
      result       -A----(xy|)
      rejects      --d"
    `);
  });

  it('needs nothing else: no script, no link, no font to fetch', () => {
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/<script|href|url\(|https?:/);
  });

  it('is one whole: every element is closed', () => {
    const open: string[] = [];
    for (const [, closes, name, selfClosed] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (closes) expect(open.pop()).toBe(name);
      else if (!selfClosed) open.push(name!);
    }
    expect(open).toEqual([]);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('has colours for light and for dark', () => {
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
  });

  it('keeps one colour for a value, also with other data and in a window', () => {
    const colours = (letter: string): string[] =>
      [...svg.matchAll(new RegExp(`fill="(var\\(--v\\d\\))"/><text[^>]*class="letter">${letter}<`, 'g'))].map(
        ([, colour]) => colour!,
      );
    expect(new Set([...colours('a'), ...colours('A')]).size).toBe(1);
    expect(colours('b')).toHaveLength(2);
    expect(new Set(colours('b')).size).toBe(1);
    expect(new Set(['a', 'b', 'c', 'd'].map((letter) => colours(letter)[0])).size).toBe(4);
  });

  it('draws a ruler line at every minute', () => {
    expect([...svg.matchAll(/class="ruler"/g)]).toHaveLength(2);
    expect(svg).toMatch(/>0:00<.*>1:00</s);
  });

  it('ends a foot at the time when the record arrived', () => {
    const marbleA = /<circle cx="([\d.]+)"[^>]*r="15"/.exec(svg)![1];
    expect(svg).toContain(`<circle cx="${marbleA}" cy="${/class="foot"[^>]*d="M[\d.]+ ([\d.]+)/.exec(svg)![1]}" r="4.5"`);
  });
});
