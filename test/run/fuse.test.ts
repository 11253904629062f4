import fc from 'fast-check';
import { type OperatorFunction, Subject, VirtualTimeScheduler, filter, map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Event, Item } from '../../src/event.ts';
import { Ledger, Outcome } from '../../src/ledger.ts';
import { decode } from '../../src/operators/decode.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import { transform } from '../../src/operators/transform.ts';
import { validate } from '../../src/operators/validate.ts';
import { Window } from '../../src/operators/window.ts';
import { fuse } from '../../src/run/fuse.ts';
import type { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import { enriched } from '../../src/snowplow/enriched.ts';
import { eventId } from '../../src/snowplow/event-id.ts';
import { label } from '../../src/snowplow/label.ts';
import { deliver } from '../../src/testing/deliver.ts';
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
  fc.constantFrom(LOG, 'no\tevent', 'nothing', `${line(ids[0]!)}\t`),
);

const text = (data: unknown): string => Buffer.from(data instanceof Uint8Array ? data : (data as EnrichedEvent).bytes).toString();
const dropThird = <T>(): AnyOperator => {
  let n = 0;
  return filter<Event<T>>(() => ++n % 3 > 0) as AnyOperator;
};

/** Steps by name, each made anew: some before the events are decoded, some behind. */
const onBytes: Readonly<Record<string, () => AnyOperator>> = {
  strip: () => stripCheckpoints() as AnyOperator,
  long: () => validate<Uint8Array>((data) => (data.length > 20 ? undefined : { code: 'short', reason: 'expected more' })),
  repeats: () => dedupe<Uint8Array>({ by: text, within: { minutes: 1 } }),
  third: dropThird,
};
const onEvents: Readonly<Record<string, () => AnyOperator>> = {
  label: () => validate(label({ 'product/*': z.object({ sku: z.string() }) })) as AnyOperator,
  ids: () => dedupe({ by: eventId, within: { minutes: 1 } }) as AnyOperator,
  odd: () =>
    transform((event: EnrichedEvent) => {
      if (event.event_id === ids[1]) throw new Error('odd');
      return event;
    }) as AnyOperator,
  third: dropThird,
  same: () => map((event: unknown) => event) as AnyOperator,
  broken: () =>
    validate<EnrichedEvent>((event) => {
      if (event.event_id === ids[3]) throw new Error('broken');
      return undefined;
    }) as AnyOperator,
};

/** All that can be seen from outside: what comes out, what is rejected, how the stream ends, what the ledger counts. */
function seen(operators: readonly AnyOperator[], deliveries: readonly (readonly string[])[], ends: boolean): unknown {
  const ledger = new Ledger();
  const told: string[] = [];
  ledger.onReject((reject) => {
    told.push(`reject ${reject.first.sequence} ${reject.why.step} ${reject.why.code} ${text(reject.event.data)}`);
    reject.mark(Outcome.rejected);
    reject.release();
  });
  const source = new Subject<Event<Uint8Array>>();
  const stream = operators.reduce<OperatorFunction<unknown, unknown>>(
    (all, operator) => (events) => (operator as OperatorFunction<unknown, unknown>)(all(events)),
    (events) => events,
  );
  const subscription = stream(source).subscribe({
    next(value) {
      const item = value as Item;
      item.hold();
      const data = value instanceof Window ? value.data.map(text).join('|') : text((value as Event<unknown>).data);
      told.push(`${item.first.sequence} to ${item.last.sequence}: ${data}`);
      item.mark(Outcome.stored);
      item.release();
    },
    error: (error: Error) => told.push(`error ${error.message}`),
    complete: () => told.push('complete'),
  });
  let sequence = 1;
  for (const texts of deliveries) {
    const { delivery, events } = deliver(texts.map((raw, i) => ({ raw, sequence: sequence + i, arrivedAtMs: (sequence + i) * 25_000 })), ledger); // prettier-ignore
    sequence += texts.length;
    for (const event of events) if (!subscription.closed) source.next(event);
    if (!subscription.closed) delivery.letGo();
  }
  if (ends) source.complete();
  else subscription.unsubscribe();
  return { told, counts: ledger.counts(), checkpoint: ledger.checkpoint('shard-1') };
}

describe('fuse', () => {
  it('changes nothing but the number of operators, whatever the steps and whatever comes', () => {
    let fusedSome = 0;
    fc.assert(
      fc.property(
        fc.shuffledSubarray(Object.keys(onBytes)),
        fc.option(fc.tuple(fc.shuffledSubarray(Object.keys(onEvents)), fc.boolean())),
        fc.array(fc.array(payload, { minLength: 1, maxLength: 8 }), { maxLength: 4 }),
        fc.boolean(),
        (before, behind, deliveries, ends) => {
          const make = (): AnyOperator[] => [
            ...before.map((name) => onBytes[name]!()),
            ...(behind ? [decode(enriched) as AnyOperator, ...behind[0].map((name) => onEvents[name]!())] : []),
            ...(behind?.[1] ? [minuteWindow({ scheduler: new VirtualTimeScheduler() }) as AnyOperator] : []),
          ];
          const fused = fuse(make());
          if (fused.length < make().length) fusedSome++;
          expect(fused.reduce((sum, { count }) => sum + count, 0)).toBe(make().length);
          const operators = fused.map(({ operator }) => operator);
          expect(seen(operators, deliveries, ends)).toEqual(seen(make(), deliveries, ends));
        },
      ),
      { numRuns: 500 },
    );
    expect(fusedSome).toBeGreaterThan(200);
  });

  it('leaves operators alone that it does not know, and joins those on both sides of them', () => {
    const counts = (...operators: AnyOperator[]): number[] => fuse(operators).map(({ count }) => count);
    const [strip, third, odd, same] = [onBytes['strip']!, dropThird, onEvents['odd']!, onEvents['same']!];
    expect(counts()).toEqual([]);
    expect(counts(third())).toEqual([1]);
    expect(counts(strip(), third(), odd(), odd(), same())).toEqual([1, 1, 2, 1]);
    expect(counts(odd(), odd(), minuteWindow() as AnyOperator, same())).toEqual([3, 1]);
    expect(counts(same(), minuteWindow() as AnyOperator)).toEqual([1, 1]);
    expect(counts(stripCheckpoints({ of: 'text' }) as AnyOperator, odd())).toEqual([1, 1]);
  });
});
