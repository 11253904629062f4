import { expect, it } from 'vitest';
import { Pace } from '../../../src/sources/kinesis/pace.ts';
import { SubscribePace } from '../../../src/sources/kinesis/fan-out/subscribe-pace.ts';

const MEBIBYTE = 1024 * 1024;

it('calls are at most 5 in any second', () => {
  const pace = new Pace();
  for (const atMs of [0, 100, 200, 300]) pace.begin(atMs);
  expect(pace.waitMs(300)).toBeLessThanOrEqual(0);
  pace.begin(400);
  expect(pace.waitMs(500)).toBe(500);
  pace.begin(1000);
  expect(pace.waitMs(1000)).toBe(100);
});

it('what was read waits for the 2 MB a second of its shard once the stream has refused more, and not before', () => {
  const pace = new Pace();
  pace.answered(1000, 10 * MEBIBYTE);
  expect(pace.waitMs(1000)).toBeLessThanOrEqual(0);
  pace.refused();
  expect(pace.waitMs(1000)).toBe(5000);
  pace.answered(7000, MEBIBYTE);
  expect(pace.waitMs(7100)).toBe(400);
});

it('subscriptions are a second apart, and five behind one that was taken on', () => {
  const pace = new SubscribePace();
  expect(pace.waitMs(0)).toBeLessThanOrEqual(0);
  pace.begin(0);
  expect(pace.waitMs(100)).toBe(900);
  pace.opened(200);
  expect(pace.waitMs(200)).toBe(5000);
});
