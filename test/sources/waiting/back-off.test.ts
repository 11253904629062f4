import { VirtualTimeScheduler } from 'rxjs';
import { expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import { BackOff } from '../../../src/sources/waiting/back-off.ts';

const error = new Error('throttled');

function waiting() {
  const [scheduler, end, told] = [new VirtualTimeScheduler(), new AbortController(), [] as Diagnostic[]];
  const context = { scheduler, random: () => 0.5, report: (diagnostic: Diagnostic) => told.push(diagnostic) };
  const backOff = new BackOff(context, 'shard-1', end.signal);
  const wait = async (): Promise<number> => {
    const sinceMs = scheduler.now();
    const over = backOff.wait(error);
    scheduler.flush();
    await over;
    return scheduler.now() - sinceMs;
  };
  return { backOff, wait, told, end };
}

it('waits twice as long from failure to failure, up to twenty seconds, by a share that chance gives, and tells of it', async () => {
  const { backOff, wait, told } = waiting();
  const waitedMs: number[] = [];
  for (let i = 0; i < 9; i++) waitedMs.push(await wait());
  expect(waitedMs).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  expect(told.at(-1)).toEqual({ type: 'source-retry', shard: 'shard-1', attempt: 9, delayMs: 10_000, error });
  backOff.succeeded();
  expect(await wait()).toBe(100);
  expect(told.at(-1)).toMatchObject({ attempt: 1 });
});

it('neither waits nor tells of anything once it was stopped', async () => {
  const { wait, told, end } = waiting();
  end.abort();
  expect([await wait(), told]).toEqual([0, []]);
});
