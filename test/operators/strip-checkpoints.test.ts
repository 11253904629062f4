import fc from 'fast-check';
import { EMPTY, NEVER, Subject, from, throwError } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Event, Reject } from '../../src/event.ts';
import { Ledger, Outcome } from '../../src/ledger.ts';
import { stepOf } from '../../src/operators/named.ts';
import { type StripCheckpointsOptions, stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import { type Sample, deliver } from '../../src/testing/deliver.ts';
import { printNoisily } from '../support/noise.ts';
import { lineOf } from '../snowplow/line.ts';

const line = (title: string): string => lineOf({ app_id: 'shop', page_title: title }).toString();
const [a, b, c] = [line('Größe'), line('[Sale]'), line('ショッピング')] as const;
const log =
  '[pool-1-thread-1] INFO com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource - Checkpointing shard shardId-000000000000';
const dropped = 'stripCheckpoints';

const decoded = (payload: string): EnrichedEvent | undefined => {
  const event = EnrichedEvent.parse(Buffer.from(payload));
  return event instanceof EnrichedEvent ? event : undefined;
};
const text = (event: Event<Uint8Array>): string => Buffer.from(event.data).toString();
const place = ({ position: { sequence, subSequence } }: Event<unknown>): string => `${sequence}:${subSequence}`;

/** Sends deliveries through the operator as a source would; a sink stores what comes out. */
function run(deliveries: readonly (readonly (string | Sample)[])[], options?: StripCheckpointsOptions) {
  const ledger = new Ledger();
  const out: Event<Uint8Array>[] = [];
  const rejects: Reject[] = [];
  ledger.onReject((reject) => {
    rejects.push(reject);
    reject.mark(Outcome.rejected);
    reject.release();
  });
  const source = new Subject<Event<Uint8Array>>();
  const errors: unknown[] = [];
  source.pipe(stripCheckpoints(options)).subscribe({
    next(event) {
      expect(event.isSettled).toBe(false);
      event.mark(Outcome.stored);
      out.push(event);
    },
    error: (error: unknown) => errors.push(error),
  });
  let sequence = 1;
  const made = deliveries.map((samples) => {
    const numbered = samples.map((sample) => ({
      ...(typeof sample === 'string' ? { raw: sample } : sample),
      sequence: sequence++,
    }));
    const { delivery, events } = deliver(numbered, ledger);
    for (const event of events) source.next(event);
    delivery.letGo();
    return { delivery, events };
  });
  return {
    ledger,
    out,
    rejects,
    errors,
    made,
    complete: () => source.complete(),
    fail: () => source.error(new Error('no')),
    source,
  };
}

describe('stripCheckpoints', () => {
  it('passes payloads without noise as the same objects', () => {
    const { records } = printNoisily({ enricher: '0.2.0', shards: 1, records: 10_000, sizeBytes: 1200, columns: 131 });
    const { out, made } = run([records.map((raw) => ({ raw }))]);
    expect(out).toHaveLength(10_000);
    expect(out.every((event, i) => event === made[0]!.events[i])).toBe(true);
  });

  it('cleans a payload, wherever the noise stands', () => {
    const at = a.indexOf('\t\t\t');
    const payloads = [
      `${a}${log}`,
      `${a}${log}\n`,
      `${a}\n${log}\n`,
      `${log}${a}`,
      `${log}\n${a}\n`,
      `${a.slice(0, at)}${log}${a.slice(at)}`,
      `${a.slice(0, at)}${log}\n${a.slice(at)}`,
      `${a}\n`,
    ];
    const { out, made, ledger } = run([payloads]);
    expect(out.map(text)).toEqual(payloads.map(() => a));
    expect(out.map(({ origin }) => origin)).toEqual(made[0]!.events.map(({ origin }) => origin));
    expect(ledger.counts()).toMatchObject({ read: 8, stored: 8, inFlight: 0 });
  });

  it('restores a record into which a log line was printed at any byte', () => {
    const bytes = Buffer.from(a);
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.boolean(), (at, hasNewline) => {
        const raw = Buffer.concat([bytes.subarray(0, at), Buffer.from(hasNewline ? `${log}\n` : log), bytes.subarray(at)]);
        expect(run([[{ raw }]]).out.map(text)).toEqual([a]);
      }),
    );
  });

  it('drops payloads that are nothing but noise', () => {
    const { out, ledger } = run([[log, `${log}\n`, '', 'Checkpointing shard shardId-000000000000', `${log}\n\n${log}`]]);
    expect(out).toEqual([]);
    expect(ledger.counts()).toMatchObject({ read: 5, dropped: { [dropped]: 5 }, inFlight: 0 });
  });

  it('makes an event of each record of a payload, all of one position', () => {
    const { out, ledger } = run([[`${a}\n${b}${log}\n\n${c}`, b]]);
    expect(out.map(text)).toEqual([a, b, c, b]);
    expect(out.map(place)).toEqual(['1:0', '1:0', '1:0', '2:0']);
    expect(ledger.counts()).toMatchObject({ read: 2, stored: 2, inFlight: 0 });
  });

  it('makes a payload one reject when any of it is a bad row or not explained, however many pieces', () => {
    const unknown = `${log.split(' - ')[0]} - Hello`;
    const inTwo = `${a.slice(0, 90)}${unknown}\n${a.slice(90)}`;
    const { out, rejects, ledger } = run([['{"line":"AA==","errors":[]}', `${a}\n${unknown}\n`, `${a}${unknown}`, inTwo]]);
    expect(out).toEqual([]);
    expect(rejects.map(({ event, why }) => [why.step, why.code, text(event as Event<Uint8Array>)])).toEqual([
      [dropped, 'bad_row', '{"line":"AA==","errors":[]}'],
      [dropped, 'unexplained', `${a}\n${unknown}\n`],
      [dropped, 'unexplained', `${a}${unknown}`],
      [dropped, 'unexplained', inTwo],
    ]);
    expect(ledger.counts()).toMatchObject({ read: 4, stored: 0, rejected: 4, inFlight: 0 });
  });

  it('sees noise that is no log line at either end of a payload', () => {
    const block = 'Nov 26, 2014 5:38:00 PM com.amazonaws.services.kinesis.clientlibrary.lib.worker.Worker info';
    const [bad, thrown] = ['{"line":"AA==","errors":[]}', 'com.amazonaws.AmazonServiceException: no'];
    const { out, rejects } = run([[a + bad, bad + a, a + block, thrown + a, `java.lang.NullPointerException${a}`, a + thrown]]);
    expect(rejects.map(({ why }) => why.code)).toEqual(['bad_row', 'bad_row', 'unexplained', 'ambiguous', 'ambiguous']);
    expect(out.map(text)).toEqual([a]);
    // Inside, where a write of the record ended.
    const long = lineOf({ app_id: 'shop', contexts: 'x'.repeat(20_000) }).toString();
    for (const at of [4096, 16_384])
      expect(run([[long.slice(0, at) + bad + long.slice(at)]]).rejects.map(({ why }) => why.code)).toEqual(['bad_row']);
  });

  it('leaves it to others to judge a payload without noise', () => {
    const odd = [
      'no columns',
      'a\tb',
      `${a}\t`,
      a.slice(0, 100),
      line('Checkpointing shard'),
      lineOf({ app_id: 'My Shop [de]', true_tstamp: 'soon' }).toString(),
      line('] INFO com.snowplowanalytics.snowplow.enrich.'),
    ];
    expect(run([odd]).out.map(text)).toEqual(odd);
    expect(run([['a\tb\n']]).out.map(text)).toEqual(['a\tb']);
  });

  it('takes a newline with a carriage return off together, whatever else is in the payload', () => {
    const named = line('KinesisStream');
    const windows = [`${a}\r\n`, 'a\tb\r\n', `${named}\r\n`, `${log}\n${a}\r\n`];
    const { out, rejects } = run([windows]);
    expect(rejects).toEqual([]);
    expect(out.map(text)).toEqual([a, 'a\tb', named, a]);
    expect(decoded(`${named}\r\n`)?.bytes.toString()).toBe(named);
  });

  it('is never, empty, or an error, when its source is', () => {
    for (const of of ['payload', 'text'] as const) {
      const seen: unknown[] = [];
      const observer = {
        next: () => seen.push('next'),
        complete: () => seen.push('complete'),
        error: (e: unknown) => seen.push(e),
      };
      NEVER.pipe(stripCheckpoints({ of })).subscribe(observer);
      EMPTY.pipe(stripCheckpoints({ of })).subscribe(observer);
      throwError(() => 'failed')
        .pipe(stripCheckpoints({ of }))
        .subscribe(observer);
      expect(seen).toEqual(['complete', 'failed']);
    }
  });

  it('has its name for graphs, and refuses a limit that is none', () => {
    expect(stepOf(stripCheckpoints())).toMatchObject({ name: 'stripCheckpoints', detail: '' });
    expect(stepOf(stripCheckpoints({ of: 'text' }))).toMatchObject({ name: 'stripCheckpoints', detail: 'text' });
    expect(() => stripCheckpoints({ maxPendingBytes: -1 })).toThrow(RangeError);
    expectTypeOf(stripCheckpoints()).parameter(0).toExtend<object>();
  });
});

describe('stripCheckpoints of a text', () => {
  const of = 'text';
  const half = a.indexOf('\t\t\t') + 1;
  const [a1, a2] = [a.slice(0, half), a.slice(half)];

  it('makes events of lines and of blocks, with positions that grow', () => {
    const { out, ledger, complete } = run([[`${a}\n`, `${log}\n`, `${b}\n${c}\n${a}\n`], [`${b}\n`]], { of });
    expect(out.map(text)).toEqual([a, b, c, a, b]);
    expect(out.map(place)).toEqual(['1:0', '3:0', '3:1', '3:2', '4:0']);
    expect(out.every(({ data, origin }) => origin.raw === data)).toBe(true);
    complete();
    expect(ledger.counts()).toMatchObject({ read: 4, stored: 3, dropped: { [dropped]: 1 }, inFlight: 0 });
  });

  it('joins a record that spans deliveries; it is of the last, and the first stays in flight until the last is settled', () => {
    const ledger = new Ledger();
    const out: Event<Uint8Array>[] = [];
    const source = new Subject<Event<Uint8Array>>();
    source.pipe(stripCheckpoints({ of })).subscribe((event) => {
      event.hold();
      out.push(event);
    });
    const [first, middle, last] = [`${b}\n${a1.slice(0, 9)}`, a1.slice(9), `${a2}\n`].map((raw, i) => {
      const { delivery, events } = deliver([{ raw, sequence: i + 1 }], ledger);
      source.next(events[0]!);
      delivery.letGo();
      return delivery;
    });
    expect(out.map(text)).toEqual([b, a]);
    expect(out.map(place)).toEqual(['1:0', '3:0']);
    expect(out[1]!.delivery).toBe(last);
    out[0]!.release();
    expect([first!.isSettled, middle!.isSettled, last!.isSettled]).toEqual([false, true, false]);
    expect(ledger.checkpoint('shard-1')).toBeUndefined();
    out[1]!.release();
    expect([first!.isSettled, last!.isSettled]).toEqual([true, true]);
    expect(ledger.checkpoint('shard-1')?.sequence).toBe('3');
  });

  it('takes a log line out of a record that spans events', () => {
    const { out, ledger, complete } = run([[`${a1}${log}\n`], [`${a2}\n`], ['\n', `${b}\n`]], { of });
    complete();
    expect(out.map(text)).toEqual([a, b]);
    expect(ledger.counts()).toMatchObject({ read: 4, stored: 2, dropped: { [dropped]: 2 }, inFlight: 0 });
  });

  it('takes lines as a terminal has them, with a carriage return before each newline', () => {
    const printed = [a, log, `${b.slice(0, 9)}${log}`, b.slice(9), c].map((each) => `${each}\r\n`);
    const { out, rejects, complete } = run([printed], { of: 'text' });
    complete();
    expect(rejects).toEqual([]);
    expect(out.map(text)).toEqual([a, b, c]);
    expect(out.map(place)).toEqual(['1:0', '4:0', '5:0']);
  });

  it('keeps the texts of shards apart', () => {
    const shards = [
      ['one', a1],
      ['two', `${b.slice(0, 50)}`],
      ['one', `${a2}\n`],
      ['two', `${b.slice(50)}\n`],
    ] as const;
    const { out } = run(
      shards.map(([shard, raw]) => [{ shard, raw }]),
      { of },
    );
    expect(out.map((event) => [event.shard, text(event)])).toEqual([
      ['one', a],
      ['two', b],
    ]);
  });

  it('holds what it keeps, and gives it out on completion: a record where the columns are right, else a reject', () => {
    for (const [rest, records, codes] of [
      [b, [a, b], []],
      [`${b}${log}`, [a, b], []],
      [a1, [a], ['torn']],
    ] as const) {
      const { out, rejects, ledger, complete } = run([[`${a}\n`], [rest]], { of });
      expect(out.map(text)).toEqual([a]);
      expect(ledger.counts()).toMatchObject({ read: 2, stored: 1, inFlight: 1 });
      complete();
      expect(out.map(text)).toEqual(records);
      expect(rejects.map(({ why }) => why.code)).toEqual(codes);
      expect(ledger.counts()).toMatchObject({ stored: records.length, rejected: codes.length, inFlight: 0 });
    }
  });

  it('rejects what is left of a record where a run resumes behind its first part, be it a newline', () => {
    for (const rest of [a2, a.slice(-1), '']) {
      const { out, rejects, ledger } = run([[`${rest}\n${b}\n`], [`what?\n${c}\n`]], { of });
      expect(out.map(text), rest).toEqual([b, c]);
      expect(rejects.map(({ event, why }) => [why.code, text(event as Event<Uint8Array>)])).toEqual([
        ['torn', rest || '\n'],
        ['unexplained', 'what?'],
      ]);
      expect(rejects[0]!.why.reason).toBe('the text begins inside a record, it seems: the run before had its first part');
      expect(ledger.counts()).toMatchObject({ read: 2, rejected: 2, inFlight: 0 });
    }
  });

  it('leaves what it keeps unsettled on an error or unsubscribe', () => {
    const { fail, errors, ledger, source } = run([[`${a}\n`, a1]], { of });
    fail();
    expect(errors).toHaveLength(1);
    expect(source.observed).toBe(false);
    expect(ledger.counts().inFlight).toBe(2);

    const { events, delivery } = deliver([a1]);
    const early = new Subject<Event<Uint8Array>>();
    const subscription = early.pipe(stripCheckpoints({ of })).subscribe();
    early.next(events[0]!);
    delivery.letGo();
    subscription.unsubscribe();
    expect(early.observed).toBe(false);
    expect(delivery.isSettled).toBe(false);
  });

  it('rejects what is longer than its limit, across events', () => {
    const { rejects, out, ledger, complete } = run([['x'.repeat(1500)], ['x'.repeat(1500), `\n${a}\n`]], {
      of,
      maxPendingBytes: 1000,
    });
    complete();
    expect(out.map(text)).toEqual([a]);
    expect(rejects.map(({ why, event }) => [why.code, place(event), event.sizeBytes])).toEqual([
      ['overlong', '1:0', 1000],
      ['overlong', '2:0', 1000],
      ['overlong', '2:1', 1000],
    ]);
    expect(ledger.counts()).toMatchObject({ read: 3, stored: 1, rejected: 2, inFlight: 0 });
  });

  it('has a state of its own for each subscription', () => {
    const operator = stripCheckpoints({ of });
    const seen: string[] = [];
    const subscribe = (raw: string): void =>
      void from(deliver([raw]).events)
        .pipe(operator)
        .subscribe((event) => seen.push(text(event)));
    subscribe(a1);
    subscribe(`${b}\n`);
    expect(seen).toEqual([b]);
  });

  it('loses no event and breaks no order, however the text is cut into events and deliveries', () => {
    const printed = printNoisily({
      seed: 9,
      enricher: '0.2.0',
      shards: 4,
      records: 40,
      sizeBytes: 900,
      columns: 131,
      perMille: 50,
    });
    fc.assert(
      fc.property(
        fc.array(fc.nat(printed.text.length), { maxLength: 80 }),
        fc.integer({ min: 1, max: 7 }),
        (cuts, perDelivery) => {
          const ends = [...cuts.sort((x, y) => x - y), printed.text.length];
          const pieces = ends.map((end, i) => ({ raw: printed.text.subarray(ends[i - 1] ?? 0, end) }));
          const deliveries: { raw: Buffer }[][] = [];
          for (let i = 0; i < pieces.length; i += perDelivery) deliveries.push(pieces.slice(i, i + perDelivery));
          const { out, rejects, ledger, complete } = run(deliveries, { of });
          complete();
          const whole = run([[{ raw: printed.text }]], { of });
          whole.complete();
          expect(out.map(text)).toEqual(whole.out.map(text));
          expect(rejects).toHaveLength(whole.rejects.length);
          const places = out.map(({ position }) => Number(position.sequence) * 1000 + position.subSequence);
          expect(places.every((at, i) => i === 0 || at > places[i - 1]!)).toBe(true);
          expect(ledger.counts()).toMatchObject({ read: pieces.length, inFlight: 0 });
          expect(ledger.checkpoint('shard-1')?.sequence).toBe(String(pieces.length));
        },
      ),
      { numRuns: 40 },
    );
  }, 30_000);
});

describe('stripCheckpoints of a shard that was read to its end', () => {
  it('gives out what waits for the rest of its line, of that shard alone', () => {
    const ledger = new Ledger();
    const source = new Subject<Event<Uint8Array>>();
    const out: string[] = [];
    source.pipe(stripCheckpoints({ of: 'text' })).subscribe((event) => out.push(`${event.shard} ${text(event)}`));
    const [one, two] = ['one', 'two'].map((shard) => deliver([{ raw: a, shard }], ledger));
    for (const { delivery, events } of [one!, two!]) {
      for (const event of events) source.next(event);
      delivery.letGo();
    }
    expect(out).toEqual([]);
    ledger.endShard('one');
    expect(out).toEqual([`one ${a}`]);
    expect([one, two].map((each) => each!.delivery.isSettled)).toEqual([true, false]);
    source.complete();
    expect(out).toEqual([`one ${a}`, `two ${a}`]);
    expect(two!.delivery.isSettled).toBe(true);
  });
});
