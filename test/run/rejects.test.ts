import { setTimeout as sleep } from 'node:timers/promises';
import { type OperatorFunction, VirtualTimeScheduler, mergeMap, pipe } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import type { Reject } from '../../src/event.ts';
import { mapAccum } from '../../src/operators/map-accum.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { named } from '../../src/operators/named.ts';
import { transform } from '../../src/operators/transform.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { startRun } from '../../src/run/run.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { hurried } from '../support/hurried.ts';
import { pushSource } from '../support/push-source.ts';
import { type Text, textOf, isOne, texts, at, begin, rejectBad } from '../support/begin-run.ts';

/** Rejects the events of a text. */
const rejecting = (text: string): OperatorFunction<Text, Text> =>
  transform((data) => {
    if (Buffer.from(data).toString() === text) throw new Error(text);
    return data;
  });

describe('rejects of a run', () => {
  it('lets no reject wait for company while a source waits for room', async () => {
    // Time stands still: what lingers, lingers for ever.
    const scheduler = new VirtualTimeScheduler();
    const { source, rejects, ledger } = await begin({ steps: [rejectBad], scheduler, maxInFlightBytes: 1 });
    source.push('bad');
    await ledger.room.reserve(1);
    expect(rejects.stored.map(({ event }) => textOf(event))).toEqual(['bad']);
  });

  it('lets rejects wait a second for company, when nobody waits for them', async () => {
    const scheduler = new VirtualTimeScheduler();
    const commits: number[] = [];
    const rejects = memorySink<Reject>('rejects');
    rejects.beforeCommit = ({ items }) => void (items.length > 0 && commits.push(items.length));
    const { source, finished } = await begin({ steps: [rejectBad], scheduler, rejects });
    for (const [i, frame] of [0, 500, 999].entries()) {
      scheduler.maxFrames = frame;
      scheduler.flush();
      source.push({ raw: 'bad', sequence: i + 1 });
      await sleep(1);
    }
    expect(commits).toEqual([]);
    scheduler.maxFrames = 1000;
    scheduler.flush();
    await vi.waitFor(() => expect(commits).toEqual([3]));
    source.end();
    await finished;
  });

  it('never passes a reject that is not stored', async () => {
    const rejects = memorySink<Reject>('rejects');
    const gate = Promise.withResolvers<void>();
    rejects.beforeCommit = () => gate.promise;
    const { source, sink, finished, ledger } = await begin({ rejects, steps: [rejectBad] });
    source.push('bad', 'good');
    source.end();
    await sleep(20);
    expect(sink.stored).toEqual([]);
    gate.resolve();
    await finished;
    expect(texts(sink)).toEqual(['good']);
    expect(rejects.stored.map(({ why }) => why.code)).toEqual(['bad']);
    expect(ledger.counts()).toMatchObject({ read: 2, stored: 1, rejected: 1, inFlight: 0 });
  });

  it('stores nothing behind a reject that has no place, at whatever moment of a commit both come', async () => {
    for (let ticks = 0; ticks < 20; ticks++) {
      const source = pushSource();
      const sink = memorySink<Text>();
      const gate = Promise.withResolvers<void>();
      sink.beforeCommit = ({ items }) => (items.length > 0 ? gate.promise : undefined);
      const { finished } = startRun(pipeline('test').from(source).pipe(rejectBad).to(sink));
      finished.catch(() => {});
      await source.started();
      source.push('one');
      await sleep(1);
      gate.resolve();
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      source.push({ raw: 'bad', sequence: 2 }, { raw: 'two', sequence: 3 });
      await expect(finished).rejects.toThrow('there is no place for rejects');
      expect(texts(sink)).toEqual(['one']);
    }
  });

  it('lets sinks go on while rejects keep coming', async () => {
    const rejects = memorySink<Reject>('rejects');
    const sink = memorySink<Text>();
    let number = 1;
    // Each commit of rejects finds the next one waiting.
    rejects.beforeCommit = ({ items }) =>
      void (items.length > 0 && number < 100 && source.push({ raw: 'bad', sequence: ++number }));
    // What lingers does so for a millisecond.
    const scheduler = hurried(1000);
    const { source, finished } = await begin({ rejects, sinks: [sink], steps: [rejectBad], scheduler });
    source.push({ raw: 'bad', sequence: ++number }, 'good');
    number++;
    let rejectsBefore: number | undefined;
    sink.afterCommit = ({ items }) => void (items.length > 0 && (rejectsBefore = rejects.stored.length));
    await vi.waitFor(() => expect(rejects.stored.length).toBeGreaterThan(80), 10_000);
    source.end();
    await finished;
    expect(rejectsBefore).toBeLessThan(20);
  });

  it('stores a reject once, however often its event is read', async () => {
    const rejects = memorySink<Reject>('rejects');
    const sink = memorySink<Text>();
    sink.beforeCommit = ({ items }) => {
      if (items.length > 0) throw new Error('disk on fire');
    };
    const first = await begin({ rejects, sinks: [sink], steps: [rejectBad] });
    first.source.push('bad', 'good');
    await expect(first.finished).rejects.toThrow('disk on fire');
    sink.beforeCommit = () => {};
    const second = await begin({ rejects, sinks: [sink], steps: [rejectBad] });
    second.source.push('bad', 'good');
    second.source.end();
    await second.finished;
    expect(rejects.stored).toHaveLength(1);
    expect(texts(sink)).toEqual(['good']);
  });

  it('stores the rejects of one record by one commit, be one rejected at once and another one later', async () => {
    const gate = Promise.withResolvers<void>();
    const twins = mergeMap((event: Text) => [event, event.with(Buffer.from('twin'))]);
    const late = mapAsync(async () => {
      await gate.promise;
      throw new Error('too late');
    });
    // What lingers does so for a millisecond.
    const { source, finished, told } = await begin({ steps: [twins, rejectBad, late], scheduler: hurried(1000) });
    source.push('bad', 'bad');
    source.end();
    await sleep(20);
    gate.resolve();
    expect(await finished).toMatchObject({ read: 2, rejected: 2 });
    const counts = told.flatMap((one) => (one.type === 'committed' && one.sink === 'rejects' && one.count > 0 ? one.count : []));
    expect(counts).toEqual([4]);
  });

  it('stores rejects in order where a window closes between two events of one record, the second of which is a reject', async () => {
    const rejects = memorySink<Reject>('rejects');
    const { source, finished } = await begin({
      rejects,
      steps: [
        mergeMap((event) => (isOne(event) ? [event, event.with(Buffer.from('late'))] : [event])),
        rejectBad,
        mapAsync(async (data) => {
          if (Buffer.from(data).toString() === 'late') throw new Error('late');
          return data;
        }),
        minuteWindow({ maxEvents: 1 }) as unknown as OperatorFunction<Text, Text>,
      ],
    });
    source.push('zero', 'one', 'bad');
    source.end();
    await finished;
    expect(rejects.stored.map(({ event }) => textOf(event))).toEqual(['late', 'bad']);
    expect(rejects.positions.get('shard-1')).toEqual(at(3));
  });

  it('stores rejects of steps behind windows in the order of the stream', async () => {
    const flatten = named(
      'flatten',
      '',
      mergeMap((window: Window<Uint8Array>) => window.events),
    );
    const rejects = memorySink<Reject>('rejects');
    const source = pushSource();
    const declared = pipeline('test')
      .from(source)
      .pipe(rejecting('late'), minuteWindow(), flatten, rejecting('early'))
      .to(memorySink<Text>())
      .rejects(rejects);
    const { finished } = startRun(declared);
    await source.started();
    source.push('early', 'late', 'good');
    source.end();
    await finished;
    expect(rejects.stored.map(({ event }) => textOf(event))).toEqual(['early', 'late']);
  });

  it('does so where the windows are in an operator that is made of several', async () => {
    const rejects = memorySink<Reject>('rejects');
    const minutes = pipe(
      minuteWindow<Uint8Array>(),
      mergeMap((window) => window.events),
    );
    const { source, finished } = await begin({ rejects, steps: [rejecting('late'), minutes, rejecting('early')] });
    source.push('early', 'late', 'good');
    source.end();
    await finished;
    expect(rejects.stored.map(({ event }) => textOf(event))).toEqual(['early', 'late']);
  });

  it('ends at a reject that comes behind a later one: of its shard, the sink would take it for stored', async () => {
    const keepOne = mapAccum<Text[], Text, Text>({
      seed: () => [],
      step(kept, event, emit) {
        event.hold();
        kept.push(event);
        if (kept.length < 2) return;
        emit(kept[0]!);
        kept.shift()!.release();
      },
    });
    const { source, rejects, finished } = await begin({
      steps: [rejecting('late'), named('keepOne', '', keepOne), rejecting('early')],
    });
    source.push('early', 'late');
    await sleep(5);
    source.push({ raw: 'good', sequence: 3 });
    await expect(finished).rejects.toThrow('rejects: order broken in shard-1: expected a position after 2:0, got 1:0');
    expect(rejects.stored).toEqual([]);
  });

  it('stops at the first reject when there is no place for it', async () => {
    const source = pushSource();
    const { finished } = startRun(pipeline('test').from(source).pipe(rejectBad).to(memorySink<Text>()));
    await source.started();
    source.push('bad');
    await expect(finished).rejects.toThrow(/refuse rejected an event \(bad: expected good, got bad\).*add \.rejects/);
  });

  it('makes it durable before a reject is stored, or its repeat in another shard would be another one', async () => {
    const order: string[] = [];
    const rejects = memorySink<Reject>('rejects');
    rejects.beforeCommit = () => void order.push('reject');
    const { source, finished, ledger } = await begin({ rejects, steps: [rejectBad] });
    ledger.onBeforeCommit(() => order.push('flush'));
    source.push('bad');
    await vi.waitFor(() => expect(order).toEqual(['flush', 'reject']), 5000);
    source.end();
    await finished;
  });

  it('counts what a sink refuses as rejected, and tells of it', async () => {
    const sink = memorySink<Text>();
    const why = { step: 'copy', code: '22P02', reason: 'no number' };
    const picky: MemorySink<Text> = {
      ...sink,
      async open(context) {
        const opened = await sink.open(context);
        return {
          ...opened,
          async commit(batch, refused) {
            await opened.commit(batch, refused);
            for (const event of batch.items) if (isOne(event)) refused.push({ event, why });
          },
        };
      },
    };
    const { source, finished, told } = await begin({ sinks: [picky] });
    source.push('one', 'two');
    source.end();
    expect(await finished).toMatchObject({ read: 2, stored: 1, rejected: 1, inFlight: 0 });
    expect(told.filter(({ type }) => type === 'rejected')).toEqual([{ type: 'rejected', position: at(1), why }]);
  });
});
