import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as soon } from 'node:timers/promises';
import {
  type Observable,
  type SchedulerAction,
  type SchedulerLike,
  asyncScheduler,
  concat,
  defer,
  from,
  ignoreElements,
  map,
  take,
} from 'rxjs';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Event } from '../../src/event.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { named } from '../../src/operators/named.ts';
import { pipeline } from '../../src/pipeline.ts';
import { PreparedSteps } from '../../src/run/prepared-steps.ts';
import { run, startRun } from '../../src/run/run.ts';
import { readShards } from '../../src/sources/shards/read-shards.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { type Source, readingDeliveries } from '../../src/sources/source.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { onServer } from '../../src/stores/identities/on-server.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { memoryBlocks } from '../support/memory-blocks.ts';
import { pushSource } from '../support/push-source.ts';

/** What is waited for so long that a test could not wait for it. */
const hurried: SchedulerLike = {
  now: () => asyncScheduler.now(),
  schedule<T>(work: (this: SchedulerAction<T>, state: T) => void, delayMs = 0, state?: T) {
    return asyncScheduler.schedule(work as (this: SchedulerAction<T>, state?: T) => void, delayMs / 100, state);
  },
};

test('a run that cannot open its sinks takes nothing from one that is at work', async () => {
  const server = memoryBlocks();
  const unique = dedupe<Uint8Array>({ by: String, within: { hours: 1 }, state: onServer(server, undefined) });
  const closed = { ...memorySink<Event<Uint8Array>>(), open: () => Promise.reject(new Error('the disk is away')) };
  await expect(run(pipeline('shop').from(pushSource()).pipe(unique).to(closed))).rejects.toThrow('the disk is away');
  expect(await server.log('shop').stands()).toMatchObject({ epoch: 0 });
});

test.each(['read', 'deliveries'] as const)(
  'nor does one that cannot have its stream, whichever way it is read: %s',
  async (way) => {
    const server = memoryBlocks();
    const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'ids');
    const source = readingDeliveries((context) =>
      readShards(context, { list: () => Promise.reject(new Error('no such stream')), readShard: async () => [] }),
    );
    const declared: Source<Uint8Array> = { name: 'gone', describe: 'gone', check: async () => '', read: source.read };
    if (way === 'deliveries') Object.assign(declared, source);
    for (const state of [onServer(server, undefined), identityLog(`file:${path}`)]) {
      const unique = dedupe<Uint8Array>({ by: String, within: { hours: 1 }, state });
      const sink = memorySink<Event<Uint8Array>>();
      await expect(run(pipeline('shop').from(declared).pipe(unique).to(sink))).rejects.toThrow('no such stream');
    }
    expect(await server.log('shop').stands()).toMatchObject({ epoch: 0 });
    expect(existsSync(path)).toBe(false);
  },
);

test('a run takes the memory over once the stream has said what there is, and before it takes a shard over', async () => {
  const server = memoryBlocks();
  const state = onServer(server, undefined);
  const epochs: number[] = [];
  const look = async (): Promise<void> => void epochs.push((await server.log('shop').stands()).epoch);
  const source = readingDeliveries((context) =>
    readShards(context, {
      async list() {
        await look();
        return [{ id: 's', parents: ['gone'] }];
      },
      readShard: async () => [],
    }),
  );
  const sink = memorySink<Event<Uint8Array>>();
  const looking: typeof sink = {
    ...sink,
    async open(context) {
      const opened = await sink.open(context);
      return { ...opened, acquire: async (shard) => (await look(), opened.acquire(shard)) };
    },
  };
  const unique = dedupe<Uint8Array>({ by: String, within: { hours: 1 }, state });
  await run(
    pipeline('shop')
      .from({ name: 'one', describe: 'one', check: async () => '', ...source })
      .pipe(unique)
      .to(looking),
  );
  expect(epochs.slice(0, 2)).toEqual([0, 1]);
});

test('what is ready only once the run was stopped begins no step', async () => {
  const ready = Promise.withResolvers<() => Promise<void>>();
  const [begins, releases] = [vi.fn<() => void>(), vi.fn<() => Promise<void>>(async () => {})];
  const step = named<Event<Uint8Array>, Event<Uint8Array>>('slow', '', (events) => defer(() => (begins(), events)), {
    prepare: () => ready.promise,
  });
  const stop = new AbortController();
  const declared = pipeline('shop').from(scripted({ s: [['a']] }));
  const finished = run(declared.pipe(step).to(memorySink()), { stop: stop.signal, scheduler: hurried });
  await soon();
  stop.abort('enough');
  await finished;
  ready.resolve(releases);
  await soon();
  expect(begins).not.toHaveBeenCalled();
  expect(releases).toHaveBeenCalledOnce();
});

test('a source whose events no step wants any more is read no further, though the steps go on', async () => {
  const goesOn = Promise.withResolvers<void>();
  const first = (events: Observable<Event<Uint8Array>>): Observable<Event<Uint8Array>> =>
    concat(events.pipe(take(1)), from(goesOn.promise).pipe(ignoreElements()));
  const source = scripted({ s: [['a'], ['b'], ['c']] });
  const { ledger, finished } = startRun(pipeline('shop').from(source).pipe(first).to(memorySink()));
  await vi.waitFor(() => expect(ledger.counts().read).toBe(1));
  for (let turn = 0; turn < 20; turn++) await soon();
  expect(ledger.counts().read).toBe(1);
  goesOn.resolve();
  await finished;
});

test('a source that is made of another one is read by its own read, where no step takes whole deliveries', async () => {
  const inner = scripted({ s: [['a'], ['b']] });
  const loud = map((event: Event<Uint8Array>) => event.with(Buffer.from(`${String(event.data)}!`)));
  const sink = memorySink<Event<Uint8Array>>();
  await run(
    pipeline('shop')
      .from({ ...inner, read: (context) => inner.read(context).pipe(loud) })
      .to(sink),
  );
  expect(sink.stored.map(({ data }) => String(data))).toEqual(['a!', 'b!']);
});

test('a source that takes no shard over before its first event is told to', async () => {
  const source = { name: 'odd', describe: 'odd', check: async () => '', read: () => from(deliver(['a']).events) };
  await expect(run(pipeline('shop').from(source).to(memorySink()))).rejects.toThrow(
    'odd: expected a source to take a shard over',
  );
});

test('a pipeline that is stopped while the memory is taken over can be run again, and keeps it', async () => {
  const server = memoryBlocks();
  const opens = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const slow: typeof server = {
    ...server,
    openIdentities: async (log) => (begun.resolve(), await opens.promise, server.openIdentities(log)),
  };
  const unique = dedupe<Uint8Array>({ by: String, within: { hours: 1 }, state: onServer(slow, undefined) });
  const declared = pipeline('shop')
    .from(scripted({ s: [['a']] }))
    .pipe(unique)
    .to(memorySink<Event<Uint8Array>>());
  const stop = new AbortController();
  const stopped = run(declared, { stop: stop.signal });
  await begun.promise;
  stop.abort('enough');
  setTimeout(opens.resolve, 20);
  await stopped;
  expect(await run(declared)).toMatchObject({ stored: 1 });
});

test.each(['a sink', 'a step'])('a stop does not wait long for %s that does not open: nothing was read', async (what) => {
  const never = (): Promise<never> => new Promise(() => {});
  const sink = memorySink<Event<Uint8Array>>();
  const hanging = what === 'a sink' ? { ...sink, open: never } : sink;
  const step = named<Event<Uint8Array>, Event<Uint8Array>>('slow', '', (events) => events, { prepare: never });
  const stop = new AbortController();
  const finished = run(
    pipeline('shop')
      .from(scripted({ s: [['a']] }))
      .pipe(step)
      .to(hanging),
    { stop: stop.signal, scheduler: hurried },
  );
  await soon();
  stop.abort('enough');
  expect(await finished).toMatchObject({ read: 0 });
});

test('what is ready only once the run is over is let go of, and no further step is made ready', async () => {
  const calls: string[] = [];
  const ready = Promise.withResolvers<void>();
  const step = (name: string) =>
    named<Event<Uint8Array>, Event<Uint8Array>>(name, '', (events) => events, {
      async prepare() {
        calls.push(`${name} is made ready`);
        await ready.promise;
        return async () => void calls.push(`${name} is let go of`);
      },
    });
  const declared = pipeline('shop').from(pushSource()).pipe(step('slow'), step('other')).to(memorySink());
  const steps = new PreparedSteps(declared, hurried);
  const prepared = steps.prepare();
  await steps.release();
  ready.resolve();
  await prepared;
  expect(calls).toEqual(['slow is made ready', 'slow is let go of']);
});
