import { setTimeout as sleep } from 'node:timers/promises';
import { type SchedulerLike, asyncScheduler, filter } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Item, Reject } from '../../src/event.ts';
import type { Read } from '../../src/operators/lookup-source.ts';
import { lookup } from '../../src/operators/lookup.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run, startRun } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import type { SourceContext } from '../../src/sources/source.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { hurried } from '../support/hurried.ts';
import { pushSource } from '../support/push-source.ts';
import { type Text, textOf, texts, at, begin, away, rejectBad } from '../support/begin-run.ts';

const lookupAway = lookup<Uint8Array, readonly [Read<string>], Uint8Array>({
  from: away,
  keys: () => [{ name: 'GET', key: 'a', args: [], understand: String }],
  attach: (data) => data,
});

describe('run', () => {
  it('stores every event in every sink, and the last position with it', async () => {
    const { source, sinks, finished } = await begin({ sinks: [memorySink('a'), memorySink('b')] });
    source.push('one', 'two');
    source.end();
    expect(await finished).toMatchObject({ read: 2, stored: 2, inFlight: 0 });
    for (const sink of sinks) {
      expect(texts(sink)).toEqual(['one', 'two']);
      expect(sink.positions.get('shard-1')).toEqual(at(2));
    }
  });

  it('makes operators’ state durable before a sink commits what it covers', async () => {
    const order: string[] = [];
    const sink = memorySink<Text>();
    sink.beforeCommit = ({ items }) => void (items.length > 0 && order.push('commit'));
    const { source, finished, ledger } = await begin({ sinks: [sink] });
    ledger.onBeforeCommit(() => order.push('flush'));
    source.push('one');
    source.end();
    await finished;
    expect(order.slice(0, 2)).toEqual(['flush', 'commit']);
  });

  it('closes all of its sinks, that of the rejects among them', async () => {
    const closed: string[] = [];
    const closing = <T extends Item>(name: string): MemorySink<T> => {
      const sink = memorySink<T>(name);
      return {
        ...sink,
        open: async (context) => ({ ...(await sink.open(context)), close: async () => void closed.push(name) }),
      };
    };
    const { source, finished } = await begin({ sinks: [closing('a'), closing('b')], rejects: closing('rejects') });
    source.end();
    await finished;
    expect(closed.toSorted()).toEqual(['a', 'b', 'rejects']);
  });

  it('gives its source a clock that goes on when that of the system is set back', async () => {
    let nowMs = 1_000_000;
    const clock: SchedulerLike = { now: () => nowMs, schedule: asyncScheduler.schedule.bind(asyncScheduler) };
    const source = pushSource();
    let its: SchedulerLike | undefined;
    const watched = { ...source, read: (context: SourceContext) => ((its = context.scheduler), source.read(context)) };
    const { finished } = startRun(pipeline('test').from(watched).to(memorySink<Text>()), { scheduler: clock });
    await source.started();
    const before = its!.now();
    nowMs -= 3_600_000;
    expect(its!.now()).toBe(before);
    nowMs += 1000;
    expect(its!.now()).toBe(before + 1000);
    source.end();
    await finished;
  });

  it('ends with an error of the source', async () => {
    const { source, finished } = await begin();
    source.fail(new Error('no such stream'));
    await expect(finished).rejects.toThrow('no such stream');
  });

  it.each(['rejected', 'shard-health', 'lookup-retry'] as const)(
    'ends with what its report throws when it is told of %s',
    async (type) => {
      const report = (diagnostic: Diagnostic): void => {
        if (diagnostic.type === type) throw new Error('my log is full');
      };
      const declared = pipeline('test')
        .from(scripted({ a: [['bad', 'good'], 'until-stopped'] }))
        .pipe(rejectBad, lookupAway)
        .to(memorySink<Text>())
        .rejects(memorySink<Reject>('rejects'));
      await expect(run(declared, { report, scheduler: hurried(1000) })).rejects.toThrow('my log is full');
    },
  );

  it('says of a shard that stands still what its lookup tries again for', async () => {
    const declared = pipeline('test')
      .from(scripted({ a: [['good'], ['good'], 'until-stopped'] }))
      .pipe(lookupAway)
      .to(memorySink<Text>());
    const stalled = run(declared, { stalledAfter: { minutes: 10 }, scheduler: hurried(300) });
    await expect(stalled).rejects.toThrow(/lookup tries again \(\d+\) after .*away/);
  });

  it('counts add up at every moment', async () => {
    const sink = memorySink<Text>();
    const sums: number[] = [];
    const { source, finished, ledger } = await begin({
      sinks: [sink],
      steps: [filter((event) => textOf(event) !== 'drop'), rejectBad],
    });
    const difference = (): number => {
      const { read, stored, dropped, rejected, inFlight } = ledger.counts();
      return read - stored - rejected - inFlight - Object.values(dropped).reduce((sum, n) => sum + n, 0);
    };
    sink.afterCommit = () => void sums.push(difference());
    for (let i = 0; i < 50; i++) {
      source.push({ raw: 'good', sequence: i * 3 + 1 }, 'drop', 'bad');
      await sleep(i % 10 === 0 ? 1 : 0);
      sums.push(difference());
    }
    source.end();
    expect(await finished).toEqual({ read: 150, stored: 50, dropped: { filter: 50 }, rejected: 50, inFlight: 0 });
    expect(new Set(sums)).toEqual(new Set([0]));
  });
});
