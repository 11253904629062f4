import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Observable,
  type OperatorFunction,
  type SchedulerLike,
  EMPTY,
  NEVER,
  VirtualTimeScheduler,
  asyncScheduler,
  catchError,
  concatMap,
  delay,
  filter,
  finalize,
  from,
  groupBy,
  ignoreElements,
  map,
  merge,
  mergeMap,
  of,
  pipe,
  retry,
  share,
} from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { DrainDeadlineError } from '../../src/run/deadline.ts';
import { FencedError, OrderBrokenError, ReadTwiceError, SettledTooEarlyError, WentBackError } from '../../src/errors.ts';
import type { Event, Item, Reject } from '../../src/event.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { mapAccum } from '../../src/operators/map-accum.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import type { LookupSource, Read } from '../../src/operators/lookup-source.ts';
import { lookup } from '../../src/operators/lookup.ts';
import { named } from '../../src/operators/named.ts';
import { transform } from '../../src/operators/transform.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { type RunOptions, run, startRun } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import type { SourceContext } from '../../src/sources/source.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { hurried } from '../support/hurried.ts';
import { pushSource } from '../support/push-source.ts';

type Text = Event<Uint8Array>;
const textOf = (event: Event<unknown>): string => Buffer.from(event.data as Uint8Array).toString();
const isOne = (event: Text): boolean => textOf(event) === 'one';
const texts = (sink: MemorySink<Text>): string[] => sink.stored.map(textOf);
const at = (sequence: number, shard = 'shard-1') => ({ shard, sequence: String(sequence), subSequence: 0 });
const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

/** Starts a pipeline on a source fed by hand, and waits until it reads. */
async function begin({
  source = pushSource(),
  sinks = [memorySink<Text>()],
  rejects = memorySink<Reject>('rejects'),
  steps = [],
  ...options
}: {
  source?: ReturnType<typeof pushSource>;
  sinks?: MemorySink<Text>[];
  rejects?: MemorySink<Reject>;
  steps?: OperatorFunction<Text, Text>[];
} & RunOptions = {}) {
  const told: Diagnostic[] = [];
  const piped = steps.reduce((stage, step) => stage.pipe(step), pipeline('test').from(source));
  const declared = piped.to(...(sinks as [MemorySink<Text>])).rejects(rejects);
  const { ledger, finished } = startRun(declared, {
    retry: { firstDelayMs: 1 },
    report: (diagnostic) => told.push(diagnostic),
    ...options,
  });
  finished.catch(() => {});
  await Promise.race([source.started(), finished]);
  return { source, sink: sinks[0]!, sinks, rejects, ledger, finished, told };
}

const away: LookupSource = {
  describe: 'a store',
  openReads: () => ({
    read: (_, done) => void setTimeout(() => done([], Object.assign(new Error('away'), { isTransient: true }))),
    close() {},
  }),
};
const lookupAway = lookup<Uint8Array, readonly [Read<string>], Uint8Array>({
  from: away,
  keys: () => [{ name: 'GET', key: 'a', args: [], understand: String }],
  attach: (data) => data,
});

const asksForNothing = lookup<Uint8Array, undefined, Uint8Array>({
  from: { describe: '', openReads: () => ({ read() {}, close() {} }) },
  keys: () => undefined,
  attach: (data) => data,
});
const rejectBad = named('refuse', '', (events: Observable<Text>) =>
  events.pipe(
    mergeMap((event) => {
      if (!textOf(event).startsWith('bad')) return [event];
      event.reject({ step: 'refuse', code: 'bad', reason: 'expected good, got bad' });
      return [];
    }),
  ),
);

/** Throws on the first event of this text, and lets it pass from then on. */
function throwOnce(text: string): (event: Text) => Text {
  let isBad = true;
  return (event) => {
    if (!isBad || textOf(event) !== text) return event;
    isBad = false;
    throw new Error('passing');
  };
}

/** Rejects the events of a text. */
const rejecting = (text: string): OperatorFunction<Text, Text> =>
  transform((data) => {
    if (Buffer.from(data).toString() === text) throw new Error(text);
    return data;
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

  it('stops when told to, with everything stored', async () => {
    const stop = new AbortController();
    const { source, sink, finished } = await begin({ stop: stop.signal });
    source.push('one');
    stop.abort('enough');
    expect(await finished).toMatchObject({ read: 1, stored: 1, inFlight: 0 });
    expect(texts(sink)).toEqual(['one']);
  });

  it('resumes each shard where the least of its sinks stands, and gives no sink an event twice', async () => {
    const [ahead, behind] = [memorySink<Text>('ahead'), memorySink<Text>('behind')];
    ahead.positions.set('shard-1', at(2));
    behind.positions.set('shard-1', at(1));
    const { source, finished } = await begin({ sinks: [ahead, behind] });
    expect(source.resumed.get('shard-1')).toEqual(at(1));
    source.push('one', 'two', 'three');
    source.end();
    await finished;
    expect(texts(ahead)).toEqual(['three']);
    expect(texts(behind)).toEqual(['two', 'three']);
  });

  it('gives a sink that was added later everything there is, and the others nothing twice', async () => {
    const [old, added] = [memorySink<Text>('old'), memorySink<Text>('added')];
    old.positions.set('shard-1', at(2));
    const { source, finished, told } = await begin({ sinks: [old, added] });
    expect(source.resumed.get('shard-1')).toBe('TRIM_HORIZON');
    const joined = { type: 'sink-joined', sink: 'added', shard: 'shard-1', resume: 'TRIM_HORIZON' };
    expect(told.filter(({ type }) => type === 'sink-joined')).toEqual([joined]);
    source.push('one', 'two', 'three');
    source.end();
    await finished;
    expect(texts(old)).toEqual(['three']);
    expect(texts(added)).toEqual(['one', 'two', 'three']);
  });

  it('begins a sink that was added later where the others stand, when it was to begin at the end', async () => {
    const [old, added] = [memorySink<Text>('old'), memorySink<Text>('added')];
    old.positions.set('shard-1', at(2));
    const { source, finished } = await begin({ sinks: [old, added], start: 'LATEST' });
    expect(source.resumed.get('shard-1')).toEqual(at(2));
    source.end();
    await finished;
    expect(added.positions.get('shard-1')).toEqual(at(2));
  });

  it('writes down where a run at LATEST began before it reads, so that a crash loses nothing', async () => {
    const { source, sink, finished } = await begin({ start: 'LATEST' });
    const began = source.resumed.get('shard-1');
    expect(began).toBeInstanceOf(Date);
    expect(sink.positions.get('shard-1')).toEqual(began);
    source.end();
    await finished;
    const again = await begin({ start: 'LATEST', sinks: [sink] });
    expect(again.source.resumed.get('shard-1')).toEqual(began);
    again.source.end();
    await again.finished;
  });

  it('moves the position past events that were dropped', async () => {
    const { source, sink, finished, ledger } = await begin({ steps: [filter((event) => textOf(event) !== 'drop')] });
    source.push('keep', 'drop');
    source.push({ raw: 'drop', sequence: 3 });
    source.end();
    await finished;
    expect(sink.positions.get('shard-1')).toEqual(at(3));
    expect(ledger.counts()).toEqual({ read: 3, stored: 1, dropped: { filter: 2 }, rejected: 0, inFlight: 0 });
  });

  it('tells with the position of a quiet shard until when nothing came, now and then and at the end', async () => {
    const hourMs = 3_600_000;
    const { source, sink, finished, ledger } = await begin({ checkpointEvery: { seconds: 0.001 } });
    source.push('one');
    await expect.poll(() => texts(sink)).toEqual(['one']);
    const tell = async (ms: number) => {
      ledger.caughtUp('shard-1', ms);
      await sleep(10);
    };
    for (const ms of [0, hourMs - 1]) await tell(ms);
    expect(sink.positions.get('shard-1')).toEqual(at(1));
    // Once an hour.
    for (const ms of [hourMs, hourMs + 1, 2 * hourMs - 1]) await tell(ms);
    expect(sink.positions.get('shard-1')).toEqual({ ...at(1), quietUntilMs: hourMs });
    source.push({ raw: 'two', sequence: 2 });
    await expect.poll(() => sink.positions.get('shard-1')).toEqual(at(2));
    await tell(2 * hourMs);
    await tell(2 * hourMs + 60_000);
    expect(sink.positions.get('shard-1')).toEqual(at(2));
    source.end();
    await finished;
    expect(sink.positions.get('shard-1')).toEqual({ ...at(2), quietUntilMs: 2 * hourMs + 60_000 });
  });

  it('tells so of a shard in which nothing came at all, and behind what was dropped', async () => {
    const sink = memorySink<Text>();
    sink.positions.set('shard-1', at(1));
    const nothing = await begin({ sinks: [sink] });
    nothing.ledger.caughtUp('shard-1', 1000);
    nothing.source.end();
    await nothing.finished;
    expect(sink.positions.get('shard-1')).toEqual({ ...at(1), quietUntilMs: 1000 });

    const { source, finished, ledger } = await begin({ sinks: [sink], steps: [filter((event) => textOf(event) !== 'drop')] });
    source.push({ raw: 'drop', sequence: 2 });
    for (const ms of [2000, 62_000]) ledger.caughtUp('shard-1', ms);
    source.end();
    await finished;
    expect(sink.positions.get('shard-1')).toEqual({ ...at(2), quietUntilMs: 62_000 });
  });

  it('tells nothing of the sort while something of the shard is in flight', async () => {
    const sink = memorySink<Text>();
    const gate = Promise.withResolvers<void>();
    sink.positions.set('shard-1', at(1));
    sink.beforeCommit = ({ items }) => (items.length > 0 ? gate.promise : undefined);
    const { source, finished, ledger } = await begin({ sinks: [sink], checkpointEvery: { seconds: 0.001 } });
    source.push({ raw: 'two', sequence: 2 });
    for (const ms of [0, 7_200_000]) ledger.caughtUp('shard-1', ms);
    await sleep(10);
    expect([...ledger.quiet()]).toEqual([]);
    gate.resolve();
    source.end();
    await finished;
    expect(sink.positions.get('shard-1')).toEqual({ ...at(2), quietUntilMs: 7_200_000 });
  });

  it('never moves a position back to a checkpoint that a commit has passed meanwhile', async () => {
    const sink = memorySink<Text>();
    const gate = Promise.withResolvers<void>();
    const moves: string[] = [];
    sink.beforeCommit = async ({ items, positions }) => {
      const to = positions.get('shard-1');
      if (to && typeof to === 'object' && 'sequence' in to) moves.push(to.sequence);
      if (items.length > 0) await gate.promise;
    };
    const { source, finished } = await begin({
      sinks: [sink],
      steps: [filter((event) => textOf(event) !== 'drop')],
      checkpointEvery: { seconds: 0.005 },
    });
    source.push('drop');
    source.push({ raw: 'keep', sequence: 2 });
    await sleep(30);
    gate.resolve();
    source.end();
    await finished;
    expect(moves).toEqual(moves.toSorted((a, b) => Number(a) - Number(b)));
    expect(moves.at(-1)).toBe('2');
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

  it('closes what a step in front of a window remembers, however it ends', async () => {
    for (const end of ['end', 'fail'] as const) {
      const close = vi.fn<() => void>();
      const state = { describe: 'nowhere', open: () => ({ load: () => ({ ms: 0 }), append: () => {}, close }) };
      const by = (data: Uint8Array): string => Buffer.from(data).toString();
      const source = pushSource();
      const declared = pipeline('test')
        .from(source)
        .pipe(dedupe({ by, within: { hours: 1 }, state }), minuteWindow())
        .to(memorySink<Window<Uint8Array>>());
      const { finished } = startRun(declared);
      await source.started();
      source.push('one');
      source[end](new Error('gone'));
      await finished.catch(() => {});
      expect(close).toHaveBeenCalledOnce();
    }
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

  it('tries a sink again after a passing fault', async () => {
    const sink = memorySink<Text>();
    let failures = 3;
    sink.beforeCommit = ({ items }) => {
      if (items.length > 0 && failures-- > 0) throw reset;
    };
    const { source, finished, told } = await begin({ sinks: [sink] });
    source.push('one');
    source.end();
    expect(await finished).toMatchObject({ stored: 1 });
    expect(texts(sink)).toEqual(['one']);
    expect(told.filter(({ type }) => type === 'sink-retry')).toHaveLength(3);
  });

  it('begins anew where a store stands that has forgotten what it had', async () => {
    const sink = memorySink<Text>();
    const { source, finished, told } = await begin({ sinks: [sink] });
    source.push('one', 'two');
    while (sink.stored.length < 2) await sleep(1);
    sink.beforeCommit = () => {
      sink.beforeCommit = () => {};
      sink.positions.set('shard-1', at(1));
      throw reset;
    };
    source.push({ sequence: 3, raw: 'three' });
    while (!told.some(({ type }) => type === 'went-back')) await sleep(1);
    await source.started();
    expect(source.resumed.get('shard-1')).toEqual(at(1));
    source.push('one', 'two', 'three');
    source.end();
    // The counts are those since.
    expect(await finished).toMatchObject({ read: 3, stored: 2, inFlight: 0 });
    expect(texts(sink)).toEqual(['one', 'two', 'two', 'three']);
  });

  it('begins at LATEST when it was first started, also where a store has forgotten all that it had', async () => {
    const sink = memorySink<Text>();
    const { source, finished, told } = await begin({ sinks: [sink], start: 'LATEST' });
    const began = source.resumed.get('shard-1');
    await sleep(5);
    sink.beforeCommit = () => {
      sink.beforeCommit = () => {};
      sink.positions.clear();
      throw reset;
    };
    source.push('one');
    await vi.waitFor(() => expect(told.some(({ type }) => type === 'went-back')).toBe(true));
    await source.started();
    // What came while the store was away is not stored yet.
    expect(source.resumed.get('shard-1')).toEqual(began);
    source.end();
    await finished;
  });

  it('goes back with a store as often as that takes, when it has been well for long in between', async () => {
    const sink = memorySink<Text>();
    const goBack = (): void => {
      throw new WentBackError('memory', 'shard-1', '1', 'nothing');
    };
    const scheduler = new VirtualTimeScheduler();
    const { source, finished, told } = await begin({ sinks: [sink], scheduler });
    for (let times = 1; times <= 30; times++) {
      scheduler.frame += 601_000;
      sink.beforeCommit = goBack;
      source.push('one');
      await vi.waitFor(() => expect(told.filter(({ type }) => type === 'went-back')).toHaveLength(times));
      sink.beforeCommit = () => {};
      const started = source.started();
      scheduler.maxFrames = scheduler.frame + 100;
      scheduler.flush();
      await started;
    }
    source.push('one');
    source.end();
    expect(await finished).toMatchObject({ stored: 1 });
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

  it('asks the store whether a commit of unknown outcome took place, and does not repeat it', async () => {
    const sink = memorySink<Text>();
    let failures = 1;
    const sizes: number[] = [];
    sink.afterCommit = ({ items, positions }) => {
      sizes.push(positions.size);
      if (items.length > 0 && failures-- > 0) throw reset;
    };
    const { source, finished } = await begin({ sinks: [sink] });
    source.push('one');
    source.end();
    expect(await finished).toMatchObject({ stored: 1 });
    expect(texts(sink)).toEqual(['one']);
    expect(sizes).not.toContain(0);
  });

  it.each([
    ['a fault that does not pass', new Error('no such table')],
    ['a newer run', new FencedError('memory', 'shard-1', 1)],
  ])('ends with %s, and leaves the position where it was', async (_, fault) => {
    const sink = memorySink<Text>();
    const { source, finished, ledger } = await begin({ sinks: [sink] });
    sink.beforeCommit = () => {
      throw fault;
    };
    const before = sink.positions.get('shard-1');
    source.push('one');
    const error = await finished.catch((reason: unknown) => reason);
    // One that says where, and by which class, is thrown as it is.
    expect(error).toMatchObject(
      fault instanceof FencedError ? fault : { message: `memory (memory: in memory): ${fault.message}`, cause: fault },
    );
    expect(sink.positions.get('shard-1')).toEqual(before);
    expect(ledger.counts()).toMatchObject({ stored: 0, inFlight: 1 });
  });

  it('brings a sink what it lacks when a commit of unknown outcome took place in part', async () => {
    const sink = memorySink<Text>();
    sink.beforeCommit = ({ items }) => {
      if (items.length < 2) return;
      sink.stored.push(items[0]!);
      sink.positions.set('shard-1', items[0]!.last);
      throw reset;
    };
    const { source, finished } = await begin({ sinks: [sink] });
    source.push('one', 'two');
    source.end();
    expect(await finished).toMatchObject({ stored: 2 });
    expect(texts(sink)).toEqual(['one', 'two']);
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

  it('is fenced when a second run takes over', async () => {
    const sink = memorySink<Text>();
    const first = await begin({ sinks: [sink] });
    const second = await begin({ sinks: [sink] });
    first.source.push('one');
    await expect(first.finished).rejects.toBeInstanceOf(FencedError);
    second.source.push('one');
    second.source.end();
    await second.finished;
    expect(texts(sink)).toEqual(['one']);
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

  it('says of a shard that stands still what its lookup tries again for', async () => {
    const declared = pipeline('test')
      .from(scripted({ a: [['good'], ['good'], 'until-stopped'] }))
      .pipe(lookupAway)
      .to(memorySink<Text>());
    const stalled = run(declared, { stalledAfter: { minutes: 10 }, scheduler: hurried(300) });
    await expect(stalled).rejects.toThrow(/lookup tries again \(\d+\) after .*away/);
  });

  it('ends with what a step threw, and says in which step and on which event', async () => {
    const bug = new TypeError('a bug');
    const { source, finished } = await begin({
      steps: [
        map((event) => {
          if (textOf(event) === 'two') throw bug;
          return event;
        }),
      ],
    });
    source.push('one', 'two', 'three');
    await expect(finished).rejects.toThrow(/^step 1 of 1 threw at 2:0 of shard-1, the last event that it was given\..*transform/);
    await expect(finished).rejects.toMatchObject({ name: 'StepError', cause: bug });
  });

  it('ends with what failed, and not with what a step throws at its end because of that', async () => {
    const ends = finalize<Text>(() => {
      throw new Error('closed already');
    });
    const { source, finished } = await begin({ steps: [ends] });
    source.fail(new Error('no such stream'));
    await expect(finished).rejects.toThrow('no such stream');
  });

  it.each<[string, (event: Text) => unknown]>([
    ['a string', textOf],
    ['an object with text', (event) => ({ text: textOf(event) })],
    ['undefined', () => undefined],
  ])('ends where a step passes on no event to one of ours, but %s, and says in which step', async (what, project) => {
    const { source, finished } = await begin({
      steps: [map(project) as OperatorFunction<Text, Text>, transform((data) => data)],
    });
    source.push('one');
    await expect(finished).rejects.toThrow(
      `step 1 of 2 (before transform): expected it to pass on events, got ${what}. Instead of map((event) => event.data.x) write`,
    );
  });

  it.each<[string, OperatorFunction<Text, Event<unknown>>]>([
    ['mapAsync', mapAsync(async (data) => data)],
    ['lookup', asksForNothing],
  ])('says so too before %s', async (name, step) => {
    const { source, finished } = await begin({
      steps: [map(textOf) as unknown as OperatorFunction<Text, Text>, step as OperatorFunction<Text, Text>],
    });
    source.push('one');
    await expect(finished).rejects.toThrow(`step 1 of 2 (before ${name}): expected it to pass on events, got a string.`);
  });

  it('says what to do where windows come to a step that takes events', async () => {
    const big = filter((window: Window<Uint8Array>) => window.count > 0) as unknown as OperatorFunction<Text, Text>;
    const { source, finished } = await begin({
      steps: [minuteWindow() as unknown as OperatorFunction<Text, Text>, big, transform((data) => data)],
    });
    source.push('one');
    source.end();
    await expect(finished).rejects.toThrow(
      /^step 2 of 3 \(after minuteWindow, before transform\): expected it to pass on events, got Window.*window\.events/,
    );
  });

  it('says what to do where a step takes time with a window', async () => {
    const slow = concatMap(async (window: Window<Uint8Array>) => window) as unknown as OperatorFunction<Text, Text>;
    const { source, finished } = await begin({ steps: [minuteWindow() as unknown as OperatorFunction<Text, Text>, slow] });
    source.push('one');
    source.end();
    await expect(finished).rejects.toThrow(
      /^step 2 of 2 \(after minuteWindow\) passed on .* is for a sink of your own, which holds it/,
    );
  });

  it('says of a step that is not called, or else makes no stream, what came', async () => {
    const begun = begin({ steps: [minuteWindow as unknown as OperatorFunction<Text, Text>] });
    await expect(begun).rejects.toThrow('step 1 of 1: expected an operator to make a stream of a stream, got a function');
  });

  it('says so too of the last step, before the sinks', async () => {
    const { source, finished } = await begin({ steps: [map((event) => Object.assign({}, event))] });
    source.push('one');
    await expect(finished).rejects.toThrow(
      'expected events or windows at the sinks, got an object with data, origin. To change what an event holds, write map((event) => event.with(',
    );
  });

  it('leaves alone what passes between steps of RxJS', async () => {
    const { source, finished } = await begin({
      steps: [
        map((event) => [event]) as unknown as OperatorFunction<Text, Text>,
        map((events) => (events as unknown as [Text])[0]),
        transform((data) => data),
      ],
    });
    source.push('one');
    source.end();
    await expect(finished).resolves.toMatchObject({ read: 1, stored: 1 });
  });

  it('leaves an error of the source as it is, whatever steps it passes', async () => {
    const { source, finished } = await begin({ steps: [map((event) => event)] });
    const lost = new Error('no such stream');
    source.fail(lost);
    await expect(finished).rejects.toBe(lost);
  });

  it.each<[string, OperatorFunction<Text, Text>]>([
    ['retry', (events) => events.pipe(map(throwOnce('one')), retry({ count: 3 }))],
    [
      'branches that do not share it',
      (events) => merge(events.pipe(filter(isOne)), events.pipe(filter((event) => !isOne(event)))),
    ],
  ])('reads its source once: %s', async (_, step) => {
    const sink = memorySink<Text>();
    const reading = async (): Promise<unknown> => {
      const { source, finished } = await begin({ sinks: [sink], steps: [step] });
      source.push('one', 'two');
      return finished;
    };
    await expect(reading()).rejects.toBeInstanceOf(ReadTwiceError);
    expect(texts(sink)).toEqual([]);
  });

  it.each<[string, OperatorFunction<Text, Text | Window<Uint8Array>>]>([
    [
      'a branch that waits for a promise',
      (events) => {
        const all = events.pipe(share());
        return merge(
          all.pipe(
            filter(isOne),
            mapAsync(() => new Promise<never>(() => {})),
          ),
          all.pipe(filter((event) => !isOne(event))),
        );
      },
    ],
    [
      'windows by kind',
      (events) =>
        events.pipe(
          groupBy(isOne),
          mergeMap((group) => group.pipe(minuteWindow({ maxEvents: 2 }))),
        ),
    ],
    [
      'the same event in both',
      (events) => {
        const all = events.pipe(share());
        return merge(all.pipe(mapAsync(() => new Promise<never>(() => {}))), all);
      },
    ],
  ])('stores nothing before what a step still keeps: %s', async (_, step) => {
    const { source, sink, finished } = await begin({ steps: [step as OperatorFunction<Text, Text>] });
    source.push('one', 'two', 'three', 'four');
    await expect(finished).rejects.toThrow(
      /^run: expected the events of shard-1 in order, got \d:0 while a step still keeps 1:0/,
    );
    expect(sink.stored).toEqual([]);
    expect(sink.positions.get('shard-1')).toBe('TRIM_HORIZON');
  });

  it.each<[string, OperatorFunction<Text, Text>]>([
    ['mapAsync', mapAsync(async (data) => data)],
    ['lookup', asksForNothing],
    [
      'minuteWindow',
      pipe(
        minuteWindow<Uint8Array>(),
        mergeMap(({ events }) => events),
      ),
    ],
    [
      'mapAccum',
      mapAccum<object, Text, Text>({ seed: () => ({}), step: (_, event, emit) => emit(event), kept: () => undefined }),
    ],
  ])('asks %s no more what it keeps once that has ended: an operator may subscribe to one for each event', async (_, step) => {
    const { source, ledger, finished } = await begin({ steps: [concatMap((event) => of(event).pipe(step))] });
    let asked = 0;
    const onKept = ledger.onKept.bind(ledger);
    vi.spyOn(ledger, 'onKept').mockImplementation((oldest, options) => {
      return onKept((shard) => {
        asked++;
        return oldest(shard);
      }, options);
    });
    for (let sequence = 1; sequence <= 5; sequence++) {
      source.push({ raw: 'one', sequence });
      await sleep(5);
    }
    asked = 0;
    expect(ledger.kept('shard-1')).toBeUndefined();
    expect(asked).toBe(0);
    source.end();
    expect(await finished).toMatchObject({ stored: 5 });
  });

  it('names the step that kept an event without holding it', async () => {
    const pass = named(
      'pass',
      '',
      map((event: Text) => event),
    );
    const { source, finished } = await begin({
      steps: [
        pass,
        delay(1),
        named(
          'window',
          '',
          map((event: Text) => event),
        ),
      ],
    });
    source.push('one');
    await expect(finished).rejects.toThrow(/step 2 of 3 \(after pass, before window\).*mapAsync/);
    await expect(finished).rejects.toBeInstanceOf(SettledTooEarlyError);
  });

  it.each<[string, OperatorFunction<Text, Text>[], RegExp]>([
    ['behind the step', [delay(1), catchError(() => EMPTY)], /^step 1 of 2 passed on the event at 1:0 of shard-1/],
    [
      'inside of it',
      [
        concatMap((event) =>
          of(event).pipe(
            mapAsync(() => sleep(20, Buffer.of(1))),
            catchError(() => EMPTY),
          ),
        ),
      ],
      /hold on a settled delivery of shard-1.*not read again/,
    ],
  ])('ends where an event was let go of too early, though the error is answered %s', async (_, steps, why) => {
    const { source, finished } = await begin({ steps });
    source.push('one');
    source.push({ raw: 'two', sequence: 2 });
    await expect(finished).rejects.toThrow(why);
  });

  it('stops when an operator breaks the order of a shard', async () => {
    const swap = named(
      'swap',
      '',
      mapAccum<Text[], Text, Text>({
        seed: () => [],
        step: (kept, event) => void kept.unshift(event),
        flush: (kept, emit) => kept.forEach(emit),
      }),
    );
    const { source, finished } = await begin({ steps: [map((event) => (event.hold(), event)), swap] });
    source.push('one', 'two');
    source.end();
    await expect(finished).rejects.toBeInstanceOf(OrderBrokenError);
  });

  it('keeps events together that a step made of one record', async () => {
    const { source, sink, finished } = await begin({ steps: [mergeMap((event) => [event, event.with(Buffer.from('twin'))])] });
    source.push('one', 'two');
    source.end();
    expect(await finished).toMatchObject({ read: 2, stored: 2 });
    expect(texts(sink)).toEqual(['one', 'twin', 'two', 'twin']);
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

  it('ends when a sink cannot be opened', async () => {
    const sink = { ...memorySink<Text>(), open: () => Promise.reject(new Error('no such database')) };
    await expect(startRun(pipeline('test').from(pushSource()).to(sink)).finished).rejects.toThrow(
      /^memory \(memory: in memory\): no such database$/,
    );
  });

  it('blames no sink for what fails before it is asked to commit', async () => {
    const [sink, rejects] = [memorySink<Text>(), memorySink<Reject>('rejects')];
    rejects.beforeCommit = ({ items }) => {
      if (items.length > 0) throw new Error('disk on fire');
    };
    const { source, finished } = await begin({ rejects, sinks: [sink], steps: [rejectBad] });
    source.push('bad', 'good');
    await expect(finished).rejects.toThrow(/^rejects \(rejects: in memory\): disk on fire$/);

    const again = await begin();
    again.ledger.onBeforeCommit(() => {
      throw new Error('no space for the memory of a step');
    });
    again.source.push('good');
    await expect(again.finished).rejects.toThrow(/^no space for the memory of a step$/);
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
