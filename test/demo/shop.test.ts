import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shopLabels } from '../../pipelines/labels.ts';
import { type ShopOptions, type ShopRecord, type Truth, shop } from '../../src/demo/shop.ts';
import { Malformed } from '../../src/operators/decode.ts';
import { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import { fields } from '../../src/snowplow/fields/fields.ts';
import { label } from '../../src/snowplow/label.ts';
import { parsed } from '../snowplow/line.ts';

const check = label(shopLabels);

function take(count: number, options?: ShopOptions): ShopRecord[] {
  const records: ShopRecord[] = [];
  for (const record of shop(options)) if (records.push(record) === count) break;
  return records;
}

const some = take(20_000);
const those = (...truths: Truth[]): ShopRecord[] => some.filter(({ truth }) => truths.includes(truth));
const textOf = ({ data }: ShopRecord): string => Buffer.from(data).toString('latin1');

describe('the traffic of the shop', () => {
  it('has events of 131 columns, each of whose fields is what its type says and fits its column', () => {
    const tooLong: string[] = [];
    for (const { data, eventId } of those('event', 'repeat', 'broken-label').slice(0, 5000)) {
      const event = parsed(data);
      expect([event.layout.columns, event.event_id]).toEqual([131, eventId]);
      expect(event.toJSON()).toHaveProperty('event_fingerprint');
      for (const { name, column } of fields)
        if ('length' in column && event.text(name).length > column.length) tooLong.push(event.text(name));
    }
    expect(tooLong).toEqual([]);
  });

  it('has good events whose labels the schemas accept', () => {
    for (const { data } of those('event', 'repeat')) expect(check(parsed(data))).toBeUndefined();
  });

  it('has broken labels that the schemas refuse, as JSON or by their type', () => {
    const codes = new Set(those('broken-label').map(({ data }) => check(parsed(data))?.code));
    expect(codes).toEqual(new Set(['invalid_json', 'invalid_type']));
  });

  it('has labels cut at 255 characters', () => {
    expect(those('broken-label').some(({ data }) => parsed(data).se_label?.length === 255)).toBe(true);
  });

  it('has malformed records, of no known number of columns', () => {
    expect(those('malformed').length).toBeGreaterThan(0);
    for (const { data } of those('malformed')) {
      expect(EnrichedEvent.parse(data)).toBeInstanceOf(Malformed);
      expect(EnrichedEvent.parse(data)).toMatchObject({ code: 'column_count' });
    }
  });

  it('has good events with one line of the log in front, inside or behind, with its newline or without', () => {
    const noise = /\[pool-\d-thread-\d\] INFO [\w.]+\.KinesisSource - Checkpointing shard shardId-\d{12}\n?/g;
    const places = new Set<string>();
    for (const record of those('noise')) {
      const [found, ...others] = [...textOf(record).matchAll(noise)];
      expect(others).toHaveLength(0);
      const end = found!.index + found![0].length;
      places.add(found!.index === 0 ? 'in front' : end === record.data.length ? 'behind' : 'inside');
      places.add(found![0].endsWith('\n') ? 'newline' : 'no newline');
      const event = parsed(Buffer.from(textOf(record).replace(noise, ''), 'latin1'));
      expect(event.event_id).toBe(record.eventId);
      expect(check(event)).toBeUndefined();
    }
    expect([...places].toSorted()).toEqual(['behind', 'in front', 'inside', 'newline', 'no newline']);
  });

  it('repeats events a few seconds later, under their event_id and key, as they were or sent again', () => {
    const events = new Map(those('event').map((record) => [record.eventId, record]));
    const kinds = new Set<string>();
    for (const repeat of those('repeat')) {
      const event = events.get(repeat.eventId)!;
      expect(repeat.partitionKey).toBe(event.partitionKey);
      expect(repeat.number - event.number).toBeGreaterThan(0);
      expect(repeat.number - event.number).toBeLessThan(1000);
      if (Buffer.from(repeat.data).equals(event.data)) kinds.add('as it was');
      else {
        kinds.add('sent again');
        const [first, second] = [parsed(event.data), parsed(repeat.data)];
        expect(second.collector_tstamp.getTime()).toBeGreaterThan(first.collector_tstamp.getTime());
        expect([second.event_fingerprint, second.se_label]).toEqual([first.event_fingerprint, first.se_label]);
      }
    }
    expect([...kinds].toSorted()).toEqual(['as it was', 'sent again']);
  });

  it('uses no event_id twice but in a repeat', () => {
    const ids = some.filter(({ truth }) => truth !== 'repeat').map(({ eventId }) => eventId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('tells what a shop wants to know: views, carts, searches, orders with their items, page pings', () => {
    const events = those('event').map(({ data }) => parsed(data));
    const kinds = new Set(
      events.map(({ event, se_category, se_action }) => [event, se_category, se_action].filter(Boolean).join(' ')),
    );
    expect([...kinds].toSorted()).toEqual([
      'page_ping',
      'page_view',
      'struct button press',
      'struct cart add',
      'struct cart remove',
      'struct product view',
      'struct recommendation click',
      'struct search results',
      'transaction',
      'transaction_item',
      'unstruct',
    ]);
    const orders = new Set(events.map(({ tr_orderid }) => tr_orderid));
    const items = events.filter(({ event }) => event === 'transaction_item');
    // An order may itself have become noise, or stand in the episode before.
    expect(items.filter(({ ti_orderid }) => orders.has(ti_orderid)).length / items.length).toBeGreaterThan(0.9);
  });

  it('has labels with quotes, backslashes and letters of many alphabets', () => {
    const labels = those('event').map(({ data }) => parsed(data).se_label ?? '');
    for (const awkward of ['\\"', '\\\\', 'ü', '木', 'й', '🐦']) expect(labels.some((text) => text.includes(awkward))).toBe(true);
  });

  it('has the size of real events', () => {
    const mean = some.reduce((sum, { data }) => sum + data.length, 0) / some.length;
    expect(mean).toBeGreaterThan(1100);
    expect(mean).toBeLessThan(1400);
  });

  it('keeps the shares it is given', () => {
    const shares = { repeat: 0.05, 'broken-label': 0.03, malformed: 0.01, noise: 0.04 };
    const records = take(20_000, { shares });
    for (const [truth, share] of Object.entries(shares)) {
      const got = records.filter((record) => record.truth === truth).length / records.length;
      expect(got).toBeGreaterThan(share * 0.7);
      expect(got).toBeLessThan(share * 1.3);
    }
    const clean = take(5000, { shares: { repeat: 0, 'broken-label': 0, malformed: 0, noise: 0 } });
    expect(clean.every(({ truth }) => truth === 'event')).toBe(true);
  });

  it('goes on at any number as if it had never stopped', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 19_900 }), (from) => {
        expect(take(100, { from })).toEqual(some.slice(from, from + 100));
      }),
      { numRuns: 10 },
    );
  });

  it('is the same for the same seed, and another for another', () => {
    expect(take(100)).toEqual(some.slice(0, 100));
    const others = new Set(take(2000, { seed: 2 }).map(({ eventId }) => eventId));
    expect(some.some(({ eventId }) => others.has(eventId))).toBe(false);
  });

  it('takes its times from whoever runs it', () => {
    const [record] = take(1, { timeOf: () => Date.UTC(2030, 0, 1) + 0.75, shares: { noise: 0, malformed: 0 } });
    expect(parsed(record!.data).collector_tstamp).toEqual(new Date('2030-01-01T00:00:00Z'));
  });
});
