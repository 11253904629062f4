import { setImmediate as soon } from 'node:timers/promises';
import { VirtualTimeScheduler, asyncScheduler } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { WentBackError } from '../../src/errors.ts';
import type { Resume } from '../../src/position.ts';
import { SinkDriver, type SinkDriverOptions } from '../../src/run/sink-driver.ts';
import type { OpenSink } from '../../src/sinks/sink.ts';
import type { Event, Item } from '../../src/event.ts';
import { Window } from '../../src/operators/window.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { hurried } from '../support/hurried.ts';

/** A driver whose sink does not fail. */
function driverOf<T extends Item = Event<Uint8Array>>(
  sink: OpenSink<T>,
  more: Partial<SinkDriverOptions<T>> = {},
): SinkDriver<T> {
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

/** What a sink does beside commits, which stood somewhere, and of which the store knows nothing any more. */
function standing(at?: Resume): Omit<OpenSink<Event<Uint8Array>>, 'commit'> {
  return { acquire: async () => at, positions: async () => new Map(), close: async () => {} };
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
  // Whoever went ahead of his time has taken his timer along.
  expect(scheduler.actions).toEqual([]);
});

it.each<[Resume]>([[{ shard: 'shard-1', sequence: '1', subSequence: 0 }], ['SHARD_END']])(
  'is done with what the sink has already, but not before the call is over that pushed it: %j',
  async (stands) => {
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
  },
);

it('tells that what was pushed so far is stored, while more of it is under way', async () => {
  const commit = vi.fn<() => Promise<void>>(async () => {
    // Comes while the first one is under way, and is not stored for long.
    if (commit.mock.calls.length > 1) return new Promise<void>(() => {});
    driver.push(events[1]!, () => {});
  });
  const driver = driverOf({ ...standing(), commit });
  const { events } = deliver(['a', 'b']);
  driver.push(events[0]!, () => {});
  await driver.stored();
  await soon();
  expect(commit).toHaveBeenCalledTimes(2);
});

it('parts no events of one record by a commit, however large it is', async () => {
  const commits: number[] = [];
  const driver = driverOf({
    acquire: async () => undefined,
    positions: async () => new Map(),
    commit: async ({ items }) => void commits.push(items.length),
    close: async () => {},
  });
  const { events } = deliver([70, 40, 40].map((mebibytes) => ({ raw: Buffer.alloc(mebibytes * 1024 * 1024) })));
  const [first, second, third] = [events[0]!, events[1]!, events[2]!];
  for (const event of [first, first.with(first.data), second]) driver.push(event, () => {});
  // Nobody need wait for the rest, that it goes.
  await new Promise<void>((resolve) => driver.push(third, resolve));
  expect(commits).toEqual([2, 1, 1]);
});

it('gives a sink again what it lacks of a commit that took place in part, and no more', async () => {
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
  const [stands, commits] = [new Map<string, Resume>(), [] as string[][]];
  const driver = driverOf(
    {
      ...standing(),
      positions: async () => stands,
      async commit({ items, positions }) {
        commits.push([...items.map(({ shard }) => shard), ...positions.keys()]);
        if (commits.length > 1) return;
        stands.set('a', positions.get('a')!);
        throw reset;
      },
    },
    { retry: { firstDelayMs: 1 } },
  );
  for (const shard of ['a', 'b']) driver.push(deliver([{ shard, raw: 'x' }]).events[0]!, () => {});
  await driver.idle();
  expect(commits).toEqual([
    ['a', 'b', 'a', 'b'],
    ['b', 'b'],
  ]);
});

it('gives a sink of a window only what lies behind where it stood', async () => {
  const commits: string[][] = [];
  const driver = driverOf<Window<Uint8Array>>({
    acquire: async () => ({ shard: 'shard-1', sequence: '1', subSequence: 0 }),
    positions: async () => new Map(),
    commit: async ({ items }) => void commits.push(items.flatMap((window) => [...window.data()].map(String))),
    close: async () => {},
  });
  await driver.acquire('shard-1');
  const bounds = { shard: 'shard-1', startMs: 0, endMs: 60_000, part: 0, closedBy: 'later-event' } as const;
  driver.push(new Window(bounds, deliver(['a', 'b', 'c']).events), () => {});
  await driver.idle();
  expect(commits).toEqual([['b', 'c']]);
});

it('has patience with a sink that gets on, though each commit fails', async () => {
  const { events } = deliver(Array.from({ length: 30 }, (_, i) => String(i)));
  const stored: string[] = [];
  const attempts: number[] = [];
  let at: Resume | undefined;
  const driver = driverOf(
    {
      ...standing(),
      positions: async () => new Map(at && [['shard-1', at]]),
      async commit({ items }) {
        // One of them each time, and then its store is away.
        stored.push(String(items[0]!.data));
        at = items[0]!.position;
        if (items.length > 1) throw Object.assign(new Error('away'), { isTransient: true });
      },
    },
    { retry: { firstDelayMs: 1 }, report: (told) => void (told.type === 'sink-retry' && attempts.push(told.attempt)) },
  );
  for (const event of events) driver.push(event, () => {});
  await driver.idle();
  expect(stored).toEqual(events.map(({ data }) => String(data)));
  expect(attempts).toEqual(Array.from({ length: 29 }, () => 1));
});

it('has none with one that gets on no more, wherever it stands', async () => {
  const { events } = deliver(['a', 'b']);
  const fail = vi.fn<(error: unknown) => void>();
  let at: Resume | undefined;
  const driver = driverOf(
    {
      ...standing(),
      positions: async () => new Map(at && [['shard-1', at]]),
      async commit() {
        at = events[0]!.position;
        throw Object.assign(new Error('away'), { isTransient: true });
      },
    },
    { fail, retry: { within: { minutes: 1 } }, scheduler: hurried(1000) },
  );
  for (const event of events) driver.push(event, () => {});
  await expect(driver.idle()).rejects.toThrow('sink: ended before all was stored');
  expect(fail).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ message: expect.stringContaining('away') }));
});

it('writes down of a place in a shard that nothing came behind it, and not of a time', async () => {
  const moved: Resume[] = [];
  const driver = driverOf({ ...standing(), commit: async ({ positions }) => void moved.push(...positions.values()) });
  const [time, place] = [new Date(7), { shard: 'shard-1', sequence: '1', subSequence: 0 }];
  for (const stands of [time, place]) {
    await driver.moveTo('shard-1', stands);
    driver.stay('shard-1', 9);
    await driver.idle();
  }
  expect(moved).toEqual([time, place, { ...place, quietUntilMs: 9 }]);
});

it('moves a position to the last item of its shard, and never back from where a commit under way has brought it', async () => {
  const moved: Resume[][] = [];
  const underWay = Promise.withResolvers<void>();
  const driver = driverOf({
    ...standing(),
    async commit({ positions }) {
      moved.push([...positions.values()]);
      await underWay.promise;
    },
  });
  const { events } = deliver(['a', 'b', 'c']);
  const [first, second, third] = events.map(({ position }) => position);
  driver.advance([['shard-1', first!]]);
  for (const event of events.slice(1)) driver.push(event, () => {});
  await soon();
  driver.advance([['shard-1', second!]]);
  underWay.resolve();
  await driver.idle();
  expect(moved).toEqual([[third]]);
});

describe('a driver that is closed', () => {
  /** One commit under way, and items that linger behind it. */
  async function inTheMidst() {
    const scheduler = new VirtualTimeScheduler();
    const underWay = Promise.withResolvers<void>();
    const calls: string[] = [];
    const driver = driverOf(
      {
        ...standing(),
        commit: () => underWay.promise.then(() => void calls.push('committed')),
        close: async () => void calls.push('closed'),
      },
      { scheduler, lingerMs: 1000 },
    );
    const { events } = deliver(['a', 'b', 'c']);
    driver.push(events[0]!, () => {});
    driver.hurry();
    await soon();
    for (const event of events.slice(1)) driver.push(event, () => {});
    return { driver, scheduler, underWay, calls };
  }

  it('lets nobody wait for the rest, closes its sink behind the commit under way, and leaves no timer', async () => {
    const { driver, scheduler, underWay, calls } = await inTheMidst();
    const idle = driver.idle();
    const closed = driver.close();
    await expect(idle).rejects.toThrow('sink: ended before all was stored');
    expect(calls).toEqual([]);
    underWay.resolve();
    await closed;
    expect(calls).toEqual(['committed', 'closed']);
    expect(scheduler.actions).toEqual([]);
  });

  it('closes its sink after some seconds when that commit does not end', async () => {
    const { driver, scheduler, calls } = await inTheMidst();
    const closed = driver.close();
    scheduler.flush();
    await closed;
    expect(calls).toEqual(['closed']);
    expect(scheduler.now()).toBe(5000);
  });
});

describe('nothing is stored any more', () => {
  const { events } = deliver(['a', 'b']);

  it('behind a commit that has failed', async () => {
    const fail = vi.fn<(error: unknown) => void>();
    const commit = vi.fn<() => Promise<void>>().mockRejectedValue(new Error('refused'));
    const driver = driverOf({ ...standing(), commit }, { fail });
    driver.push(events[0]!, () => {});
    await expect(driver.idle()).rejects.toThrow('sink: ended before all was stored');
    driver.push(events[1]!, () => {});
    await expect(driver.stored()).rejects.toThrow('sink: ended before all was stored');
    expect(commit).toHaveBeenCalledOnce();
    expect(fail).toHaveBeenCalledOnce();
  });

  it('once the run has failed', async () => {
    const failed = new AbortController();
    const commit = vi.fn<() => Promise<void>>();
    const driver = driverOf({ ...standing(), commit }, { signal: failed.signal });
    failed.abort();
    driver.push(events[0]!, () => {});
    await expect(driver.idle()).rejects.toThrow('sink: ended before all was stored');
    expect(commit).not.toHaveBeenCalled();
  });
});

it('tries again where the store knows nothing yet of a shard', async () => {
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
  const commit = vi.fn<() => Promise<void>>().mockRejectedValueOnce(reset);
  const driver = driverOf({ ...standing(), commit }, { retry: { firstDelayMs: 1 } });
  await driver.moveTo('shard-1', 'TRIM_HORIZON');
  expect(commit).toHaveBeenCalledTimes(2);
});

it('sees that a store has forgotten what it had when the shard was taken over, too', async () => {
  const fail = vi.fn<(error: unknown) => void>();
  const stood = { shard: 'shard-1', sequence: '1', subSequence: 0 };
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
  const commit = vi.fn<() => Promise<void>>().mockRejectedValueOnce(reset);
  const driver = driverOf({ ...standing(stood), commit }, { fail, retry: { firstDelayMs: 1 } });
  await driver.acquire('shard-1');
  driver.push(deliver(['one', 'two']).events[1]!, () => {});
  await expect(driver.idle()).rejects.toThrow('sink: ended before all was stored');
  expect(fail).toHaveBeenCalledExactlyOnceWith(expect.any(WentBackError));
  expect(commit).toHaveBeenCalledOnce();
});
