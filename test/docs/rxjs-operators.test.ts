import * as rxjs from 'rxjs';
import { describe, expect, it } from 'vitest';
import { ReadTwiceError, SettledTooEarlyError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import type { Counts } from '../../src/ledger.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';

type Bytes = Event<Uint8Array>;
type Operator = rxjs.OperatorFunction<Bytes, Bytes>;

const letters = scripted({
  s: [
    ['a', 'b'],
    ['c', 'd', 'e'],
  ],
});

function play(operator: Operator, sink: MemorySink<Bytes> = memorySink(), source = letters): Promise<Counts> {
  return run(pipeline('letters').from(source).pipe(operator).to(sink), { checkpointEvery: { seconds: 0.01 } });
}

function storedIn({ stored }: MemorySink<Bytes>): string {
  return stored.map(({ data }) => String(data)).join('');
}

const branches = (stream: rxjs.Observable<Bytes>): rxjs.Observable<Bytes> =>
  rxjs.merge(stream.pipe(rxjs.filter(isVowel)), stream.pipe(rxjs.filter((event) => !isVowel(event))));

function isVowel({ data }: Bytes): boolean {
  return 'ae'.includes(String(data));
}

describe("what docs/your-own.md says of RxJS's operators", () => {
  it.each<[name: string, Operator]>([
    ['map', rxjs.map((event) => event)],
    ['tap', rxjs.tap(() => {})],
    ['mergeMap', rxjs.mergeMap((event) => [event])],
    ['concatMap', rxjs.concatMap((event) => [event])],
    [
      'groupBy',
      rxjs.pipe(
        rxjs.groupBy(isVowel),
        rxjs.mergeMap((group) => group),
      ),
    ],
    ['share', (stream) => branches(stream.pipe(rxjs.share()))],
    ['connect', rxjs.connect(branches)],
  ])('%s holds all that is promised', async (_, operator) => {
    const sink = memorySink<Bytes>();
    expect(await play(operator, sink)).toMatchObject({ read: 5, stored: 5, inFlight: 0 });
    expect(storedIn(sink)).toBe('abcde');
  });

  it.each<[name: string, Operator]>([
    ['delay', rxjs.delay(1)],
    ['debounceTime', rxjs.debounceTime(1)],
    [
      'bufferTime',
      rxjs.pipe(
        rxjs.bufferTime(1),
        rxjs.mergeMap((events) => events),
      ),
    ],
    ['observeOn', rxjs.observeOn(rxjs.asyncScheduler)],
    [
      'toArray',
      rxjs.pipe(
        rxjs.toArray(),
        rxjs.mergeMap((events) => events),
      ),
    ],
    ['concatMap of promises', rxjs.concatMap(async (event) => event)],
    ['switchMap of promises', rxjs.switchMap(async (event) => event)],
  ])('%s ends the run, as it does not hold what it keeps', async (_, operator) => {
    await expect(play(operator)).rejects.toThrow(SettledTooEarlyError);
  });

  it.each<[name: string, Operator]>([
    ['repeat', rxjs.repeat(2)],
    [
      'retry',
      rxjs.pipe(
        rxjs.tap((event) => {
          if (String(event.data) === 'c') throw new Error('c');
        }),
        rxjs.retry(1),
      ),
    ],
    ['a second branch', branches],
  ])('%s ends the run, as it reads its source again', async (_, operator) => {
    await expect(play(operator)).rejects.toThrow(ReadTwiceError);
  });

  it("withLatestFrom drops what comes before the other stream's first value", async () => {
    const sink = memorySink<Bytes>();
    const withOther = (other: rxjs.Observable<number>): Operator =>
      rxjs.pipe(
        rxjs.withLatestFrom(other),
        rxjs.map(([event]) => event),
      );
    expect(await play(withOther(rxjs.NEVER), sink)).toMatchObject({ stored: 0, dropped: { filter: 5 } });
    expect(await play(withOther(rxjs.NEVER.pipe(rxjs.startWith(0))))).toMatchObject({ stored: 5 });
  });

  it('combineLatestWith ends the run, as it passes an event on again', async () => {
    const sink = memorySink<Window<Uint8Array>>();
    const config = new rxjs.BehaviorSubject(1);
    const declared = pipeline('letters')
      .from(scripted({ s: [['a'], { pauseMs: 20 }, ['b'], 'until-stopped'] }))
      .pipe(
        rxjs.tap(() => setTimeout(() => config.next(2))),
        rxjs.combineLatestWith(config),
        rxjs.map(([event]) => event),
        minuteWindow(),
      )
      .to(sink);
    await expect(run(declared)).rejects.toThrow('passed on the event at 1:0 of s once more');
    expect(sink.stored).toEqual([]);
  });

  it('so it does behind a window that was taken apart', async () => {
    const sink = memorySink<Bytes>();
    const config = new rxjs.BehaviorSubject(1);
    sink.beforeCommit = ({ items }) => {
      if (items.length === 0) return;
      config.next(2);
      config.complete();
    };
    const declared = pipeline('letters')
      .from(letters)
      .pipe(
        minuteWindow(),
        rxjs.mergeMap((window) => window.events),
        rxjs.combineLatestWith(config),
        rxjs.map(([event]) => event),
      )
      .to(sink);
    await expect(run(declared)).rejects.toThrow('passed on the event at 5:0 of s once more');
    expect(storedIn(sink)).toBe('abcde');
  });

  it('so does what passes on the events of a window once more in the call of the next one', async () => {
    const sink = memorySink<Bytes>();
    const declared = pipeline('letters')
      .from(letters)
      .pipe(
        minuteWindow({ maxEvents: 1 }),
        rxjs.pairwise(),
        rxjs.mergeMap((windows) => windows.flatMap(({ events }) => events)),
      )
      .to(sink);
    await expect(run(declared)).rejects.toThrow(/passed on the event at .* once more/);
  });

  it('several events of one record may go through whatever passes them on in their call', async () => {
    const sink = memorySink<Bytes>();
    const several = rxjs.pipe(
      rxjs.mergeMap((event: Bytes) => [event, event.with(Buffer.from('+'))]),
      rxjs.groupBy(isVowel),
      rxjs.mergeMap((group) => group),
      rxjs.expand((event) => (String(event.data) === '+' ? [event.with(Buffer.from('-'))] : [])),
    );
    await play(several, sink);
    expect(storedIn(sink)).toBe('a+-b+-c+-d+-e+-');
  });

  it('pairwise has forgotten what came before a kill', async () => {
    const pairs = rxjs.pipe(
      rxjs.pairwise<Bytes>(),
      rxjs.map(([before, event]) => event.with(Buffer.concat([before.data, event.data]))),
    );
    const sink = memorySink<Bytes>();
    sink.beforeCommit = ({ items }) => {
      if (items.some(({ data }) => String(data).includes('c'))) throw new Error('killed');
    };
    await expect(play(pairs, sink)).rejects.toThrow('killed');
    sink.beforeCommit = () => {};
    await play(pairs, sink);
    expect(storedIn(sink)).toBe('ab' + 'cd' + 'de');
  });

  it('bufferCount may lose what waits for company in it', async () => {
    const pairs = rxjs.pipe(
      rxjs.bufferCount<Bytes>(2),
      rxjs.map(([before, event = before!]) => event.with(Buffer.concat([before!.data, event.data]))),
    );
    const sink = memorySink<Bytes>();
    const killed = scripted({ s: [['a', 'b'], ['c'], { pauseMs: 100 }, { fail: new Error('killed') }] });
    await expect(play(pairs, sink, killed)).rejects.toThrow('killed');
    await play(pairs, sink);
    expect(storedIn(sink)).toBe('ab' + 'de');
  });
});
