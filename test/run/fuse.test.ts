import fc from 'fast-check';
import { NEVER, Observable, type OperatorFunction, type Subscriber, VirtualTimeScheduler, filter, map, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Delivery } from '../../src/delivery.ts';
import type { Event, Item } from '../../src/event.ts';
import { Ledger, Outcome } from '../../src/ledger.ts';
import { decode } from '../../src/operators/decode.ts';
import { MAX_LINES } from '../../src/lines/line-index.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import { transform } from '../../src/operators/transform.ts';
import { validate } from '../../src/operators/validate.ts';
import { Window } from '../../src/operators/window.ts';
import type { Records, SourceRecord } from '../../src/records.ts';
import { begin, fuse } from '../../src/run/fuse.ts';
import type { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import { enriched } from '../../src/snowplow/enriched.ts';
import { eventId } from '../../src/snowplow/event-id.ts';
import { label } from '../../src/snowplow/label.ts';
import { emitDelivery } from '../../src/sources/delivery/emit-delivery.ts';
import { LineBlock } from '../../src/sources/text/line-block.ts';
import { ownMemory } from '../../src/sources/text/own-memory.ts';
import { LineRecords } from '../../src/sources/lines/line-records.ts';
import { type Source, type SourceContext, readingDeliveries } from '../../src/sources/source.ts';
import { lineOf } from '../snowplow/line.ts';

type AnyOperator = OperatorFunction<never, unknown>;

const LOG =
  '[main] INFO com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource - Checkpointing shard shardId-000000000000\n';
const ids = Array.from({ length: 4 }, (_, i) => `00000000-0000-4000-8000-00000000000${i}`);
const line = (event_id: string, se_label = ''): string =>
  lineOf({ event_id, se_label, se_category: 'product', se_action: 'view' }).toString();

const payload = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...ids).map((id) => line(id, '{"sku":"a"}')) },
  fc.constantFrom(...ids).map((id) => line(id, '{"sku":1}')),
  fc.constantFrom(...ids).map((id) => `${line(id).slice(0, 40)}${LOG}${line(id).slice(40)}`),
  fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...ids)).map(([a, b]) => `${line(a)}\n${line(b, '{')}\n`),
  fc.constantFrom(LOG, 'no\tevent', 'nothing', `${line(ids[0]!)}\t`, `${line(ids[2]!)}\n`, lineOf({}, 98).toString()),
  fc
    .constantFrom(
      { event_id: 'c6ef3124' },
      { event_id: '' },
      { collector_tstamp: '2026-11-22T09:00:00' },
      { collector_tstamp: '' },
    )
    .map((fields) => lineOf(fields).toString()),
  fc.constantFrom('damaged', 'elsewhere').map((fate) => lineOf({ event_id: ids[0]!, name_tracker: fate }).toString()),
);

/** A piece of the one text of a shard: whole lines, lines that a log line was printed into, and parts of lines. */
const piece = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...ids).map((id) => `${line(id, '{"sku":"a"}')}\n`) },
  fc.constantFrom(...ids).map((id) => `${line(id, '{"sku":1}')}\n`),
  fc.constantFrom(
    LOG,
    `${line(ids[0]!)}${LOG}`,
    `${LOG.slice(0, -1)}${line(ids[1]!)}\n`,
    `${line(ids[2]!)}${LOG.slice(0, -1)}\n`,
  ),
  fc.constantFrom('\n', 'nothing\n', 'no\tevent\n', `${line(ids[0]!)}\t\n`, '{"line":"AA==","errors":[]}\n', line(ids[0]!)),
  fc
    .constantFrom('a {"line":"b', 'a{"line":"AA==","errors":["b"]}', '\tat x.Y.z(Y.java:1)', 'a.b.CException '.repeat(500))
    .map((page_title) => `${lineOf({ page_title }).toString()}\n`),
  fc.constantFrom({ app_id: 'other' }, { app_id: '' }).map((fields) => `${lineOf(fields).toString()}\n`),
  fc.constantFrom(line(ids[3]!).slice(0, 40), `${line(ids[3]!).slice(40)}\n`, `${lineOf({}, 98).toString()}\n`),
);

const text = (data: unknown): string => Buffer.from(data instanceof Uint8Array ? data : (data as EnrichedEvent).bytes).toString();
const dropThird = <T>(): AnyOperator => {
  let n = 0;
  return filter<Event<T>>(() => ++n % 3 > 0);
};

/** Steps by name, each made anew: some before the events are decoded, some behind. */
const onBytes: Readonly<Record<string, () => AnyOperator>> = {
  strip: () => stripCheckpoints(),
  long: () => validate<Uint8Array>((data) => (data.length > 20 ? undefined : { code: 'short', reason: 'expected more' })),
  repeats: () => dedupe<Uint8Array>({ by: text, within: { minutes: 1 } }),
  third: dropThird,
};
const onEvents: Readonly<Record<string, () => AnyOperator>> = {
  label: () => validate(label({ 'product/*': z.object({ sku: z.string() }) })),
  ids: () => dedupe({ by: eventId, within: { minutes: 1 } }),
  odd: () =>
    transform((event: EnrichedEvent) => {
      if (event.event_id === ids[1]) throw new Error('odd');
      return event;
    }),
  third: dropThird,
  same: () => map((event: unknown) => event),
  broken: () =>
    validate<EnrichedEvent>((event) => {
      if (event.event_id === ids[3]) throw new Error('broken');
      return undefined;
    }),
};

interface Traffic {
  readonly deliveries: readonly (readonly string[])[];
  /** Whether the shard is read to its end. */
  readonly endsShard?: boolean;
  /** Whether the stream completes in the end; else it is unsubscribed. */
  readonly ends: boolean;
  /** Whoever takes the items leaves after so many. */
  readonly takes: number;
}
const traffic = fc.record({
  deliveries: fc.array(fc.array(payload, { minLength: 1, maxLength: 8 }), { maxLength: 4 }),
  ends: fc.boolean(),
  takes: fc.oneof(fc.constant(1000), fc.integer({ min: 1, max: 4 })),
});

const endsLine = (text: string): boolean => text.endsWith('\n');

/** Of a delivery of lines only the last one may lack its newline. */
const deliveriesOf = (pieces: readonly string[]): string[][] =>
  pieces.reduce<string[][]>((all, one, i) => {
    if (i === 0 || !endsLine(pieces[i - 1]!)) all.push([]);
    all.at(-1)!.push(one);
    return all;
  }, []);

type MakeRecords = (texts: readonly string[], before: number) => Records | readonly SourceRecord[];

/** Payloads, or pieces of a text of which the source knows nothing. */
const separate: MakeRecords = (texts, before) =>
  texts.map((raw, i) => {
    const sequence = before + i + 1;
    const damage = raw.includes('damaged') ? { step: 'source', code: 'damaged', reason: 'damaged' } : undefined;
    const fate = damage ?? (raw.includes('elsewhere') ? 'elsewhere' : undefined);
    const position = { shard: 'shard-1', sequence: String(sequence), subSequence: 0 };
    return { position, arrivedAtMs: sequence * 25_000, data: Buffer.from(raw), fate };
  });

/** Lines of a text, as `lines` reads them, in memory of their own. */
const ofText: MakeRecords = (pieces, before) => {
  const bytes = ownMemory(new Uint8Array(Buffer.from(pieces.join(''))));
  const ends: number[] = [];
  for (const one of pieces) ends.push((ends.at(-1) ?? 0) + Buffer.byteLength(one));
  const block = new LineBlock(bytes, [0, ...ends.slice(0, -1)], ends, endsLine(pieces.at(-1)!) ? undefined : bytes.length);
  const numberOf = (end: number): number => before + ends.indexOf(end) + 1;
  const arrivedAtMs = ends.map((end) => numberOf(end) * 25_000);
  const lines = { block, beginsAt: 0, isText: true, arrivedAtMs };
  return new LineRecords('shard-1', lines, {
    from: 0,
    to: pieces.length,
    sequenceOf: (end) => String(numberOf(end)),
    free: block.freeing(1),
  });
};

/** All that can be seen from outside of a pipeline: what comes out, what is rejected, how the stream ends, what the ledger counts. */
function seen(
  lead: (source: Required<Pick<Source<Uint8Array>, 'read' | 'deliveries'>>, context: SourceContext) => Observable<unknown>,
  { deliveries, ends, takes, endsShard }: Traffic,
  {
    recordsOf = separate,
    tellsSizes = true,
    freesRecords = false,
  }: Readonly<{ recordsOf?: MakeRecords; tellsSizes?: boolean; freesRecords?: boolean }> = {},
): unknown {
  const ledger = new Ledger({ freesRecords });
  const read: Records[] = [];
  const told: string[] = [];
  ledger.onReject((reject) => {
    told.push(`reject ${reject.first.sequence} ${reject.why.step} ${reject.why.code} ${text(reject.event.data)}`);
    reject.mark(Outcome.rejected);
    reject.release();
  });
  let feed!: Subscriber<Delivery>;
  const source = new Observable<Delivery>((subscriber) => void (feed = subscriber));
  const subscription = lead(
    readingDeliveries(() => source),
    { ledger } as unknown as SourceContext,
  )
    .pipe(take(takes))
    .subscribe({
      next(value) {
        const item = value as Item;
        item.hold();
        const events = value instanceof Window ? value.events : [value as Event<unknown>];
        const bounds =
          value instanceof Window ? JSON.stringify([value.bounds, value.count, ...(tellsSizes ? [value.sizeBytes] : [])]) : '';
        told.push(`${bounds} ${events.map(({ data, position }) => `${position.sequence} ${text(data)}`).join('|')}`);
        if (value instanceof Window) {
          expect([...value.data()].map(text)).toEqual(events.map(({ data }) => text(data)));
          expect(value.eventAt(value.count - 1).position).toEqual(value.last);
          const behind = events.filter(({ position }) => position.sequence !== value.first.sequence);
          expect(value.after(value.first)?.events.map(({ data }) => text(data)) ?? []).toEqual(
            behind.map(({ data }) => text(data)),
          );
        }
        item.mark(Outcome.stored);
        item.release();
      },
      error: (error: Error) => told.push(`error ${error.message}`),
      complete: () => told.push('complete'),
    });
  let sequence = 0;
  for (const texts of deliveries) {
    const records = recordsOf(texts, sequence);
    if ('count' in records) read.push(records);
    sequence += texts.length;
    emitDelivery(feed, ledger, records, { readAtMs: sequence * 25_000, reservedBytes: 0 });
  }
  if (endsShard && !feed.closed) ledger.endShard('shard-1');
  if (ends) feed.complete();
  else subscription.unsubscribe();
  if (freesRecords && ledger.counts().inFlight === 0)
    for (const records of read) expect(() => records.rawOf(0)).toThrow('detached');
  return { told, counts: ledger.counts(), checkpoint: ledger.checkpoint('shard-1') };
}

/** Each operator by itself; the last one as a run has it, that knows it to be the last. */
const through = (operators: readonly AnyOperator[], events: Observable<unknown>): Observable<unknown> =>
  [...operators.slice(0, -1), ...fuse(operators.slice(-1)).map(({ operator }) => operator)].reduce(
    (stream, operator) => stream.pipe(operator as OperatorFunction<unknown, unknown>),
    events,
  );

describe('fuse', () => {
  it('changes nothing but the number of operators, whatever the steps and whatever comes', () => {
    let fusedSome = 0;
    fc.assert(
      fc.property(
        fc.shuffledSubarray(Object.keys(onBytes)),
        fc.option(fc.tuple(fc.shuffledSubarray(Object.keys(onEvents)), fc.boolean())),
        traffic,
        (before, behind, comes) => {
          const make = (): AnyOperator[] => [
            ...before.map((name) => onBytes[name]!()),
            ...(behind ? [decode(enriched) as AnyOperator, ...behind[0].map((name) => onEvents[name]!())] : []),
            ...(behind?.[1] ? [minuteWindow({ scheduler: new VirtualTimeScheduler() }) as AnyOperator] : []),
          ];
          const fused = fuse(make());
          if (fused.length < make().length) fusedSome++;
          expect(fused.reduce((sum, { count }) => sum + count, 0)).toBe(make().length);
          const operators = fused.map(({ operator }) => operator);
          const plain = seen((source, context) => through(make(), source.read(context)), comes);
          expect(seen((source, context) => through(operators, source.read(context)), comes)).toEqual(plain);
        },
      ),
      { numRuns: 1000 },
    );
    expect(fusedSome).toBeGreaterThan(400);
  });

  it('leaves operators alone that it does not know, and joins those on both sides of them', () => {
    const counts = (...operators: AnyOperator[]): number[] => fuse(operators).map(({ count }) => count);
    const [strip, third, odd, same] = [onBytes['strip']!, dropThird, onEvents['odd']!, onEvents['same']!];
    expect(counts()).toEqual([]);
    expect(counts(third())).toEqual([1]);
    expect(counts(strip(), third(), odd(), odd(), same())).toEqual([1, 1, 2, 1]);
    expect(counts(odd(), odd(), minuteWindow() as AnyOperator, same())).toEqual([3, 1]);
    expect(counts(same(), minuteWindow() as AnyOperator)).toEqual([1, 1]);
    expect(counts(stripCheckpoints({ of: 'text' }) as AnyOperator, odd())).toEqual([2]);
  });
});

describe('begin', () => {
  const onLines = [
    () => [stripCheckpoints()],
    () => [stripCheckpoints(), decode(enriched)],
    () => [decode(enriched), onEvents['ids']!()],
    () => [stripCheckpoints(), decode(enriched), onEvents['label']!(), onEvents['ids']!()],
    () => [stripCheckpoints(), decode(enriched), onEvents['ids']!(), onEvents['label']!()],
  ] as readonly (() => AnyOperator[])[];
  const windowOf = (maxEvents: number): AnyOperator => minuteWindow({ maxEvents, scheduler: new VirtualTimeScheduler() });

  function isTheSame(steps: () => AnyOperator[], maxEvents: number, comes: Traffic): void {
    const make = (): AnyOperator[] => [...steps(), windowOf(maxEvents)];
    const plain = seen((source, context) => through(make(), source.read(context)), comes);
    const begun = seen(({ deliveries }, context) => {
      const read = (): never => expect.unreachable('event by event');
      const { stream, count, rest } = begin({ source: { read, deliveries } as unknown as Source<unknown>, operators: make() }, context); // prettier-ignore
      expect([count, rest]).toEqual([make().length, []]);
      return stream;
    }, comes);
    expect(begun).toEqual(plain);
  }

  it('takes whole deliveries into windows that are the very same, whatever comes', () => {
    fc.assert(fc.property(fc.constantFrom(...onLines), fc.integer({ min: 1, max: 9 }), traffic, isTheSame), { numRuns: 1500 });
  });

  it('takes deliveries of more lines than are looked at in one go', () => {
    const many = fc.array(payload, { minLength: MAX_LINES - 1, maxLength: 2 * MAX_LINES + 9, size: 'max' });
    const comes = fc.record({ deliveries: fc.tuple(many, many), ends: fc.boolean(), takes: fc.integer({ min: 1, max: 1000 }) });
    fc.assert(fc.property(fc.constantFrom(...onLines), fc.integer({ min: 1, max: 9 }), comes, isTheSame), { numRuns: 50 });
  });

  it('makes the same of a text, whether its source knows of lines or not', () => {
    const onText = [
      () => [stripCheckpoints({ of: 'text' })],
      () => [stripCheckpoints({ of: 'text' }), decode(enriched), onEvents['label']!(), onEvents['ids']!()],
    ] as readonly (() => AnyOperator[])[];
    const comes = fc.record({
      deliveries: fc.array(fc.array(piece, { maxLength: 12 }).map(deliveriesOf), { maxLength: 4 }).map((all) => all.flat()),
      ends: fc.boolean(),
      endsShard: fc.boolean(),
      takes: fc.oneof(fc.constant(1000), fc.integer({ min: 1, max: 4 })),
    });
    let tookMany = 0;
    fc.assert(
      fc.property(fc.constantFrom(...onText), fc.integer({ min: 1, max: 9 }), comes, (steps, maxEvents, its) => {
        const make = (): AnyOperator[] => [...steps(), windowOf(maxEvents)];
        const plainly = (how: Parameters<typeof seen>[2]): unknown =>
          seen((source, context) => through(make(), source.read(context)), its, how);
        const begun = (how: Parameters<typeof seen>[2]): unknown =>
          seen(({ deliveries, read }, context) => begin({ source: { read, deliveries } as never, operators: make() }, context).stream, its, how); // prettier-ignore
        expect(begun({ recordsOf: ofText, freesRecords: true })).toEqual(plainly({ recordsOf: ofText }));
        const unsized = { tellsSizes: false };
        expect(begun({ recordsOf: ofText, ...unsized })).toEqual(plainly(unsized));
        if (its.takes === 1000 && its.deliveries.flat().length > 12) tookMany++;
      }),
      { numRuns: 400 },
    );
    expect(tookMany).toBeGreaterThan(10);
  });

  it('reads event by event where a step before the window does not speak of lines, and behind the window', () => {
    const source = { read: () => NEVER, deliveries: () => NEVER } as unknown as Source<unknown>;
    const counts = (...operators: AnyOperator[]): unknown => {
      const { count, rest } = begin({ source, operators }, {} as SourceContext);
      return [count, rest.map((one) => one.count)];
    };
    const [strip, odd] = [stripCheckpoints() as AnyOperator, onEvents['odd']!()];
    expect(counts()).toEqual([0, []]);
    expect(counts(strip)).toEqual([0, [1]]);
    expect(counts(windowOf(1))).toEqual([0, [1]]);
    expect(counts(strip, windowOf(1))).toEqual([2, []]);
    expect(counts(strip, odd, windowOf(1))).toEqual([0, [3]]);
    expect(counts(strip, windowOf(1), dropThird(), odd)).toEqual([2, [1, 1]]);
    expect(
      begin({ source: { ...source, deliveries: undefined } as never, operators: [strip, windowOf(1)] }, {} as never).count,
    ).toBe(0);
  });
});
