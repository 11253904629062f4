import { describe, expect, it } from 'vitest';
import { Throughput } from '../../../src/observe/page/throughput.ts';

describe('Throughput', () => {
  it('knows no rate before the second look', () => {
    const read = new Throughput();
    expect(read.perSecond).toBeUndefined();
    read.note(0, 1000);
    expect(read.perSecond).toBeUndefined();
    read.note(2000, 1500);
    expect(read.perSecond).toBe(250);
  });

  it('goes by the last ten seconds, or by one look and the next where those are farther apart', () => {
    const read = new Throughput();
    for (let second = 0; second <= 20; second++) read.note(second * 1000, second <= 10 ? 0 : (second - 10) * 100);
    expect(read.perSecond).toBe(100);
    read.note(80_000, 1000 + 60);
    expect(read.perSecond).toBe(1);
  });

  it('has a point a second at most, however many look, and none older than two minutes', () => {
    const read = new Throughput();
    for (let at = 0; at <= 300_000; at += 50) read.note(at, at);
    const rates = read.rates();
    expect(rates.length).toBeLessThanOrEqual(134);
    expect(Math.max(...rates.map(({ agoMs }) => agoMs))).toBeLessThanOrEqual(120_000);
    expect(new Set(rates.map(({ perSecond }) => perSecond))).toEqual(new Set([1000]));
  });

  it('begins anew when the clock is set back', () => {
    const read = new Throughput();
    read.note(60_000, 10);
    read.note(1000, 20);
    expect(read.perSecond).toBeUndefined();
    read.note(2000, 30);
    expect(read.perSecond).toBe(10);
  });
});
