import { setTimeout as sleep } from 'node:timers/promises';
import {
  type OperatorFunction,
  EMPTY,
  catchError,
  concatMap,
  delay,
  filter,
  finalize,
  groupBy,
  map,
  merge,
  mergeMap,
  of,
  pipe,
  retry,
  share,
} from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { OrderBrokenError, ReadTwiceError, SettledTooEarlyError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { mapAccum } from '../../src/operators/map-accum.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { lookup } from '../../src/operators/lookup.ts';
import { named } from '../../src/operators/named.ts';
import { transform } from '../../src/operators/transform.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { startRun } from '../../src/run/run.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { pushSource } from '../support/push-source.ts';
import { type Text, textOf, isOne, texts, begin } from '../support/begin-run.ts';

const asksForNothing = lookup<Uint8Array, undefined, Uint8Array>({
  from: { describe: '', openReads: () => ({ read() {}, close() {} }) },
  keys: () => undefined,
  attach: (data) => data,
});

/** Throws on the first event of this text, and lets it pass from then on. */
function throwOnce(text: string): (event: Text) => Text {
  let isBad = true;
  return (event) => {
    if (!isBad || textOf(event) !== text) return event;
    isBad = false;
    throw new Error('passing');
  };
}

describe('a run and its steps', () => {
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

  it('says so, too, of one that threw nothing at all', async () => {
    const steps = [
      map((): Text => {
        throw undefined; // eslint-disable-line no-throw-literal, typescript/only-throw-error -- as a program may
      }),
      filter<Text>(() => true),
    ];
    const { source, finished } = await begin({ steps });
    source.push('one');
    await expect(finished).rejects.toThrow(/^step 1 of 2 threw at 1:0 of shard-1/);
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
});
