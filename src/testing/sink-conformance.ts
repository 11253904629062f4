import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FencedError } from '../errors.ts';
import { type Event, type Item, Reject } from '../event.ts';
import { type Resume, formatResume } from '../position.ts';
import type { OpenSink, Refusal, Sink } from '../sinks/sink.ts';
import { deliver } from './deliver.ts';

/** One empty store, and the sink over it. Made anew for every test. */
export interface SinkFixture<T extends Item> {
  /** Declares the sink over the store, as each run does. Called several times a test; a name other than the usual one for a sink beside it. */
  readonly declare: (name?: string) => Sink<T>;
  /** Makes of the events of one shard, in order, what the sink takes. */
  readonly items: (events: readonly Event<Uint8Array>[]) => readonly T[];
  /** The bytes, as text, of every event that the store holds (rejects apart), in any order: asked of the store, not of the sink. */
  readonly stored: () => Promise<readonly string[]>;
  /** Lines that the store refuses, if it can refuse any. */
  readonly refuses?: readonly (string | Uint8Array)[];
  /** Ends the store, after the test closed its sinks. */
  readonly close: () => Promise<void>;
}

// Nothing here has a tab, a newline or no bytes at all: those belong to a format, and each sink's own tests.
const awkward = [
  '\\"',
  '\\',
  '\\.',
  '\\N',
  '\\t',
  '"',
  "'",
  'a"b',
  'carriage\rreturn',
  ' spaces ',
  'ünïcödé 🛒',
  '{"a":"\\"b\\""}',
];
// As long as Kinesis makes them; a double would round it.
const longSequence = '49590338271490256608559692538361571095921575989136588898';

/** The contract of `Sink`: one suite for every sink. */
export function sinkConformance<T extends Item>(name: string, setUp: () => Promise<SinkFixture<T>>): void {
  describe(`${name} keeps the contract of a sink`, () => {
    let fixture: SinkFixture<T>;
    const opened: OpenSink<T>[] = [];

    beforeEach(async () => {
      fixture = await setUp();
    });

    afterEach(async () => {
      for (const sink of opened.splice(0)) await sink.close();
      await fixture.close();
    });

    async function open(sinkName?: string, pipeline = 'conformance'): Promise<OpenSink<T>> {
      const sink = await fixture.declare(sinkName).open({ pipeline, report: () => {} });
      opened.push(sink);
      return sink;
    }

    /** Events of one shard; the text of each is `shard/sequence`. */
    function events(shard: string, from: number, count: number): Event<Uint8Array>[] {
      const samples = Array.from({ length: count }, (_, i) => ({ shard, sequence: from + i, raw: `${shard}/${from + i}` }));
      return deliver(samples).events;
    }

    /** A batch of events as the run hands it over: items, and each shard's last position. */
    function batch(...shards: Event<Uint8Array>[][]): { items: T[]; positions: Map<string, Resume> } {
      return {
        items: shards.flatMap((shard) => fixture.items(shard)),
        positions: new Map(shards.map((shard) => [shard[0]!.shard, shard.at(-1)!.position])),
      };
    }

    const at = (sequence: number, shard = 'a') => ({ shard, sequence: String(sequence), subSequence: 0 });
    const sorted = async () => [...(await fixture.stored())].sort();

    test('stands nowhere in a shard it never had', async () => {
      const sink = await open();
      expect(await sink.acquire('a')).toBeUndefined();
      expect(await sink.positions(['a'])).toEqual(new Map());
      expect(await fixture.stored()).toEqual([]);
    });

    test('stores items and the position of their shard', async () => {
      const sink = await open();
      await sink.acquire('a');
      const refused: Refusal[] = [];
      await sink.commit(batch(events('a', 1, 3)), refused);
      expect(refused).toEqual([]);
      expect(await sorted()).toEqual(['a/1', 'a/2', 'a/3']);
      expect(await sink.positions(['a'])).toEqual(new Map([['a', at(3)]]));
    });

    test('goes on from batch to batch', async () => {
      const sink = await open();
      await sink.acquire('a');
      await sink.commit(batch(events('a', 1, 2)), []);
      await sink.commit(batch(events('a', 3, 2)), []);
      expect(await sorted()).toEqual(['a/1', 'a/2', 'a/3', 'a/4']);
      expect(await sink.positions(['a'])).toEqual(new Map([['a', at(4)]]));
    });

    test('stores several items of several shards in one batch', async () => {
      const sink = await open();
      await sink.acquire('a');
      await sink.acquire('b');
      const { items, positions } = batch(events('a', 1, 2), events('b', 7, 1));
      await sink.commit({ items: [...items, ...fixture.items(events('a', 3, 1))], positions: positions.set('a', at(3)) }, []);
      expect(await sorted()).toEqual(['a/1', 'a/2', 'a/3', 'b/7']);
      expect(await sink.positions(['a', 'b'])).toEqual(
        new Map([
          ['a', at(3)],
          ['b', at(7, 'b')],
        ]),
      );
    });

    test('moves the position of a shard that has no items', async () => {
      const sink = await open();
      await sink.acquire('a');
      await sink.acquire('b');
      const { items, positions } = batch(events('a', 1, 1));
      await sink.commit({ items, positions: positions.set('b', at(9, 'b')) }, []);
      await sink.commit({ items: [], positions: new Map([['b', at(12, 'b')]]) }, []);
      expect(await sorted()).toEqual(['a/1']);
      expect(await sink.positions(['b'])).toEqual(new Map([['b', at(12, 'b')]]));
    });

    test('tells that a shard was quiet, beside items of another one', async () => {
      const sink = await open();
      await sink.acquire('a');
      await sink.acquire('b');
      await sink.commit(batch(events('b', 9, 1)), []);
      const quiet = { ...at(9, 'b'), quietUntilMs: 7 };
      const { items, positions } = batch(events('a', 1, 1));
      await sink.commit({ items, positions: positions.set('b', quiet) }, []);
      expect(await sorted()).toEqual(['a/1', 'b/9']);
      expect(await sink.positions(['b'])).toEqual(new Map([['b', quiet]]));
    });

    test.each<[string, Resume]>([
      ['a sequence number of 56 digits inside an aggregate', { shard: 'a', sequence: longSequence, subSequence: 4711 }],
      ['a position behind which nothing came', { shard: 'a', sequence: longSequence, subSequence: 0, quietUntilMs: 7 }],
      ['an arrival time', new Date(Date.UTC(2026, 10, 22, 9, 0, 0, 7))],
      ['the oldest record that is kept', 'TRIM_HORIZON'],
      ['the end of the shard', 'SHARD_END'],
    ])('gives back %s as it was given', async (_, position) => {
      const sink = await open();
      await sink.acquire('a');
      await sink.commit({ items: [], positions: new Map([['a', position]]) }, []);
      expect(formatResume((await sink.positions(['a'])).get('a')!)).toBe(formatResume(position));
      await sink.close();
      expect(formatResume((await (await open()).acquire('a'))!)).toBe(formatResume(position));
    });

    test('tells a later run where it stood', async () => {
      const first = await open();
      await first.acquire('a');
      await first.commit(batch(events('a', 1, 3)), []);
      await first.close();
      const second = await open();
      expect(await second.acquire('a')).toEqual(at(3));
      await second.commit(batch(events('a', 4, 1)), []);
      expect(await sorted()).toEqual(['a/1', 'a/2', 'a/3', 'a/4']);
    });

    test('keeps the positions of each sink and each pipeline apart', async () => {
      const sink = await open();
      await sink.acquire('a');
      await sink.commit(batch(events('a', 1, 3)), []);
      expect(await (await open('beside')).acquire('a')).toBeUndefined();
      expect(await (await open(undefined, 'another')).acquire('a')).toBeUndefined();
      expect(await sink.positions(['a'])).toEqual(new Map([['a', at(3)]]));
    });

    test('says where it stands in all shards, and with which epoch, to whoever is no owner, if it can be asked', async () => {
      const declared = fixture.declare();
      if (!declared.stands) return;
      await (await open()).acquire('a');
      const sink = await open();
      for (const shard of ['a', 'b', 'c/d e']) await sink.acquire(shard);
      await sink.commit(batch(events('a', 1, 3), events('c/d e', 7, 1)), []);
      const told = await declared.stands('conformance');
      expect(new Map(told.map(({ shard, resume }) => [shard, resume && formatResume(resume)]))).toEqual(
        new Map([
          ['a', '3:0'],
          ['b', undefined],
          ['c/d e', '7:0'],
        ]),
      );
      const epochOf = new Map(told.map(({ shard, epoch }) => [shard, epoch]));
      expect(epochOf.get('a')! - epochOf.get('b')!).toBe(1);
      expect(await declared.stands('another')).toEqual([]);
      // Who asks takes nothing over.
      await sink.commit(batch(events('a', 4, 1)), []);
      expect(await sink.positions(['a'])).toEqual(new Map([['a', at(4)]]));
    });

    test('refuses an owner that a newer run has replaced, and stores nothing of it', async () => {
      const older = await open();
      await older.acquire('a');
      await older.commit(batch(events('a', 1, 1)), []);
      const newer = await open();
      expect(await newer.acquire('a')).toEqual(at(1));

      await expect(older.commit(batch(events('a', 2, 1)), [])).rejects.toThrow(FencedError);
      await expect(older.positions(['a'])).rejects.toThrow(FencedError);
      expect(await sorted()).toEqual(['a/1']);

      await newer.commit(batch(events('a', 2, 2)), []);
      await expect(older.commit(batch(events('a', 4, 1)), [])).rejects.toThrow(FencedError);
      expect(await sorted()).toEqual(['a/1', 'a/2', 'a/3']);
      expect(await newer.positions(['a'])).toEqual(new Map([['a', at(3)]]));
    });

    test('leaves the shards it keeps to an owner that lost another one', async () => {
      const older = await open();
      await older.acquire('a');
      await older.acquire('b');
      const newer = await open();
      await newer.acquire('b');
      await expect(older.commit(batch(events('b', 1, 1)), [])).rejects.toThrow(FencedError);
      await older.commit(batch(events('a', 1, 1)), []);
      await newer.commit(batch(events('b', 1, 1)), []);
      expect(await sorted()).toEqual(['a/1', 'b/1']);
    });

    test('lets one of many win who take a shard over at once', async () => {
      const sinks = await Promise.all(Array.from({ length: 5 }, () => open()));
      await Promise.all(sinks.map((sink) => sink.acquire('a')));
      const tries = await Promise.allSettled(sinks.map((sink) => sink.commit(batch(events('a', 1, 2)), [])));
      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const one of tries) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(FencedError);
      expect(await sorted()).toEqual(['a/1', 'a/2']);
    });

    test('stores each of the events that a step made of one record', async () => {
      const sink = await open();
      await sink.acquire('a');
      const [first, second] = events('a', 1, 2) as [Event<Uint8Array>, Event<Uint8Array>];
      // Of a record of which several events are rejected, its bytes are kept.
      if (fixture.items([first])[0] instanceof Reject) return;
      await sink.commit(batch([first, first.with(Buffer.from('more of 1')), second, second.with(Buffer.from('more of 2'))]), []);
      expect(await sorted()).toEqual(['a/1', 'a/2', 'more of 1', 'more of 2']);
      expect(await sink.positions(['a'])).toEqual(new Map([['a', at(2)]]));
    });

    // A file of `lines` is a shard.
    test.each(['/var/log/shop 1.log#5f3a9c21', '../logs/caf\u00e9 \u{1f6d2}.log#5f3a9c21'])(
      'takes a shard that is named %s',
      async (shard) => {
        const sink = await open();
        await sink.acquire(shard);
        await sink.commit(batch(deliver(['one', 'two'].map((raw) => ({ shard, raw }))).events), []);
        await sink.close();
        expect(await (await open()).acquire(shard)).toEqual(at(2, shard));
        expect(await sorted()).toEqual(['one', 'two']);
      },
    );

    test('stores the bytes as they came', async () => {
      const sink = await open();
      await sink.acquire('a');
      const { events: odd } = deliver(awkward.map((raw) => ({ shard: 'a', raw })));
      const refused: Refusal[] = [];
      await sink.commit(batch(odd), refused);
      expect(refused).toEqual([]);
      expect(await sorted()).toEqual([...awkward].sort());
    });

    test('reports the events that the store refuses, and stores the rest', async () => {
      const sink = await open();
      await sink.acquire('a');
      await sink.acquire('b');
      const bad = fixture.refuses ?? [];
      // Of the one shard the first event is refused, of the other one the second.
      const samples = bad.flatMap((raw, i) => [{ raw }, { raw: `behind ${i}` }]);
      const { events: a } = deliver([...samples, { raw: 'last' }].map((sample) => ({ shard: 'a', ...sample })));
      const { events: b } = deliver([{ raw: 'first' }, ...samples].map((sample) => ({ shard: 'b', ...sample })));
      // What an earlier try left behind does not count.
      const refused: Refusal[] = [{ event: b[0]!, why: { step: 'earlier', code: 'earlier', reason: 'earlier' } }];
      await sink.commit(batch(b, a), refused);
      const places = refused.map(({ event: { shard, position } }) => `${shard}/${position.sequence}`);
      expect(places.toSorted()).toEqual(bad.flatMap((_, i) => [`a/${2 * i + 1}`, `b/${2 * i + 2}`]).toSorted());
      for (const { why } of refused)
        expect(why).toEqual({ ...why, code: expect.stringMatching(/./), reason: expect.stringMatching(/./) });
      const kept = bad.map((_, i) => `behind ${i}`);
      expect(await sorted()).toEqual(['first', 'last', ...kept, ...kept].sort());
      const stands = [at(a.length), at(b.length, 'b')];
      expect(await sink.positions(['a', 'b'])).toEqual(new Map(stands.map((stand) => [stand.shard, stand])));
    });
  });
}
