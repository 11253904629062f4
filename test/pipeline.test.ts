import { type OperatorFunction, NEVER, map, mergeMap } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Event, Reject } from '../src/event.ts';
import { dedupe } from '../src/operators/dedupe.ts';
import { mapAsync } from '../src/operators/map-async.ts';
import { minuteWindow } from '../src/operators/minute-window.ts';
import { named } from '../src/operators/named.ts';
import { transform } from '../src/operators/transform.ts';
import { type NoItem, type Stage, pipeline } from '../src/pipeline.ts';
import { graphOf } from '../src/command/graph.ts';
import type { Sink } from '../src/sinks/sink.ts';
import type { Source } from '../src/sources/source.ts';
import { identityLog } from '../src/stores/identity-log.ts';
import { memorySink } from '../src/testing/memory-sink.ts';

const source: Source<string> = { name: 'none', describe: 'a source of "nothing"', check: async () => 'ok', read: () => NEVER };
const length = map((event: Event<string>) => event.with(event.data.length));

describe('pipeline', () => {
  it('is inert: declaring it opens nothing', () => {
    const sink: Sink<Event<number>> = { ...memorySink<Event<number>>(), open: () => expect.fail('opened') };
    const declared = pipeline('shop')
      .from<string>({ ...source, read: () => expect.fail('read') })
      .pipe(length)
      .to(sink);
    expect(declared).toMatchObject({ name: 'shop', operators: { length: 1 }, sinks: { length: 1 } });
  });

  it('is typed from the source to its sinks', () => {
    const stage = pipeline('shop').from(source);
    expectTypeOf(stage).toEqualTypeOf<Stage<Event<string>>>();
    expectTypeOf(stage.pipe(length)).toEqualTypeOf<Stage<Event<number>>>();
    // @ts-expect-error a sink of strings does not take numbers
    stage.pipe(length).to(memorySink<Event<string>>());
    // @ts-expect-error an operator on numbers does not take strings
    stage.pipe(map((event: Event<number>) => event));
    // @ts-expect-error a pipeline ends somewhere
    expect(() => stage.to()).toThrow(/at least one sink/);
  });

  it('is typed through ten operators in a call', () => {
    const stage = pipeline('shop').from(source);
    const same = map((event: Event<number>) => event);
    const long = stage.pipe(
      length,
      same,
      same,
      same,
      same,
      same,
      same,
      same,
      same,
      map((event) => event.with(event.data > 0)),
    );
    expectTypeOf(long).toEqualTypeOf<Stage<Event<boolean>>>();
    expect(long.to(memorySink()).operators).toHaveLength(10);
  });

  it('says in words what is wrong when the last step emits no events', () => {
    const stage = pipeline('shop').from(source);
    const bare = stage.pipe(map((event) => event.data));
    // @ts-expect-error bare data is no event
    bare.to(memorySink());
    expectTypeOf<Parameters<(typeof bare)['to']>[0]>().toEqualTypeOf<NoItem>();
    expectTypeOf<NoItem>().toExtend<`to: ${string} event.with(${string} transform(${string}`>();
    const either = stage.pipe(map((event) => (event.data === '' ? event.data : event)));
    // @ts-expect-error nor is what may be one
    either.to(memorySink<Event<string>>());
    const lengths = stage.pipe(map((event): Event<string> | Event<number> => event.with(event.data.length)));
    // @ts-expect-error a sink of strings does not take what may be numbers
    lengths.to(memorySink<Event<string>>());
    lengths.to(memorySink<Event<string> | Event<number>>());
  });

  it('leaves the stages it was made from as they were', () => {
    const stage = pipeline('shop').from(source).pipe(length);
    stage.pipe(map((event) => event));
    expect(stage.to(memorySink()).operators).toHaveLength(1);
  });

  it('refuses names that would not do as part of a key', () => {
    for (const name of ['', 'Shop', '1shop', 'a/b', 'a b'])
      expect(() => pipeline(name), name).toThrow(/pipeline: expected a name of/);
  });

  it('refuses two sinks of one name, the rejects among them', () => {
    expect(() => pipeline('shop').from(source).to(memorySink('a'), memorySink('a'))).toThrow(/two sinks are named a/);
    expect(() => pipeline('shop').from(source).to(memorySink('a')).rejects(memorySink<Reject>('a'))).toThrow(
      /two sinks are named a/,
    );
  });

  it('refuses two steps that keep their state in one place, which would take it from each other', () => {
    const once = dedupe<string>({ by: (text) => text, within: { hours: 1 }, state: identityLog('file:./data/seen') });
    const twice = dedupe<string>({ by: (text) => text[0], within: { hours: 1 }, state: identityLog('./data/seen') });
    const other = dedupe<string>({ by: (text) => text[0], within: { hours: 1 }, state: identityLog('./data/other') });
    const stage = pipeline('shop').from(source).pipe(once);
    expect(() => stage.pipe(twice).to(memorySink())).toThrow(
      'pipeline shop: two steps keep their state in file:./data/seen, and would take it from each other; give each its own',
    );
    expect(stage.pipe(other).to(memorySink()).operators).toHaveLength(2);
  });

  it('refuses a step that takes events right behind windows, which types do not see behind an any', () => {
    const windows = pipeline('shop').from(source).pipe(minuteWindow());
    const same = transform((text: string) => text);
    for (const step of [same, mapAsync(async (text: string) => text), minuteWindow<string>()])
      expect(() => windows.pipe(step as OperatorFunction<unknown, Event<string>>).to(memorySink())).toThrow(
        /^pipeline shop: \w+ takes events, and minuteWindow before it gives windows of them; .*window\.events/,
      );
    const events = windows.pipe(
      mergeMap((window) => window.events),
      same,
    );
    expect(events.to(memorySink()).operators).toHaveLength(3);
  });

  it('refuses what is no operator, as a step that is left out under a condition', () => {
    const left = undefined as unknown as typeof length;
    expect(() => pipeline('p').from(source).pipe(left).to(memorySink())).toThrow(
      'pipeline p: expected an operator for step 1 of 1, got undefined',
    );
  });

  it('refuses what is no sink, as a list of them', () => {
    const list = [memorySink('a'), memorySink('b')] as unknown as Sink<Event<string>>;
    expect(() => pipeline('p').from(source).to(list)).toThrow('pipeline p: expected sinks, one behind the other, got Array');
  });

  it('draws itself', () => {
    const own: OperatorFunction<Event<string>, Event<string>> = named('upper', 'every "letter"', (events) => events);
    const declared = pipeline('shop')
      .from(source)
      .pipe(own, length)
      .to(memorySink('a'), memorySink('b'))
      .rejects(memorySink<Reject>('bad'));
    expect(graphOf(declared)).toMatchInlineSnapshot(`
      "flowchart LR
        source(["a source of #quot;nothing#quot;"])
        source --> step1["upper<br>every #quot;letter#quot;"]
        step1 --> step2["an operator of RxJS"]
        step2 --> sink1[("a: in memory")]
        step2 --> sink2[("b: in memory")]
        step2 -.->|rejects| rejects[("bad: in memory")]
      "
    `);
  });
});
