import fc from 'fast-check';
import {
  type SchedulerLike,
  NEVER,
  Observable,
  Subject,
  Subscription,
  VirtualTimeScheduler,
  concat,
  from,
  map,
  of,
  take,
  throwError,
} from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Delivery } from '../../src/delivery.ts';
import { Event, Origin } from '../../src/event.ts';
import { Ledger, RECORD_OVERHEAD_BYTES } from '../../src/ledger.ts';
import { type MinuteWindowOptions, minuteWindow } from '../../src/operators/minute-window.ts';
import { windowSteps } from '../../src/operators/minute-window/steps.ts';
import type { Window } from '../../src/operators/window.ts';
import { RecordList } from '../../src/records.ts';
import { fuse } from '../../src/run/fuse.ts';
import { steady } from '../../src/steady.ts';
import { type Sample, deliver } from '../../src/testing/deliver.ts';

const MINUTE = 60_000;
const TEXT = Buffer.from('x');

describe('minuteWindow', () => {
  it('gives nothing for a source that never gives anything, and for one that completes at once', () => {
    expect(see(NEVER)).toMatchObject({ windows: [], ended: undefined });
    expect(see(of())).toMatchObject({ windows: [], ended: 'complete' });
  });

  it('gives one event as one window when the source completes', () => {
    const { windows } = see(from(deliver([{ raw: 'a', arrivedAtMs: 5 }]).events));
    expect(windows).toHaveLength(1);
    expect(windows[0]!.bounds).toEqual({ shard: 'shard-1', startMs: 0, endMs: MINUTE, part: 0, closedBy: 'complete' });
  });

  it('aligns windows to multiples of every since 1970', () => {
    const { events } = deliver([{ raw: 'a', arrivedAtMs: Date.UTC(2026, 10, 22, 9, 44, 59) }]);
    const { windows } = see(from(events), { every: { minutes: 15 } });
    expect(windows[0]!.bounds).toMatchObject({
      startMs: Date.UTC(2026, 10, 22, 9, 30),
      endMs: Date.UTC(2026, 10, 22, 9, 45),
    });
  });

  it('closes the windows in the order of the shards’ first events when the source completes', () => {
    const ledger = new Ledger();
    const events = ['two', 'one', 'three', 'one'].flatMap((shard) => deliver([{ shard, raw: shard }], ledger).events);
    expect(see(from(events)).windows.map(({ shard }) => shard)).toEqual(['two', 'one', 'three']);
  });

  it('holds a delivery once a window, and lets go of it when the window was taken', () => {
    const { delivery, events } = deliver([at(1), at(2), at(MINUTE)]);
    const source = new Subject<Event<Uint8Array>>();
    const kept: Window<unknown>[] = [];
    source.pipe(minuteWindow()).subscribe((window) => {
      window.hold();
      kept.push(window);
    });
    for (const event of events) source.next(event);
    delivery.letGo();
    source.complete();
    expect(kept).toHaveLength(2);
    kept[0]!.release();
    expect(delivery.isSettled).toBe(false);
    kept[1]!.release();
    expect(delivery.isSettled).toBe(true);
  });

  it('passes an error on and keeps its events in flight', () => {
    const { delivery, events } = deliver([at(1), at(2)]);
    const { windows, ended } = see(
      concat(
        events,
        throwError(() => new Error('gone')),
      ),
    );
    delivery.letGo();
    expect(windows).toEqual([]);
    expect(ended).toEqual(new Error('gone'));
    expect(delivery.isSettled).toBe(false);
  });

  it('makes an event that was settled before it came an error of the stream', () => {
    const { delivery, events } = deliver([at(1)]);
    delivery.letGo();
    const { windows, ended } = see(from(events));
    expect(windows).toEqual([]);
    expect(String(ended)).toMatch(/hold on a settled delivery/);
  });

  it('keeps its events in flight when it is unsubscribed, also while it gives out a window', () => {
    const first = deliver([at(1)]);
    const second = deliver([{ ...at(MINUTE), sequence: 2 }], first.delivery.ledger);
    const windows: Window<unknown>[] = [];
    concat(first.events, second.events)
      .pipe(minuteWindow(), take(1))
      .subscribe((window) => windows.push(window));
    first.delivery.letGo();
    second.delivery.letGo();
    expect(windows).toHaveLength(1);
    expect(second.delivery.isSettled).toBe(false);
  });

  it('keeps a window in flight whose taker failed', () => {
    const { delivery, events } = deliver([at(1)]);
    let error: unknown;
    const fail = map((): void => {
      throw new Error('full');
    });
    from(events)
      .pipe(minuteWindow(), fail)
      .subscribe({ error: (came: unknown) => (error = came) });
    delivery.letGo();
    expect(error).toEqual(new Error('full'));
    expect(delivery.isSettled).toBe(false);
  });

  it('keeps together what operators made of one record', () => {
    const { events } = deliver([at(1), at(2), at(3)]);
    const parts = events.flatMap((event) => [event.with('first'), event.with('second')]);
    const { windows } = see(from(parts), { maxEvents: 3 });
    expect(windows.map(({ count }) => count)).toEqual([4, 2]);
  });

  it('lets a window have as many bytes as it may', () => {
    const { windows } = see(from(deliver(['xx', 'xx', 'x']).events), { maxBytes: 4 });
    expect(windows.map(({ sizeBytes }) => sizeBytes)).toEqual([4, 1]);
  });

  it('gives a record of more than maxBytes a window of its own', () => {
    const { events } = deliver(['aa', 'bbbbbbbbbb', 'c', 'dd'].map((raw) => ({ raw })));
    const { windows } = see(from(events), { maxBytes: 4 });
    expect(windows.map(({ sizeBytes, bounds }) => [sizeBytes, bounds.part])).toEqual([
      [2, 0],
      [10, 1],
      [3, 2],
    ]);
  });

  it('closes every shard’s window when a source waits for room', () => {
    const ledger = new Ledger();
    const source = new Subject<Event<Uint8Array>>();
    const windows: Window<unknown>[] = [];
    const subscription = source.pipe(minuteWindow()).subscribe((window) => windows.push(window));
    for (const shard of ['one', 'two']) for (const event of deliver([{ shard, raw: 'a' }], ledger).events) source.next(event);
    void ledger.room.reserve(ledger.room.maxInFlightBytes);
    expect(windows.map(({ bounds }) => [bounds.shard, bounds.closedBy])).toEqual([
      ['one', 'pressure'],
      ['two', 'pressure'],
    ]);
    for (const event of deliver([{ shard: 'one', raw: 'b', sequence: 2 }], ledger).events) source.next(event);
    subscription.unsubscribe();
    void ledger.room.reserve(1);
    expect(windows).toHaveLength(2);
  });

  it('closes a window also when a source has been waiting since before a step handed on what is in it, twins together', async () => {
    const { delivery, events } = deliver([at(1)], new Ledger({ maxInFlightBytes: RECORD_OVERHEAD_BYTES }));
    const [event] = events as [Event<Uint8Array>];
    const source = new Subject<Event<unknown>>();
    const windows: Window<unknown>[] = [];
    source.pipe(minuteWindow({ scheduler: new VirtualTimeScheduler() })).subscribe((window) => windows.push(window));
    // A step that keeps the event, and a twin of it, beyond the call.
    event.hold();
    event.hold();
    delivery.letGo();
    const room = delivery.ledger.room.reserve(1);
    for (const twin of ['one', 'other']) {
      source.next(event.with(twin));
      event.release();
    }
    await room;
    expect(windows.map((window) => [window.bounds.closedBy, ...window.data()])).toEqual([['pressure', 'one', 'other']]);
  });

  it('closes a minute in time though the clock is set back', () => {
    const scheduler = new VirtualTimeScheduler();
    let backMs = 0;
    const clock: SchedulerLike = { now: () => scheduler.now() - backMs, schedule: scheduler.schedule.bind(scheduler) };
    const source = new Subject<Event<Uint8Array>>();
    const closedAtMs: number[] = [];
    source.pipe(minuteWindow({ scheduler: clock })).subscribe(() => closedAtMs.push(scheduler.now()));
    for (const event of deliver(['a']).events) source.next(event);
    backMs = 3_600_000;
    scheduler.flush();
    for (const event of deliver([{ raw: 'b', arrivedAtMs: 65_000 }]).events) source.next(event);
    scheduler.flush();
    expect(closedAtMs).toEqual([65_000, 125_000]);
  });

  it('closes a minute in time though the clock was set back while nothing came', () => {
    const HOUR = 60 * MINUTE;
    const scheduler = new VirtualTimeScheduler();
    let backMs = 0;
    const clock: SchedulerLike = { now: () => scheduler.now() - backMs, schedule: scheduler.schedule.bind(scheduler) };
    const [runs, ledger, source] = [steady(clock), new Ledger(), new Subject<Event<Uint8Array>>()];
    const closedAtMs: number[] = [];
    source.pipe(minuteWindow({ scheduler: clock })).subscribe(() => closedAtMs.push(scheduler.now()));
    // The run reads all the time, and sees it.
    scheduler.schedule(() => void runs.now(), 2 * HOUR);
    scheduler.schedule(() => (backMs = HOUR), 2 * HOUR);
    scheduler.schedule(() => void runs.now(), 2 * HOUR);
    scheduler.schedule(() => {
      const position = { shard: 'a', sequence: '1', subSequence: 0 };
      const delivery = ledger.open({ shard: 'a', count: 1, sizeBytes: 1, last: position, readAtMs: runs.now() });
      source.next(new Event(TEXT, new Origin(delivery, 0, { position, arrivedAtMs: clock.now(), data: TEXT })));
    }, 4 * HOUR);
    scheduler.flush();
    // For the run it is an hour later than for the stream.
    expect(closedAtMs).toEqual([4 * HOUR + 5000]);
  });

  it('tells the first event that it keeps of a shard, and lets rejects behind it go on once it is out', () => {
    const ledger = new Ledger();
    const source = new Subject<Event<Uint8Array>>();
    const order: string[] = [];
    ledger.onReject(({ first }) => order.push(`reject ${first.sequence}`));
    source.pipe(minuteWindow()).subscribe(({ first, last }) => order.push(`window ${first.sequence} to ${last.sequence}`));
    const { events } = deliver(['a', 'b', 'c'], ledger);
    for (const event of events.slice(0, 2)) source.next(event);
    expect([ledger.kept('shard-1')?.sequence, ledger.kept('shard-2')]).toEqual(['1', undefined]);
    events[2]!.reject({ step: 'test', code: 'bad', reason: 'bad' });
    expect(order).toEqual([]);
    source.complete();
    expect(order).toEqual(['window 1 to 2', 'reject 3']);
    expect(ledger.kept('shard-1')).toBeUndefined();
  });

  it('keeps no reject waiting where no step behind it can reject', () => {
    const ledger = new Ledger();
    const source = new Subject<Event<Uint8Array>>();
    const rejected: string[] = [];
    ledger.onReject(({ first }) => rejected.push(first.sequence));
    const [last] = fuse([minuteWindow({ scheduler: new VirtualTimeScheduler() })]);
    source.pipe(last!.operator as ReturnType<typeof minuteWindow>).subscribe();
    const { events } = deliver(['a', 'b'], ledger);
    source.next(events[0]!);
    events[1]!.reject({ step: 'test', code: 'bad', reason: 'bad' });
    expect(rejected).toEqual(['2']);
    expect(ledger.kept('shard-1')?.sequence).toBe('1');
  });

  it('sets one timer, however many events and shards there are', () => {
    let timers = 0;
    class CountingScheduler extends VirtualTimeScheduler {
      override schedule: VirtualTimeScheduler['schedule'] = (work, delay, state) => {
        timers++;
        return super.schedule(work, delay, state);
      };
    }
    const scheduler = new CountingScheduler();
    const ledger = new Ledger();
    const events = ['one', 'two'].flatMap(
      (shard) =>
        deliver(
          Array.from({ length: 100 }, () => ({ ...at(0), shard })),
          ledger,
        ).events,
    );
    const windows: Window<unknown>[] = [];
    concat(events, NEVER)
      .pipe(minuteWindow({ scheduler }))
      .subscribe((window) => windows.push(window));
    expect(timers).toBe(1);
    scheduler.flush();
    expect(windows.map(({ bounds }) => bounds.closedBy)).toEqual(['grace', 'grace']);
    expect(scheduler.now()).toBe(65_000);
    expect(timers).toBe(1);
  });

  it('closes each window in its time when nothing more comes, and leaves no timer, however it ends', () => {
    const begin = (onWindow: (subscription: Subscription) => void) => {
      const scheduler = new VirtualTimeScheduler();
      const source = new Subject<Event<Uint8Array>>();
      const closedAtMs: number[] = [];
      const subscription = new Subscription();
      subscription.add(
        source.pipe(minuteWindow({ scheduler })).subscribe({
          next() {
            closedAtMs.push(scheduler.now());
            onWindow(subscription);
          },
          error: () => {},
        }),
      );
      const ledger = new Ledger();
      for (const [shard, arrivedAtMs] of [
        ['one', 0],
        ['two', MINUTE],
      ] as const)
        for (const event of deliver([{ shard, raw: 'a', arrivedAtMs }], ledger).events) source.next(event);
      return { scheduler, source, subscription, closedAtMs };
    };
    const { scheduler, closedAtMs } = begin(() => {});
    scheduler.flush();
    expect(closedAtMs).toEqual([65_000, 125_000]);

    const taken = begin((subscription) => subscription.unsubscribe());
    taken.scheduler.flush();
    expect([taken.closedAtMs, taken.scheduler.now()]).toEqual([[65_000], 65_000]);

    for (const end of ['complete', 'error', 'unsubscribe'] as const) {
      const ended = begin(() => {});
      expect(ended.scheduler.actions).toHaveLength(1);
      if (end === 'unsubscribe') ended.subscription.unsubscribe();
      else ended.source[end](new Error('gone'));
      expect(ended.scheduler.actions).toEqual([]);
    }
  });

  it('follows the scheduler’s clock in virtual time without being given it', () => {
    const closedAt: number[] = [];
    new TestScheduler(() => undefined).run(({ cold }) => {
      const { events } = deliver([at(0)]);
      cold('-a')
        .pipe(
          map(() => events[0]!),
          minuteWindow({ grace: { seconds: 2 } }),
        )
        .subscribe(({ bounds }) => closedAt.push(bounds.endMs));
    });
    expect(closedAt).toEqual([MINUTE]);
  });

  it('gives windows of the events it takes', () => {
    const { events } = deliver(['a']);
    expectTypeOf(from(events).pipe(minuteWindow())).toEqualTypeOf<Observable<Window<Uint8Array>>>();
  });

  it.each<[MinuteWindowOptions, string]>([
    [{ every: { months: 1 } }, 'minuteWindow: expected every longer than zero, in weeks to seconds, got {"months":1}'],
    [{ every: { minutes: 0 } }, 'minuteWindow: expected every longer than zero, in weeks to seconds, got {"minutes":0}'],
    [{ grace: { seconds: -1 } }, 'minuteWindow: expected grace of zero or longer, in weeks to seconds, got {"seconds":-1}'],
    [{ maxEvents: 0 }, 'minuteWindow: expected maxEvents of 1 or more, got 0'],
    [{ maxBytes: 1.5 }, 'minuteWindow: expected maxBytes of 1 or more, got 1.5'],
  ])('refuses %j', (options, message) => {
    expect(() => minuteWindow(options)).toThrow(new RangeError(message));
  });
});

describe('windowSteps', () => {
  const { seed, add, tick, closeAll } = windowSteps<Uint8Array>({
    everyMs: MINUTE,
    graceMs: 5_000,
    maxEvents: 10,
    maxBytes: 1_000,
  });

  it('closes a window at a tick once the clock is grace past its end and past the reading of its last event', () => {
    const state = seed();
    const windows: Window<unknown>[] = [];
    const addRead = (sample: Sample & { readAtMs: number }): void => {
      const { data, origin } = read(new Ledger(), [sample], sample.readAtMs)[0]!;
      add(state, data, origin, (w) => windows.push(w));
    };
    addRead({ ...at(1), readAtMs: 600_000 });
    expect(state.dueMs).toBe(605_000);
    addRead({ ...at(2), readAtMs: 603_000 });
    tick(state, 605_000, (w) => windows.push(w));
    expect(windows).toEqual([]);
    expect(state.dueMs).toBe(608_000);
    tick(state, 608_000, (w) => windows.push(w));
    expect(windows.map(({ count }) => count)).toEqual([2]);
    expect(state.dueMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('opens the interval after the one that closed for a late arrival', () => {
    const state = seed();
    const windows: Window<unknown>[] = [];
    const [first, late] = read(new Ledger(), [at(1), at(2)], 0);
    add(state, first!.data, first!.origin, (w) => windows.push(w));
    tick(state, 65_000, (w) => windows.push(w));
    add(state, late!.data, late!.origin, (w) => windows.push(w));
    tick(state, 125_000, (w) => windows.push(w));
    expect(windows.map(({ bounds: { startMs, endMs } }) => [startMs, endMs])).toEqual([
      [0, MINUTE],
      [MINUTE, 2 * MINUTE],
    ]);
  });

  it('numbers the parts from 0 also behind an interval that closed early', () => {
    const state = seed();
    const windows: Window<unknown>[] = [];
    for (const { data, origin } of read(new Ledger(), [at(1), at(2), at(MINUTE)], 0)) {
      add(state, data, origin, (w) => windows.push(w));
      closeAll(state, 'pressure', (w) => windows.push(w));
    }
    expect(windows.map(({ bounds: { startMs, part } }) => [startMs, part])).toEqual([
      [0, 0],
      [0, 1],
      [MINUTE, 0],
    ]);
  });
});

describe('windowSteps, of records as they are', () => {
  const { seed, add, addRecord, closeAll } = windowSteps<string>({
    everyMs: MINUTE,
    graceMs: 5_000,
    maxEvents: 100,
    maxBytes: 1_000,
  });

  it('puts them into windows as it does events, between those and from delivery to delivery, and closes them by the clock', () => {
    const ledger = new Ledger();
    const opened = (first: number, times: readonly number[]) => {
      const records = new RecordList(
        times.map((arrivedAtMs, i) => ({
          position: { shard: 'shard-1', sequence: String(first + i), subSequence: 0 },
          arrivedAtMs,
          data: Buffer.from(`record ${first + i}`),
        })),
      );
      const { shard, count, sizeBytes } = records;
      return ledger.open({ shard, count, sizeBytes, last: records.positionOf(count - 1), readAtMs: 0, records });
    };
    const state = seed();
    const windows: Window<string>[] = [];
    const emit = (window: Window<string>): void => void windows.push(window);
    const take = (delivery: Delivery, index: number): void => addRecord(state, delivery, index, String, emit);
    const event = (delivery: Delivery, index: number): void => {
      const position = delivery.records!.positionOf(index);
      add(
        state,
        `event ${position.sequence}`,
        new Origin(delivery, index, { position, arrivedAtMs: 0, data: Buffer.of() }),
        emit,
      );
    };

    const [one, two] = [opened(1, [0, 0, 0, 0, MINUTE]), opened(6, [MINUTE, MINUTE])];
    take(one, 0);
    expect(state.dueMs).toBe(65_000);
    expect(state.lanes.get('shard-1')!.contents.first).toMatchObject({ sequence: '1' });
    event(one, 1);
    take(one, 2);
    event(one, 3);
    take(one, 4);
    for (const index of [0, 1]) take(two, index);
    expect(state.lanes.get('shard-1')!.contents.first).toMatchObject({ sequence: '5' });
    closeAll(state, 'complete', emit);
    expect(windows.map((window) => [...window.data()])).toEqual([
      ['record 1', 'event 2', 'record 3', 'event 4'],
      ['record 5', 'record 6', 'record 7'],
    ]);
    expect(windows.map(({ first, last }) => [first.sequence, last.sequence])).toEqual([
      ['1', '4'],
      ['5', '7'],
    ]);
  });
});

describe('windowSteps, whenever the clock ticks', () => {
  it('loses nothing, keeps the order, never goes back, and lets go of what it gave out', () => {
    const acts = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.record({ act: fc.constant('read'), ms: fc.integer({ min: 0, max: 90_000 }) }) },
        { weight: 2, arbitrary: fc.record({ act: fc.constant('wait'), ms: fc.integer({ min: 0, max: 90_000 }) }) },
        { weight: 1, arbitrary: fc.record({ act: fc.constant('pressure'), ms: fc.constant(0) }) },
      ),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(acts, (given) => {
        const ledger = new Ledger();
        const steps = windowSteps<Uint8Array>({ everyMs: MINUTE, graceMs: 5_000, maxEvents: 10, maxBytes: 1_000 });
        const state = steps.seed();
        const events: Event<Uint8Array>[] = [];
        const windows: Window<Uint8Array>[] = [];
        const emit = (window: Window<Uint8Array>): void => {
          windows.push(window);
          window.release();
        };
        let nowMs = 1_000_000;
        for (const { act, ms } of given) {
          if (act === 'wait') steps.tick(state, (nowMs += ms), emit);
          if (act === 'pressure') steps.closeAll(state, 'pressure', emit);
          if (act !== 'read') continue;
          // What arrived `ms` ago is read now.
          const [event] = read(ledger, [{ ...at(nowMs - ms), sequence: events.length + 1 }], nowMs);
          events.push(event!);
          steps.add(state, event!.data, event!.origin, emit);
          event!.delivery.letGo();
        }
        const closed = windows.length;
        steps.tick(state, state.dueMs - 1, emit);
        expect(windows.length).toBe(closed);
        steps.tick(state, nowMs + 200_000, emit);
        expect(state.dueMs).toBe(Number.POSITIVE_INFINITY);
        expect(windows.flatMap((window) => window.events)).toEqual(events);
        const starts = windows.map(({ bounds }) => bounds.startMs);
        expect(starts).toEqual(starts.toSorted((a, b) => a - b));
        expect(ledger.counts().inFlight).toBe(0);
      }),
    );
  });
});

describe('minuteWindow, whatever comes', () => {
  const samples = fc.array(
    fc.record({
      shard: fc.constantFrom('one', 'two', 'three'),
      // Mostly forward, now and then back: late arrivals.
      stepMs: fc.oneof(
        { weight: 5, arbitrary: fc.integer({ min: 0, max: 40_000 }) },
        { weight: 1, arbitrary: fc.integer({ min: -90_000, max: 0 }) },
      ),
      sizeBytes: fc.integer({ min: 1, max: 50 }),
    }),
    { maxLength: 200 },
  );
  const limits = fc.record({ maxEvents: fc.integer({ min: 1, max: 20 }), maxBytes: fc.integer({ min: 1, max: 200 }) });
  const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 10 }));

  it('loses nothing, splits nothing, gives nothing twice, keeps the order of each shard', () => {
    fc.assert(
      fc.property(samples, limits, cuts, (given, options, sizes) => {
        const { events, windows, ledger } = pass(given, sizes, options);
        for (const shard of ['one', 'two', 'three']) {
          const out = windows.filter((window) => window.shard === shard).flatMap((window) => window.events);
          expect(out).toEqual(events.filter((event) => event.shard === shard));
        }
        expect(ledger.counts().inFlight).toBe(0);
      }),
    );
  });

  it('gives no empty window, and keeps its limits', () => {
    fc.assert(
      fc.property(samples, limits, cuts, (given, options, sizes) => {
        for (const { count, sizeBytes } of pass(given, sizes, options).windows) {
          expect(count).toBeGreaterThan(0);
          expect(count).toBeLessThanOrEqual(options.maxEvents);
          if (count > 1) expect(sizeBytes).toBeLessThanOrEqual(options.maxBytes);
        }
      }),
    );
  });

  it('gives an event to the interval in which it arrived, or a later one when it was late', () => {
    fc.assert(
      fc.property(samples, limits, cuts, (given, options, sizes) => {
        const { windows } = pass(given, sizes, options);
        const newest = new Map<string, number>();
        for (const { events, bounds } of windows)
          for (const { arrivedAtMs, shard } of events) {
            expect(arrivedAtMs).toBeLessThan(bounds.endMs);
            const isLate = arrivedAtMs < Math.floor((newest.get(shard) ?? 0) / MINUTE) * MINUTE;
            if (!isLate) expect(arrivedAtMs).toBeGreaterThanOrEqual(bounds.startMs);
            newest.set(shard, Math.max(newest.get(shard) ?? 0, arrivedAtMs));
          }
      }),
    );
  });

  it('numbers the parts of an interval from 0 and never goes back', () => {
    fc.assert(
      fc.property(samples, limits, cuts, (given, options, sizes) => {
        const last = new Map<string, Window<unknown>['bounds']>();
        for (const { bounds } of pass(given, sizes, options).windows) {
          const before = last.get(bounds.shard);
          if (before?.startMs === bounds.startMs) expect(bounds.part).toBe(before.part + 1);
          else expect(bounds).toMatchObject({ part: 0, startMs: expect.toSatisfy((ms: number) => ms > (before?.startMs ?? -1)) });
          last.set(bounds.shard, bounds);
        }
      }),
    );
  });

  it('gives the same windows whatever the sizes of the deliveries', () => {
    fc.assert(
      fc.property(samples, limits, cuts, cuts, (given, options, sizes, otherSizes) => {
        const [some, others] = [sizes, otherSizes].map((each) =>
          pass(given, each, options).windows.map(({ bounds, events }) => ({
            bounds,
            positions: events.map(({ position }) => position),
          })),
        );
        const byShard = (shard: string) => (window: { bounds: { shard: string } }) => window.bounds.shard === shard;
        for (const shard of ['one', 'two', 'three']) expect(some!.filter(byShard(shard))).toEqual(others!.filter(byShard(shard)));
      }),
    );
  });
});

describe('minuteWindow of a shard that was read to its end', () => {
  it.each([0, 1])('closes at once what a step before it kept until then, when it had %i events before', (before) => {
    const scheduler = new VirtualTimeScheduler();
    const ledger = new Ledger();
    const source = new Subject<Event<Uint8Array>>();
    const windows: Window<unknown>[] = [];
    source.pipe(minuteWindow({ every: { hours: 1 }, scheduler })).subscribe((window) => windows.push(window));
    const { delivery, events } = deliver(['a', 'b', 'c'], ledger);
    events[0]!.hold();
    delivery.letGo();
    for (const event of events.slice(0, before)) source.next(event);
    ledger.endShard('shard-1');
    const closedBefore = before > 0 ? [[before, 'shard-end']] : [];
    const closed = (): unknown[] => windows.map(({ count, bounds }) => [count, bounds.closedBy]);
    expect(closed()).toEqual(closedBefore);
    for (const event of events.slice(before)) source.next(event);
    events[0]!.release();
    expect(closed()).toEqual(closedBefore);
    scheduler.flush();
    expect(scheduler.now()).toBe(0);
    expect(closed()).toEqual([...closedBefore, [3 - before, 'shard-end']]);
    expect(delivery.isSettled).toBe(true);
  });
});

function at(arrivedAtMs: number): Sample {
  return { raw: 'x', arrivedAtMs };
}

function see(source: Observable<Event<unknown>>, options?: MinuteWindowOptions) {
  const windows: Window<unknown>[] = [];
  let ended: unknown;
  const subscription = source.pipe(minuteWindow(options)).subscribe({
    next: (window) => windows.push(window),
    error: (error: unknown) => (ended = error),
    complete: () => (ended = 'complete'),
  });
  subscription.unsubscribe();
  return { windows, ended };
}

/** One delivery, read when the clock says so. */
function read(ledger: Ledger, samples: readonly Sample[], readAtMs: number): Event<Uint8Array>[] {
  const { shard = 'shard-1' } = samples[0]!;
  const raws = samples.map(({ raw }) => Buffer.from(raw));
  const positions = samples.map(({ sequence = 1 }, index) => ({ shard, sequence: String(sequence + index), subSequence: 0 }));
  const delivery = ledger.open({
    shard,
    count: samples.length,
    sizeBytes: raws.reduce((sum, raw) => sum + raw.length, 0),
    last: positions.at(-1)!,
    readAtMs,
  });
  return samples.map(
    ({ arrivedAtMs = 0 }, index) =>
      new Event(raws[index]!, new Origin(delivery, index, { position: positions[index]!, arrivedAtMs, data: raws[index]! })),
  );
}

interface Given {
  readonly shard: string;
  readonly stepMs: number;
  readonly sizeBytes: number;
}

/** Cuts each shard's records into deliveries of these sizes, and passes them through, as a source and a sink would. */
function pass(given: readonly Given[], sizes: fc.Stream<number>, limits: MinuteWindowOptions) {
  const ledger = new Ledger();
  const windows: Window<unknown>[] = [];
  const events: Event<Uint8Array>[] = [];
  const source = new Subject<Event<Uint8Array>>();
  source.pipe(minuteWindow(limits)).subscribe((window) => windows.push(window));
  const shards = ['one', 'two', 'three'].map((shard) => {
    let arrivedAtMs = 100_000;
    return given
      .filter((each) => each.shard === shard)
      .map(({ stepMs, sizeBytes }, index): Sample => ({
        shard,
        sequence: index + 1,
        arrivedAtMs: (arrivedAtMs = Math.max(0, arrivedAtMs + stepMs)),
        raw: Buffer.alloc(sizeBytes),
      }));
  });
  while (shards.some((left) => left.length > 0))
    for (const left of shards.filter(({ length }) => length > 0)) {
      const [size] = sizes.take(1);
      const { delivery, events: delivered } = deliver(left.splice(0, size), ledger);
      events.push(...delivered);
      for (const event of delivered) source.next(event);
      delivery.letGo();
    }
  source.complete();
  return { events, windows, ledger };
}
