import { setTimeout as sleep } from 'node:timers/promises';
import { type Observable, type OperatorFunction, NEVER, concatMap, from, ignoreElements, merge } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { DrainDeadlineError } from '../../src/run/deadline.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { pipeline } from '../../src/pipeline.ts';
import { type RunOptions, run, startRun } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import type { SourceContext } from '../../src/sources/source.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { hurried } from '../support/hurried.ts';
import { pushSource } from '../support/push-source.ts';
import { type Text, texts, reset, begin } from '../support/begin-run.ts';

describe('a stop of a run', () => {
  it('stops when told to, with everything stored', async () => {
    const stop = new AbortController();
    const { source, sink, finished } = await begin({ stop: stop.signal });
    source.push('one');
    stop.abort('enough');
    expect(await finished).toMatchObject({ read: 1, stored: 1, inFlight: 0 });
    expect(texts(sink)).toEqual(['one']);
  });

  it('ends within seconds when a sink does not close', async () => {
    const sink = memorySink<Text>();
    const hanging: MemorySink<Text> = {
      ...sink,
      open: async (context) => ({ ...(await sink.open(context)), close: () => new Promise<void>(() => {}) }),
    };
    const { source, finished, ledger } = await begin({ sinks: [hanging], scheduler: hurried(1000) });
    source.push('one');
    source.end();
    await finished;
    expect(ledger.counts()).toMatchObject({ stored: 1, inFlight: 0 });
  });

  it('is stopped at once while a sink is being opened, which is closed when it has opened, and opens no more of them', async () => {
    const opening = Promise.withResolvers<void>();
    const done: string[] = [];
    const slow = (name: string): MemorySink<Text> => {
      const sink = memorySink<Text>(name);
      return {
        ...sink,
        async open(context) {
          await opening.promise;
          done.push(`${name} opened`);
          return { ...(await sink.open(context)), close: async () => void done.push(`${name} closed`) };
        },
      };
    };
    const stop = new AbortController();
    const declared = pipeline('test').from(pushSource()).to(slow('one'), slow('two'));
    const { finished } = startRun(declared, { stop: stop.signal });
    stop.abort('enough');
    expect(await finished).toMatchObject({ read: 0 });
    opening.resolve();
    await vi.waitFor(() => expect(done).toEqual(['one opened', 'one closed']));
    await sleep(5);
    expect(done).toHaveLength(2);
  });

  it.each(['takes its time', 'is away'])(
    'takes no more shards over once it is stopped, though their store %s: there may be hundreds',
    async (what) => {
      const sink = memorySink<Text>();
      const stop = new AbortController();
      let asked = 0;
      const slow: MemorySink<Text> = {
        ...sink,
        async open(context) {
          const opened = await sink.open(context);
          return {
            ...opened,
            async acquire(shard) {
              asked++;
              await sleep(5);
              stop.abort('enough');
              if (what === 'is away') throw reset;
              return opened.acquire(shard);
            },
          };
        },
      };
      const shards = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`shard-${i}`, [['a']]]));
      const counts = await run(pipeline('test').from(scripted(shards)).to(slow), {
        stop: stop.signal,
        retry: { firstDelayMs: 5 },
      });
      expect(counts).toMatchObject({ read: 0 });
      expect(asked).toBe(1);
    },
  );

  it.each(['which reads shards', 'of one’s own, which only hands on what ended it'])(
    'is stopped as well by a time that is up, with a source %s',
    async (what) => {
      const sink = memorySink<Text>();
      const stop = new AbortController();
      const stopping: MemorySink<Text> = {
        ...sink,
        async open(context) {
          const opened = await sink.open(context);
          // The reason of AbortSignal.timeout, in its name a fault that passes.
          const acquire = async (shard: string) => (stop.abort(new DOMException('up', 'TimeoutError')), opened.acquire(shard));
          return { ...opened, acquire };
        },
      };
      const shards = ['shard-1', 'shard-2'];
      const read = ({ acquire }: SourceContext): Observable<never> =>
        from(shards).pipe(
          concatMap((shard) => acquire(shard, 'TRIM_HORIZON')),
          ignoreElements(),
        );
      const own = { name: 'own', describe: 'own', check: async () => '', read };
      const source = what === 'which reads shards' ? scripted(Object.fromEntries(shards.map((shard) => [shard, [['a']]]))) : own;
      const told: string[] = [];
      const options = { stop: stop.signal, report: ({ type }: Diagnostic) => void told.push(type) };
      expect(await run(pipeline('test').from(source).to(stopping), options)).toMatchObject({ read: 0 });
      expect(told).not.toContain('sink-retry');
    },
  );

  it('ends with what it throws when it is told of a stop, though a sink is being opened', async () => {
    const stop = new AbortController();
    const opening: MemorySink<Text> = { ...memorySink<Text>(), open: () => new Promise<never>(() => {}) };
    const report = ({ type }: Diagnostic): void => {
      if (type === 'stopping') throw new Error('my log is full');
    };
    const finished = run(
      pipeline('test')
        .from(scripted({ a: [['good']] }))
        .to(opening),
      { report, stop: stop.signal },
    );
    stop.abort('enough');
    await expect(finished).rejects.toThrow('my log is full');
  });

  it('may be stopped for as long as a drain may take, however little a shard may stand still', async () => {
    const sink = memorySink<Text>();
    const stop = new AbortController();
    sink.beforeCommit = async ({ items }) => {
      if (items.length === 0) return;
      stop.abort('enough');
      await sleep(100);
    };
    const limits: RunOptions = { stalledAfter: { seconds: 20 }, drainWithin: { minutes: 60 }, scheduler: hurried(1000) };
    const source = scripted({ a: [['good'], 'until-stopped'] });
    expect(await run(pipeline('test').from(source).to(sink), { ...limits, stop: stop.signal })).toMatchObject({ stored: 1 });
  });

  it('makes a stop an error that takes longer than it may, with the position where it was', async () => {
    const sink = memorySink<Text>();
    const stop = new AbortController();
    const { source, finished } = await begin({ sinks: [sink], stop: stop.signal, drainWithin: { seconds: 0.05 } });
    sink.beforeCommit = () => sleep(300);
    source.push('one');
    stop.abort('enough');
    await expect(finished).rejects.toBeInstanceOf(DrainDeadlineError);
    await expect(finished).rejects.toThrow('50 ms after the stop, and 1 event had not been');
  });

  it('blames no store where it is the source that does not stop', async () => {
    const [source, stop] = [pushSource(), new AbortController()];
    const declared = pipeline('test')
      .from({ ...source, read: (context) => source.read({ ...context, stop: new AbortController().signal }) })
      .to(memorySink<Text>());
    const { finished } = startRun(declared, { stop: stop.signal, drainWithin: { seconds: 0.05 } });
    await source.started();
    stop.abort('enough');
    await expect(finished).rejects.toThrow('50 ms after the stop, and reading had not ended');
  });

  it.each<[string, OperatorFunction<Text, Text>, string]>([
    ['merges them with what goes on', (events) => merge(events, NEVER), 'and a step had not ended, though the source has'],
    [
      'waits for a call',
      mapAsync<Uint8Array, Uint8Array>(() => new Promise(() => {})),
      'and 1 event had not been: a step had not ended, though the source has',
    ],
  ])('blames a step that does not end though the source of its events has: one that %s', async (_, step, left) => {
    const stop = new AbortController();
    const { source, finished } = await begin({ stop: stop.signal, drainWithin: { seconds: 0.05 }, steps: [step] });
    source.push('one');
    stop.abort('enough');
    await expect(finished).rejects.toThrow(left);
  });
});
