import { expect, it } from 'vitest';
import { LookupCache } from '../../../src/operators/lookup/cache.ts';

it('remembers so many of the newest answers, or up to a sixteenth less', () => {
  const cache = new LookupCache(32, 1000);
  for (let n = 0; n < 100; n++) {
    cache.set(`${n}`, n, 0);
    const known = Array.from({ length: n + 1 }, (_, i) => i).filter((i) => cache.get(`${i}`, 0));
    expect(known.length).toBeLessThanOrEqual(32);
    expect(known.length).toBeGreaterThanOrEqual(Math.min(n + 1, 31));
    expect(known[0]).toBe(n + 1 - known.length);
  }
});

it('remembers fewer whose keys are long, as a visitor may make them, and again as many once those are forgotten', () => {
  const cache = new LookupCache(32, 1000);
  const known = (texts: readonly string[]): number => texts.filter((text) => cache.get(text, 0)).length;
  const long = Array.from({ length: 100 }, (_, n) => String(n).padStart(4000, 'x'));
  for (const text of [...long, ...long.slice(-2)]) cache.set(text, 1, 0);
  expect(known(long)).toBe(2);
  cache.set('x'.repeat(10_000), 1, 0);
  expect(known([...long, 'x'.repeat(10_000)])).toBe(0);
  const short = Array.from({ length: 32 }, (_, n) => `${n}`);
  for (const text of short) cache.set(text, 1, 0);
  expect(known(short)).toBe(32);
});

it('takes a new answer as fast when it is full', () => {
  const entries = 100_000;
  const cache = new LookupCache(entries, 1000);
  let next = 0;
  const msOf = (count: number): number => {
    const begunAt = performance.now();
    for (const end = next + count; next < end; next++) cache.set(`${next}`, next, 0);
    return performance.now() - begunAt;
  };
  const whileItFills = msOf(entries);
  msOf(entries);
  // A fifth as many took some twenty times as long.
  expect(msOf(entries / 5)).toBeLessThan(whileItFills * 2 + 50);
});
