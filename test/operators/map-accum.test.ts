import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Event, Reject } from '../../src/event.ts';
import { decode } from '../../src/operators/decode.ts';
import { json } from '../../src/operators/json.ts';
import { type Steps, mapAccum } from '../../src/operators/map-accum.ts';
import { named } from '../../src/operators/named.ts';
import { transform } from '../../src/operators/transform.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';

/** A step as somebody may write it: hands each event on when the next of its shard comes. */
function oneLater<T>(more: Partial<Steps<Map<string, Event<T>>, Event<T>, Event<T>>> = {}) {
  const steps = mapAccum<Map<string, Event<T>>, Event<T>, Event<T>>({
    seed: () => new Map(),
    step(state, event, emit) {
      const before = state.get(event.shard);
      event.hold();
      state.set(event.shard, event);
      if (before) giveOut(before, emit);
    },
    flush(state, emit) {
      const left = [...state.values()];
      state.clear();
      for (const event of left) giveOut(event, emit);
    },
    kept: (state, shard) => state.get(shard)?.position,
    ...more,
  });
  return named('oneLater', '', steps);
}

function giveOut<T>(event: Event<T>, emit: (event: Event<T>) => void): void {
  emit(event);
  event.release();
}

const refuse = transform((data: { bad?: boolean }) => {
  if (data.bad) throw new Error('bad');
  return data;
});

describe('mapAccum, of events that a step keeps', () => {
  // A reject waits a second for others: behind a pause the second one is stored by a commit of its own.
  it.each([
    ['by an event', [{ pauseMs: 1500 }, ['{}']]],
    ['by the end of the shard', []],
  ] as const)('stores a reject before it only behind what that becomes, when it is given out %s', async (_, more) => {
    const rejects = memorySink<Reject>('rejects');
    const sink = memorySink<Event<unknown>>('sink');
    const behind: string[] = [];
    rejects.beforeCommit = ({ positions }) => void behind.push(...[...positions.values()].map((at) => JSON.stringify(at)));
    const declared = pipeline('kept')
      .from(scripted({ s: [['{}', '{"bad":true}', 'no json'], ...more] }))
      .pipe(decode(json<{ bad?: boolean }>()), oneLater(), refuse)
      .to(sink)
      .rejects(rejects);
    expect(await run(declared)).toMatchObject({ read: 3 + more.length / 2, rejected: 2, inFlight: 0 });
    expect(rejects.stored.map(({ first, why }) => [first.sequence, why.step])).toEqual([
      ['2', 'transform'],
      ['3', 'decode'],
    ]);
    expect(behind).toEqual(behind.toSorted());
  });

  it('hands on what waits once it has given out what it kept of a shard that has ended', () => {
    const { events, delivery } = deliver(['a', 'b']);
    const seen: string[] = [];
    delivery.ledger.onReject(({ first }) => seen.push(`reject ${first.sequence}`));
    const source = new Subject<Event<Uint8Array>>();
    const endShard = (state: Map<string, Event<Uint8Array>>, shard: string, emit: (event: Event<Uint8Array>) => void): void => {
      const left = state.get(shard);
      state.delete(shard);
      if (left) giveOut(left, emit);
    };
    source.pipe(oneLater({ endShard })).subscribe(({ position }) => seen.push(position.sequence));
    source.next(events[0]!);
    events[1]!.reject({ step: 'decode', code: 'bad', reason: 'bad' });
    expect(seen).toEqual([]);
    delivery.ledger.endShard('shard-1');
    expect(seen).toEqual(['1', 'reject 2']);
  });

  it('keeps rejects back for good once it is left: what it kept before them is read again', () => {
    const { events, delivery } = deliver(['a', 'b']);
    const rejects: Reject[] = [];
    delivery.ledger.onReject((reject) => rejects.push(reject));
    const source = new Subject<Event<Uint8Array>>();
    let closed = 0;
    const subscription = source.pipe(oneLater({ close: () => void closed++ })).subscribe();
    source.next(events[0]!);
    events[1]!.reject({ step: 'decode', code: 'bad', reason: 'bad' });
    subscription.unsubscribe();
    delivery.ledger.passRejects('shard-1');
    expect([rejects, closed]).toEqual([[], 1]);
  });

  it('hands on what waits once the source has ended, also of a step that does not care for the ends of shards', async () => {
    const rejects = memorySink<Reject>('rejects');
    const declared = pipeline('kept')
      .from(scripted({ s: [['{}', 'no json']] }))
      .pipe(decode(json<{ bad?: boolean }>()), oneLater(), refuse)
      .to(memorySink<Event<unknown>>())
      .rejects(rejects);
    expect(await run(declared)).toMatchObject({ read: 2, stored: 1, rejected: 1, inFlight: 0 });
  });

  it('hands on what waits when the run is stopped in the middle of a shard', async () => {
    const rejects = memorySink<Reject>('rejects');
    const stop = new AbortController();
    const declared = pipeline('kept')
      .from(scripted({ s: [['{}', 'no json'], 'until-stopped'] }))
      .pipe(decode(json<{ bad?: boolean }>()), oneLater(), refuse)
      .to(memorySink<Event<unknown>>())
      .rejects(rejects);
    setTimeout(() => stop.abort('enough'), 100);
    expect(await run(declared, { stop: stop.signal })).toMatchObject({ read: 2, stored: 1, rejected: 1, inFlight: 0 });
    expect(rejects.stored.map(({ first }) => first.sequence)).toEqual(['2']);
  });

  it('ends the run when it gives out a later event first, and says that a step of its own may be why', async () => {
    const steps = mapAccum<Event<Uint8Array>[], Event<Uint8Array>, Event<Uint8Array>>({
      seed: () => [],
      step(state, event, emit) {
        event.hold();
        state.push(event);
        if (state.length === 2) giveOut(state.pop()!, emit);
      },
      kept: ([first], shard) => (first?.shard === shard ? first.position : undefined),
    });
    const declared = pipeline('kept')
      .from(scripted({ s: [['a', 'b']] }))
      .pipe(named('laterFirst', '', steps))
      .to(memorySink<Event<Uint8Array>>());
    await expect(run(declared)).rejects.toThrow(
      /^run: expected the events of s in order, got 2:0 while a step still keeps 1:0\..* gives out what it keeps in the order in which it came$/,
    );
  });
});
