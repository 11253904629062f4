import fc from 'fast-check';
import { EMPTY, NEVER, Observable, Subject, from, of, pipe, throwError } from 'rxjs';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Event } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { dedupe, type DedupeOptions } from '../../src/operators/dedupe.ts';
import { type Identity, hash128 } from '../../src/operators/identity.ts';
import { mapAccum } from '../../src/operators/map-accum.ts';
import { stepOf } from '../../src/operators/named.ts';
import { textIdentity } from '../../src/operators/dedupe/text-identity.ts';
import { type Sample, deliver } from '../../src/testing/deliver.ts';

const text = (data: Uint8Array): string => Buffer.from(data).toString();
const bytes: Identity<Uint8Array> = { name: 'bytes', hash: (data, into) => hash128(data, 0, data.length, into) };
const hour = { by: bytes, within: { hours: 1 } } satisfies DedupeOptions<Uint8Array>;
const HOUR_MS = 3_600_000;

/** What comes out, as text, and how the stream ends. */
function run(source: Observable<Event<Uint8Array>>, options: DedupeOptions<Uint8Array> = hour): string[] {
  const out: string[] = [];
  source.pipe(dedupe(options)).subscribe({
    next: ({ data }) => out.push(text(data)),
    error: (error: Error) => out.push(`error: ${error.message}`),
    complete: () => out.push('|'),
  });
  return out;
}

describe('dedupe', () => {
  test('lets the first event of each identity through, and tells the ledger what it dropped', () => {
    const { delivery, events } = deliver(['a', 'b', 'a', 'c', 'a']);
    expect(run(from(events))).toEqual(['a', 'b', 'c', '|']);
    delivery.letGo();
    expect(delivery.isSettled).toBe(true);
    expect(delivery.ledger.counts()).toMatchObject({ read: 5, dropped: { dedupe: 2 }, inFlight: 0 });
  });

  test('takes a text for an identity', () => {
    const { events } = deliver(['a1', 'b1', 'a2', 'äöü1', 'äöü2', '字1']);
    expect(run(from(events), { by: (data) => text(data).slice(0, -1), within: { hours: 1 } })).toEqual([
      'a1',
      'b1',
      'äöü1',
      '字1',
      '|',
    ]);
  });

  test('remembers an identity for all of its time, however many come meanwhile and are settled', () => {
    const ledger = new Ledger();
    const source = new Subject<Event<Uint8Array>>();
    const passed: string[] = [];
    source.pipe(dedupe({ ...hour, capacity: 20_000 })).subscribe(({ data }) => passed.push(text(data)));
    const read = (raw: string, sequence: number, arrivedAtMs: number): void => {
      const { delivery, events } = deliver([{ raw, sequence, arrivedAtMs }], ledger);
      for (const event of events) source.next(event);
      delivery.letGo();
    };
    // More than it takes to look anew at what may be forgotten, several times.
    for (let i = 0; i < 3500; i++) read(String(i), i + 1, i * 1000);
    for (let i = 0; i < 3500; i++) read(String(i), i + 3501, HOUR_MS - 1 + i * 1000);
    expect(passed).toHaveLength(3500);
  });

  test('only four zeros are no identity', () => {
    const words: Identity<Uint8Array> = { name: 'words', hash: (data, into) => into.set(Array.from(data, (byte) => byte - 48)) };
    const given = ['0000', '0000', '1000', '1000', '0100', '0100', '0010', '0010', '0001', '0001'];
    const out = ['0000', '0000', '1000', '0100', '0010', '0001', '|'];
    expect(run(from(deliver(given).events), { by: words, within: { hours: 1 } })).toEqual(out);
  });

  test('a text and its UTF-8 bytes are the same identity', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 600 }), (raw) => {
        const [ofText, ofBytes] = [new Uint32Array(4), new Uint32Array(4)];
        textIdentity(() => raw).hash(undefined, ofText);
        bytes.hash(Buffer.from(raw), ofBytes);
        expect(ofText).toEqual(ofBytes);
      }),
    );
  });

  test('passes events that have no identity', () => {
    const { events } = deliver(['', 'a', '', 'a']);
    expect(run(from(events))).toEqual(['', 'a', '', '|']);
    expect(run(from(events), { by: (data) => text(data), within: { hours: 1 } })).toEqual(['', 'a', '', '|']);
    expect(run(from(events), { by: () => undefined, within: { hours: 1 } })).toEqual(['', 'a', '', 'a', '|']);
  });

  test('an event that arrived a whole hour later is another one', () => {
    const { events } = deliver([
      { raw: 'a', arrivedAtMs: HOUR_MS },
      { raw: 'a', arrivedAtMs: 2 * HOUR_MS - 1 },
      { raw: 'a', arrivedAtMs: 2 * HOUR_MS },
      { raw: 'a', arrivedAtMs: 3 * HOUR_MS - 1 },
    ]);
    expect(run(from(events))).toEqual(['a', 'a', '|']);
  });

  test('compares a late event with those of its own time', () => {
    const { events } = deliver([
      { raw: 'a', arrivedAtMs: 5 * HOUR_MS },
      { raw: 'a', arrivedAtMs: HOUR_MS },
      { raw: 'a', arrivedAtMs: HOUR_MS + 1 },
      { raw: 'a', arrivedAtMs: 4 * HOUR_MS + 1 },
      { raw: 'a', arrivedAtMs: 5 * HOUR_MS + 1 },
    ]);
    expect(run(from(events))).toEqual(['a', 'a', '|']);
  });

  test('the same record read again is no repeat, and its repeats are dropped again', () => {
    const { events } = deliver(['a', 'b', 'a', 'c']);
    expect(run(from([...events, ...events.slice(1), ...events]))).toEqual(['a', 'b', 'c', 'b', 'c', 'a', 'b', 'c', '|']);
  });

  test('of many identities, forgets the oldest first and tells how many', () => {
    const told: Diagnostic[] = [];
    const ledger = new Ledger({ report: (diagnostic) => told.push(diagnostic) });
    const first = deliver(['a', 'b', 'c', 'd'], ledger).events;
    const second = deliver([{ raw: 'd', sequence: 10 }, 'c', 'b', 'a'], ledger).events;
    expect(run(from([...first, ...second]), { ...hour, capacity: 3 })).toEqual(['a', 'b', 'c', 'd', 'a', '|']);
    expect(told).toEqual([
      { type: 'identities-forgotten', step: 'dedupe', count: 1, capacity: 3 },
      { type: 'identities-forgotten', step: 'dedupe', count: 1, capacity: 3 },
    ]);
  });

  test('forgets what is an hour behind without telling: that is no loss', () => {
    const told: Diagnostic[] = [];
    const ledger = new Ledger({ report: (diagnostic) => told.push(diagnostic) });
    const out: string[] = [];
    const source = new Subject<Event<Uint8Array>>();
    source.pipe(dedupe({ ...hour, capacity: 5000 })).subscribe(({ data }) => out.push(text(data)));
    // A thousand an hour, all different, in deliveries of a hundred that are settled at once.
    for (let n = 0; n < 200; n++) {
      const samples = Array.from({ length: 100 }, (_, i): Sample => {
        const number = n * 100 + i;
        return { raw: `id ${number}`, sequence: number, arrivedAtMs: (number * HOUR_MS) / 1000 };
      });
      const { delivery, events } = deliver(samples, ledger);
      for (const event of events) source.next(event);
      delivery.letGo();
    }
    expect(out.length).toBe(20_000);
    expect(told).toEqual([]);
  });

  test('remembers what a shard may repeat that is to be read and has not come yet, however far the others are', () => {
    const ledger = new Ledger();
    for (const shard of ['a', 'b']) ledger.expect(shard);
    const out: string[] = [];
    const source = new Subject<Event<Uint8Array>>();
    source.pipe(dedupe(hour)).subscribe(({ data }) => out.push(text(data)));
    const read = (shard: string, sequence: number, arrivedAtMs: number, ...raws: string[]): void => {
      const samples = raws.map((raw, i): Sample => ({ shard, sequence: sequence + i, arrivedAtMs, raw }));
      const { delivery, events } = deliver(samples, ledger);
      for (const event of events) source.next(event);
      delivery.letGo();
    };
    read('a', 1, 0, 'order');
    for (let n = 1; n <= 50; n++) read('a', n * 100, n * HOUR_MS, ...Array.from({ length: 100 }, (_, i) => `${n} ${i}`));
    read('b', 1, 300_000, 'order', 'other');
    expect(out.filter((one) => one.startsWith('o'))).toEqual(['order', 'other']);
  });

  test('never, nothing, an error: passes on what its source does', () => {
    expect(run(NEVER)).toEqual([]);
    expect(run(EMPTY)).toEqual(['|']);
    expect(run(throwError(() => new Error('gone')))).toEqual(['error: gone']);
  });

  test('what `by` throws is an error of the stream', () => {
    const { events } = deliver(['a', 'b', 'c']);
    const by = (data: Uint8Array): string => {
      if (text(data) === 'b') throw new Error('no id');
      return text(data);
    };
    const [passed, error] = run(from(events), { by, within: { hours: 1 } });
    expect(passed).toBe('a');
    expect(error).toMatch(/^error: dedupe threw at 2:0 of shard-1, .*\. Of an event without an identity give the empty text/);
  });

  test('unsubscribes from its source when it is left early', () => {
    const source = new Subject<Event<Uint8Array>>();
    const subscription = source.pipe(dedupe(hour)).subscribe();
    expect(source.observed).toBe(true);
    subscription.unsubscribe();
    expect(source.observed).toBe(false);
  });

  test('drops from what only some sinks get what all of them got before, and from what all get nothing that only some got', () => {
    const ledger = new Ledger();
    // Of the two sinks, only the first one is to get what comes of the shard.
    ledger.sinkStands.note('known', [undefined, { shard: 'known', sequence: '9', subSequence: 0 }], undefined);
    const [all, some] = ['new', 'known'].map((shard) => (raw: string) => deliver([{ shard, raw }], ledger).events) as [
      (raw: string) => Event<Uint8Array>[],
      (raw: string) => Event<Uint8Array>[],
    ];
    expect(run(from([...all('a'), ...some('a'), ...some('b'), ...all('b')]))).toEqual(['a', 'b', 'b', '|']);
  });

  test('each subscription has a memory of its own', () => {
    const { events } = deliver([{ raw: 'a', sequence: 1 }]);
    const others = deliver([{ raw: 'a', sequence: 2 }]).events;
    const operator = dedupe(hour);
    const out: string[] = [];
    for (const source of [from(events), from(others)]) source.pipe(operator).subscribe(({ data }) => out.push(text(data)));
    expect(out).toEqual(['a', 'a']);
  });

  test('says in the graph what it goes by', () => {
    expect(stepOf(dedupe(hour))).toMatchObject({ name: 'dedupe', detail: 'by bytes, within 1 hour' });
    const place = { by: (data: string) => data, within: { hours: 1 } };
    expect(stepOf(dedupe(place))).toMatchObject({ detail: 'by text, within 1 hour' });
    expect(stepOf(dedupe({ by: text, within: { hours: 1 } }))).toMatchObject({ detail: 'by text, within 1 hour' });
    const orderId = (data: string): string => data;
    expect(stepOf(dedupe({ by: orderId, within: { hours: 1 } }))).toMatchObject({ detail: 'by orderId, within 1 hour' });
  });

  test('refuses a time or a capacity out of bounds', () => {
    expect(() => dedupe({ ...hour, within: { hours: 0 } })).toThrow(/^dedupe: expected within longer than zero/);
    expect(() => dedupe({ ...hour, within: { days: 4000 } })).toThrow(
      'dedupe: expected within of at most 3650 days, got {"days":4000}',
    );
    for (const capacity of [0, -1, 1.5, Number.NaN, 1e12])
      expect(() => dedupe({ ...hour, capacity })).toThrow(`dedupe: expected a capacity from 1 to 500000000, got ${capacity}`);
  });

  test('infers the type of the events in a pipe', () => {
    interface Order {
      readonly order_id: string;
    }
    const orders = mapAccum<null, Event<Uint8Array>, Event<Order>>({ seed: () => null, step: () => {} });
    const chain = pipe(orders, dedupe({ by: (order) => order.order_id, within: { hours: 1 } }));
    expectTypeOf(chain(of())).toEqualTypeOf<Observable<Event<Order>>>();
    const byIdentity = pipe(
      orders,
      dedupe({ by: { name: 'all', hash: () => {} } satisfies Identity<Order>, within: { hours: 1 } }),
    );
    expectTypeOf(byIdentity(of())).toEqualTypeOf<Observable<Event<Order>>>();
  });

  test('drops exactly what a plain list would, whatever the shards, times and repeats', () => {
    const sample = fc.record({ shard: fc.constantFrom('a', 'b'), raw: fc.constantFrom('x', 'y', 'z'), arrivedAtMs: fc.nat(100) });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 60 }), (samples) => {
        const ledger = new Ledger();
        const events = samples.map((one, sequence) => deliver([{ ...one, sequence }], ledger).events[0]!);
        const firsts: Sample[] = [];
        for (const one of samples)
          if (!firsts.some(({ raw, arrivedAtMs }) => raw === one.raw && Math.abs(arrivedAtMs! - one.arrivedAtMs) < 20))
            firsts.push(one);
        const passed: Event<Uint8Array>[] = [];
        from(events)
          .pipe(dedupe({ by: text, within: { seconds: 0.02 } }))
          .subscribe((event) => passed.push(event));
        expect(passed.map(({ shard, arrivedAtMs, data }) => ({ shard, raw: text(data), arrivedAtMs }))).toEqual(firsts);
        expect(ledger.counts().inFlight).toBe(samples.length);
      }),
    );
  });
});
