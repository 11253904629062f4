import { setImmediate as soon } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Turns } from '../../../src/sources/shards/turns.ts';

it('lets so many do something at a time, in their order, also when they come one after the other and when one fails', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const underWay: PromiseWithResolvers<void>[] = [];
  const take = (i: number): Promise<void> =>
    turns.take(async () => {
      begun.push(i);
      await (underWay[i] = Promise.withResolvers<void>()).promise;
    });
  const taken = [take(0), take(1), take(2)];
  await soon();
  expect(begun).toEqual([0, 1]);
  underWay[1]!.reject(new Error('failed'));
  await expect(taken[1]).rejects.toThrow('failed');
  await soon();
  expect(begun).toEqual([0, 1, 2]);
  for (const i of [0, 2]) underWay[i]!.resolve();
  await Promise.all([taken[0], taken[2]]);
  void Promise.all([take(3), take(4), take(5)]);
  await soon();
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});
