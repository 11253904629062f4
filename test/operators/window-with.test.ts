import * as fc from 'fast-check';
import { type OperatorFunction, map, mergeMap } from 'rxjs';
import { expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { Ledger, Outcome } from '../../src/ledger.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { transform } from '../../src/operators/transform.ts';
import { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';

interface Count {
  readonly letter: string;
  readonly count: number;
}

function countsOf(window: Window<string>): Count[] {
  const counts = new Map<string, number>();
  for (const letter of window.data()) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return [...counts].map(([letter, count]) => ({ letter, count }));
}

const bounds = { shard: 'shard-1', startMs: 0, endMs: 60_000, part: 0, closedBy: 'grace' } as const;
const at = (sequence: number) => ({ shard: 'shard-1', sequence: String(sequence), subSequence: 0 });

/** The counts of the records 2 to 4, in two deliveries. */
function countedWindow() {
  const ledger = new Ledger();
  const [first, second] = [['a', 'b'], ['a']].map((raws, i) =>
    deliver(
      raws.map((raw, j) => ({ raw, sequence: 2 + i * 2 + j })),
      ledger,
    ),
  ) as [ReturnType<typeof deliver>, ReturnType<typeof deliver>];
  const events = [...first.events, ...second.events].map((event) => event.with(String(event.data)));
  return { ledger, first, second, window: new Window(bounds, events).with(countsOf) };
}

it('lies where the window lies of which it was made, and each of its data at the end of it', () => {
  const { window } = countedWindow();
  expect(window).toMatchObject({ bounds, count: 2, sizeBytes: 3, first: at(2), last: at(4) });
  expect([...window.data()]).toEqual([
    { letter: 'a', count: 2 },
    { letter: 'b', count: 1 },
  ]);
  expect(window.events.map(({ data, position }) => [data.letter, position.sequence])).toEqual([
    ['a', '4'],
    ['b', '4'],
  ]);
  expect(window.eventAt(1).data).toEqual({ letter: 'b', count: 1 });
});

it('is made anew of what lies behind a position', () => {
  const { window } = countedWindow();
  expect(window.after(at(1))).toBe(window);
  expect([...window.after(at(2))!.data()]).toEqual([
    { letter: 'b', count: 1 },
    { letter: 'a', count: 1 },
  ]);
  expect(window.after(at(4))).toBeUndefined();
});

it('may itself be made into another one, also of nothing', () => {
  const { window } = countedWindow();
  const none = window.with(() => []);
  const sum = none.with(({ count }) => [count]).after(at(2))!;
  expect([[...none.data()], [...sum.data()], sum.first, sum.last]).toEqual([[], [0], at(3), at(4)]);
});

it('keeps all deliveries of the window in flight, whose events all count as stored', () => {
  const { window, first, second, ledger } = countedWindow();
  window.hold();
  for (const { delivery } of [first, second]) delivery.letGo();
  expect([first.delivery.isSettled, second.delivery.isSettled, window.isSettled]).toEqual([false, false, false]);
  window.mark(Outcome.stored);
  window.release();
  expect(ledger.counts()).toMatchObject({ stored: 3, dropped: { filter: 0 }, inFlight: 0 });
});

it('may be made of nothing, and is stored as that', async () => {
  const sink = memorySink<Window<Count>>();
  const counts = await run(
    pipeline('none')
      .from(scripted({ s: [['a']] }))
      .pipe(
        minuteWindow(),
        map((window) => window.with(() => [])),
      )
      .to(sink),
  );
  expect(counts).toMatchObject({ read: 1, stored: 1 });
  expect(sink.stored.map(({ count }) => count)).toEqual([0]);
  expect(sink.positions.get('s')).toBe('SHARD_END');
});

type Counted = Window<Count> | Event<Count>;

it.each<[string, OperatorFunction<Window<Count>, Counted>]>([
  ['windows go there as they are', map((window) => window)],
  ['they are taken apart', mergeMap((window) => window.events)],
])('adds up to what was read in each of two sinks, whatever is killed and wherever windows are cut: %s', async (_, going) => {
  const delivery = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 });
  const kill = fc.record({ commits: fc.tuple(fc.nat(3), fc.nat(3)), maxEvents: fc.integer({ min: 1, max: 7 }) });
  const world = fc.record({
    deliveries: fc.array(delivery, { minLength: 1, maxLength: 6 }),
    kills: fc.array(kill, { maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(world, async ({ deliveries, kills }) => {
      const sinks = [memorySink<Counted>('one'), memorySink<Counted>('other')] as const;
      const counted =
        (maxEvents: number): OperatorFunction<Event<string>, Counted> =>
        (source) =>
          source.pipe(
            minuteWindow({ maxEvents }),
            map((window) => window.with(countsOf)),
            going,
          );
      const play = async (maxEvents: number): Promise<unknown> =>
        run(
          pipeline('counts')
            .from(scripted({ s: deliveries }))
            .pipe(transform(String), counted(maxEvents))
            .to(...sinks),
        );
      for (const { commits, maxEvents } of kills) {
        sinks.forEach((sink, i) => {
          let left = commits[i]!;
          sink.beforeCommit = () => {
            if (left-- === 0) throw new Error('killed');
          };
        });
        await play(maxEvents).catch(() => {});
      }
      for (const sink of sinks) sink.beforeCommit = () => {};
      await play(4);
      const read = new Map<string, number>();
      for (const letter of deliveries.flat()) read.set(letter, (read.get(letter) ?? 0) + 1);
      for (const { stored } of sinks) {
        const sums = new Map<string, number>();
        for (const item of stored)
          for (const { letter, count } of item instanceof Window ? item.data() : [item.data])
            sums.set(letter, (sums.get(letter) ?? 0) + count);
        expect(sums).toEqual(read);
      }
    }),
    { numRuns: 60 },
  );
});

it.each<[string, () => OperatorFunction<Event<Count>, Event<Count>>]>([
  ['waits in mapAsync', () => mapAsync(() => new Promise<never>(() => {}))],
  [
    'waits in another window',
    () => (source) =>
      source.pipe(
        minuteWindow<Count>(),
        mergeMap(({ events }) => events),
      ),
  ],
])('keeps all of its window in flight when it is taken apart and %s', async (_, waiting) => {
  const sink = memorySink<Event<Count>>();
  const play = (step: OperatorFunction<Event<Count>, Event<Count>>, ...end: { fail: Error }[]) =>
    run(
      pipeline('counts')
        .from(scripted({ s: [['a', 'a'], ['a', 'b'], { pauseMs: 60 }, ...end] }))
        .pipe(
          transform(String),
          minuteWindow({ maxEvents: 3 }),
          map((window) => window.with(countsOf)),
          mergeMap(({ events }) => events),
          step,
        )
        .to(sink),
      { checkpointEvery: { seconds: 0.01 } },
    );
  await expect(play(waiting(), { fail: new Error('killed') })).rejects.toThrow('killed');
  expect([sink.stored, sink.positions.get('s')]).toEqual([[], 'TRIM_HORIZON']);
  await play(map((event) => event));
  expect(sink.stored.map(({ data }) => data)).toEqual([
    { letter: 'a', count: 3 },
    { letter: 'b', count: 1 },
  ]);
});
