import { setImmediate as soon } from 'node:timers/promises';
import { VirtualTimeScheduler, asyncScheduler } from 'rxjs';
import { expect, it, vi } from 'vitest';
import { SinkDriver, type SinkDriverOptions } from '../../src/run/sink-driver.ts';
import type { OpenSink } from '../../src/sinks/sink.ts';
import type { Event } from '../../src/event.ts';
import { deliver } from '../../src/testing/deliver.ts';

/** A driver whose sink does not fail. */
function driverOf(
  sink: OpenSink<Event<Uint8Array>>,
  more: Partial<SinkDriverOptions<Event<Uint8Array>>> = {},
): SinkDriver<Event<Uint8Array>> {
  return new SinkDriver({
    name: 'sink',
    describe: 'a store',
    sink,
    retry: {},
    report: () => {},
    signal: new AbortController().signal,
    beforeCommit: async () => {},
    fail: (error) => expect.unreachable(String(error)),
    scheduler: asyncScheduler,
    random: Math.random,
    ...more,
  });
}

it('asks one thing of a sink at a time, also when a shard is taken over while another commits', async () => {
  const calls: string[] = [];
  const slowly = async (what: string): Promise<undefined> => {
    calls.push(what);
    await soon();
    calls.push('done');
  };
  const sink: OpenSink<Event<Uint8Array>> = {
    acquire: () => slowly('acquire'),
    positions: async () => new Map(),
    commit: () => slowly('commit'),
    close: async () => {},
  };
  const driver = driverOf(sink);
  await driver.acquire('a');
  driver.advance([['a', { shard: 'a', sequence: '1', subSequence: 0 }]]);
  await Promise.all([driver.acquire('b'), driver.acquire('c'), driver.idle()]);
  expect(calls.filter((call) => call !== 'done').toSorted()).toEqual(['acquire', 'acquire', 'acquire', 'commit']);
  // None began before the one before it was done.
  expect(calls.filter((_, i) => i % 2 === 1)).toEqual(['done', 'done', 'done', 'done']);
});

it('lets what comes during a commit linger anew, unless somebody waits for it or hurries it', async () => {
  const commits: number[] = [];
  const underWay: (() => void)[] = [];
  const scheduler = new VirtualTimeScheduler();
  const driver = driverOf(
    {
      acquire: async () => undefined,
      positions: async () => new Map(),
      async commit({ items }) {
        commits.push(items.length);
        await new Promise<void>((resolve) => underWay.push(resolve));
      },
      close: async () => {},
    },
    { scheduler, lingerMs: 1000 },
  );
  const { events } = deliver(['a', 'b', 'c', 'd', 'e']);
  let pushed = 0;
  const push = (): void => driver.push(events[pushed++]!, () => {});
  const finish = async (): Promise<void> => {
    underWay.shift()!();
    await soon();
  };
  push();
  scheduler.flush();
  await soon();
  push();
  push();
  await finish();
  expect(commits).toEqual([1]);
  scheduler.flush();
  await soon();
  expect(commits).toEqual([1, 2]);
  push();
  driver.hurry();
  await finish();
  expect(commits).toEqual([1, 2, 1]);
  push();
  void driver.stored();
  await finish();
  expect(commits).toEqual([1, 2, 1, 1]);
  await finish();
});

it('is done with what the sink has already, but not before the call is over that pushed it', async () => {
  const stands = { shard: 'shard-1', sequence: '1', subSequence: 0 };
  const driver = driverOf({
    acquire: async () => stands,
    positions: async () => new Map(),
    commit: async () => expect.unreachable(),
    close: async () => {},
  });
  await driver.acquire('shard-1');
  const done = vi.fn<() => void>();
  driver.push(deliver(['one']).events[0]!, done);
  expect(done).not.toHaveBeenCalled();
  await driver.idle();
  expect(done).toHaveBeenCalledOnce();
});

it('parts no events of one record by a commit, however large it is', async () => {
  const commits: number[] = [];
  const driver = driverOf({
    acquire: async () => undefined,
    positions: async () => new Map(),
    commit: async ({ items }) => void commits.push(items.length),
    close: async () => {},
  });
  const { events } = deliver([{ raw: Buffer.alloc(40 * 1024 * 1024) }, { raw: Buffer.alloc(40 * 1024 * 1024) }]);
  const [first, second] = [events[0]!, events[1]!];
  for (const event of [first, first.with(first.data), second]) driver.push(event, () => {});
  await driver.idle();
  expect(commits).toEqual([2, 1]);
});
