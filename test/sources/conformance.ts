import { setImmediate as nextTurn } from 'node:timers/promises';
import { asyncScheduler, tap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { type Position, type Resume, comparePositions } from '../../src/position.ts';
import type { Delivery } from '../../src/delivery.ts';
import { Ledger, Outcome } from '../../src/ledger.ts';
import type { Source } from '../../src/sources/source.ts';
import { type Reading, readSource, textsByShard } from '../support/read-source.ts';

/** A stream that was filled for a test. */
interface FilledStream {
  readonly source: Source<Uint8Array>;
  /** The names of its shards, in the order in which they were filled. */
  readonly shards: readonly string[];
  /** For each batch a time before which it had not arrived, and all batches before it had. */
  readonly times: readonly Date[];
}

/**
 * Makes a stream of several shards, for each of them batches of records, put one batch after the other; a source that reads it
 * at most `recordsPerDelivery` records in one go, and that does not end before it is stopped.
 */
export type FillStream = (
  shards: readonly (readonly (readonly string[])[])[],
  recordsPerDelivery: number,
) => Promise<FilledStream>;

const shards = [
  [
    ['a1', 'a2', 'a3'],
    ['a4', 'a5'],
    ['a6', 'a7', 'a8', 'a9'],
  ],
  [['b1', 'b2'], ['b3', 'b4', 'b5'], ['b6']],
];
const all = shards.map((batches) => batches.flat());
const total = all.flat().length;

/** What the run, and whoever writes a pipeline, may rely on in every source. */
export function sourceConformance(fill: FillStream): void {
  const filled = (recordsPerDelivery = 4): Promise<FilledStream> => fill(shards, recordsPerDelivery);
  const expectAll = (events: readonly Event<Uint8Array>[], { shards: names }: FilledStream): void =>
    expect(textsByShard(events)).toEqual({ [names[0]!]: all[0], [names[1]!]: all[1] });

  describe('reads', () => {
    it('every record of every shard once and in order, and completes after the stop', async () => {
      const stream = await filled();
      const { events, completed, ledger } = readSource(stream.source, { stopAfter: total });
      await completed;
      expectAll(events, stream);
      for (const shard of stream.shards) {
        const own = events.filter((event) => event.shard === shard);
        expect([...own].sort((a, b) => comparePositions(a.position, b.position))).toEqual(own);
        expect(ledger.checkpoint(shard)).toEqual(own.at(-1)!.position);
      }
      await expectNothingReserved(ledger);
    });

    it('each delivery in one go: open before its first event, settled after its last when nobody holds', async () => {
      const stream = await filled();
      const seen: Delivery[] = [];
      const { completed, events } = readSource(stream.source, {
        stopAfter: total,
        onEvent({ delivery, origin, isSettled }) {
          expect(isSettled).toBe(false);
          if (seen.at(-1) !== delivery) {
            expect(seen.at(-1)?.isSettled ?? true).toBe(true);
            expect(seen.includes(delivery)).toBe(false);
            seen.push(delivery);
          }
          expect(origin.index).toBe(events.filter((one) => one.delivery === delivery).length - 1);
        },
      });
      await completed;
      expect(seen.every(({ isSettled }) => isSettled)).toBe(true);
      expect(seen.every(({ count }) => count <= 4)).toBe(true);
      expect(seen.reduce((sum, { count }) => sum + count, 0)).toBe(total);
    });

    it('the bytes of a record as they are, with the time of its arrival', async () => {
      const stream = await filled();
      const { events, completed } = readSource(stream.source, { stopAfter: total });
      await completed;
      const third = events.find(({ data }) => Buffer.from(data).toString() === 'a6')!;
      expect(third.origin.raw).toEqual(third.data);
      expect(third.sizeBytes).toBe(2);
      expect(third.arrivedAtMs).toBeGreaterThanOrEqual(stream.times[2]!.getTime());
    });

    it('on when its stop has come in the middle of a delivery, until that is out', async () => {
      const stream = await filled();
      const { events, completed, ledger } = readSource(stream.source, { stopAfter: 1 });
      await completed;
      expect(events).toHaveLength(events[0]!.delivery.count);
      expect(ledger.counts().read).toBe(events.length);
      await expectNothingReserved(ledger);
    });

    it('nothing when it was stopped before', async () => {
      const { source } = await filled();
      const { events, completed, acquired } = readSource(source, { stopAfter: 0 });
      await completed;
      expect(events).toEqual([]);
      expect(acquired.size).toBe(0);
    });
  });

  describe('begins', () => {
    it('after a position, without a repeat and without a gap', async () => {
      const stream = await filled();
      const first = readSource(stream.source, { stopAfter: total });
      await first.completed;
      const own = first.events.filter(({ shard }) => shard === stream.shards[0]);
      for (const [i, { position }] of own.entries()) {
        const left = total - 1 - i;
        const again = readSource(stream.source, {
          acquire: async (shard, from) => (shard === stream.shards[0] ? position : from),
          stopAfter: left,
        });
        await again.completed;
        expect(again.events).toHaveLength(left);
        expect(textsByShard(again.events)[stream.shards[0]!] ?? []).toEqual(all[0]!.slice(i + 1));
      }
    });

    it('at a time, with the first record that arrived then or later', async () => {
      const stream = await filled();
      const start = stream.times[1]!;
      const { events, completed, acquired } = readSource(stream.source, { start, stopAfter: total - 5 });
      await completed;
      expect(textsByShard(events)).toEqual({ [stream.shards[0]!]: all[0]!.slice(3), [stream.shards[1]!]: all[1]!.slice(2) });
      expect([...acquired.values()]).toEqual([
        { from: start, resume: start },
        { from: start, resume: start },
      ]);
    });

    it('at TRIM_HORIZON with the oldest record, as asked by acquire', async () => {
      const stream = await filled();
      const { events, completed, acquired } = readSource(stream.source, {
        start: stream.times[2]!,
        acquire: async () => 'TRIM_HORIZON',
        stopAfter: total,
      });
      await completed;
      expectAll(events, stream);
      expect([...acquired.keys()].sort()).toEqual([...stream.shards].sort());
    });

    it('at LATEST with what arrives from the time on at which it began to read, so that a crash loses nothing', async () => {
      const stream = await filled();
      // The run begins when the last batch is about to arrive, by the clock that it is given: one that stands still until it is first looked at.
      let lateMs: number | undefined;
      const scheduler = {
        now: () => asyncScheduler.now() - (lateMs ??= asyncScheduler.now() - stream.times[2]!.getTime()),
        schedule: asyncScheduler.schedule.bind(asyncScheduler),
      };
      const { events, completed, acquired } = readSource(stream.source, { start: 'LATEST', scheduler, stopAfter: 5 });
      await completed;
      expect(textsByShard(events)).toEqual({ [stream.shards[0]!]: shards[0]![2], [stream.shards[1]!]: shards[1]![2] });
      for (const { from } of acquired.values()) expect((from as Date).getTime()).toBeLessThan(stream.times[2]!.getTime() + 1000);
    });

    it('each shard when it has acquired it, and tells that it has', async () => {
      const stream = await filled();
      const told = new Set<string>();
      const { completed, acquired } = readSource(stream.source, {
        stopAfter: total,
        report: (diagnostic) => diagnostic.type === 'shard-started' && told.add(diagnostic.shard),
        onEvent: ({ shard }) => {
          expect(acquired.has(shard)).toBe(true);
          expect(told.has(shard)).toBe(true);
        },
      });
      await completed;
      expect([...told].sort()).toEqual([...stream.shards].sort());
    });
  });

  describe('keeps to the room in the ledger', () => {
    it('one delivery at a time when there is hardly any', async () => {
      const stream = await filled();
      const ledger = new Ledger({ maxInFlightBytes: 1 });
      const inFlight = new Set<Delivery>();
      const { events, completed } = readSource(stream.source, {
        ledger,
        stopAfter: total,
        onEvent(event) {
          inFlight.add(event.delivery);
          expect([...inFlight].filter(({ isSettled }) => !isSettled)).toHaveLength(1);
          event.hold();
          void nextTurn().then(() => event.release());
        },
      });
      await completed;
      expectAll(events, stream);
    });

    it('reads no further while everything is held, and goes on when there is room', async () => {
      const stream = await filled();
      const ledger = new Ledger({ maxInFlightBytes: 1 });
      const held: Event<Uint8Array>[] = [];
      let isHolding = true;
      const { events, completed } = readSource(stream.source, {
        ledger,
        stopAfter: total,
        onEvent(event) {
          if (!isHolding) return;
          event.hold();
          held.push(event);
        },
      });
      await expect.poll(() => ledger.room.isFull && events.length, { timeout: 10_000 }).toBeGreaterThan(0);
      const { length } = events;
      expect(length).toBe(events[0]!.delivery.count);
      for (let i = 0; i < 20; i++) await nextTurn();
      expect(events).toHaveLength(length);
      expect(ledger.counts().inFlight).toBe(length);

      isHolding = false;
      for (const event of held) event.release();
      await completed;
      expectAll(events, stream);
    });

    it('ends its wait for room when it is stopped, emits nothing without room, and leaves the room to others', async () => {
      const stream = await filled();
      const ledger = new Ledger({ maxInFlightBytes: 1 });
      const { events, completed, stop } = readSource(stream.source, { ledger, onEvent: (event) => event.hold() });
      await expect.poll(() => ledger.room.isFull, { timeout: 10_000 }).toBe(true);
      const { length } = events;
      stop.abort();
      await completed;
      expect(events).toHaveLength(length);
      for (const event of events) event.release();
      await expectNothingReserved(ledger);
    });

    it('counts add up: what is read is stored, dropped or in flight', async () => {
      const stream = await filled();
      const { completed, ledger, events } = readSource(stream.source, {
        stopAfter: total,
        onEvent(event, reading) {
          expectSum(reading);
          if (event.origin.index % 3 === 1) return;
          event.hold();
          void nextTurn().then(() => {
            event.mark(Outcome.stored);
            event.release();
            expectSum(reading);
          });
        },
      });
      await completed;
      await nextTurn();
      await nextTurn();
      const stored = events.filter(({ origin }) => origin.index % 3 !== 1).length;
      expect(ledger.counts()).toMatchObject({ read: total, stored, inFlight: 0 });
    });
  });

  describe('ends', () => {
    it('at once when it is unsubscribed from; what was not emitted is not settled', async () => {
      const stream = await filled(9);
      const { events, ledger, acquired } = readSource(stream.source, {
        onEvent: (event, { unsubscribe }) => Buffer.from(event.data).toString() === 'a2' && unsubscribe(),
      });
      await expect.poll(() => events.some(({ shard }) => shard === stream.shards[0]), { timeout: 10_000 }).toBe(true);
      const { length } = events;
      for (let i = 0; i < 20; i++) await nextTurn();
      expect(events).toHaveLength(length);
      expect(textsByShard(events)[stream.shards[0]!]).toEqual(['a1', 'a2']);
      expect(ledger.checkpoint(stream.shards[0]!)).toBeUndefined();
      expect(acquired.size).toBe(2);
    });

    it('without settling the event at which an operator failed, were it the last of its delivery', async () => {
      const stream = await filled();
      const failing: Source<Uint8Array> = {
        ...stream.source,
        read: (context) =>
          stream.source.read(context).pipe(
            tap(({ origin, delivery }) => {
              if (origin.index === delivery.count - 1) throw new Error('the last one');
            }),
          ),
      };
      const { completed, ledger } = readSource(failing);
      await expect(completed).rejects.toThrow('the last one');
      expect(ledger.checkpoints()).toEqual([]);
    });

    it('with the error of a shard that could not be acquired', async () => {
      const stream = await filled();
      const refused = new Error('a newer run has it');
      const { completed, events } = readSource(stream.source, {
        acquire: async (shard, from): Promise<Resume> => {
          if (shard === stream.shards[1]) throw refused;
          return from;
        },
      });
      await expect(completed).rejects.toBe(refused);
      const { length } = events;
      for (let i = 0; i < 20; i++) await nextTurn();
      expect(events).toHaveLength(length);
    });
  });

  it('is inert until it is subscribed to, and can be read again and again', async () => {
    const stream = await filled();
    const positions: Position[][] = [];
    for (let i = 0; i < 2; i++) {
      const { completed, events } = readSource(stream.source, { stopAfter: total });
      await completed;
      positions.push(
        events.map(({ position }) => position).sort((a, b) => a.shard.localeCompare(b.shard) || comparePositions(a, b)),
      );
    }
    expect(positions[0]).toEqual(positions[1]);
  });

  it('says what it reads, and what it found there', async () => {
    const { source } = await filled();
    expect(source.name).not.toBe('');
    expect(source.describe).not.toBe('');
    expect(await source.check('test')).not.toBe('');
  });
}

/** A stream of which a shard was split: three records in the parent, one in each half. It does not end before it is stopped. */
interface SplitStream {
  readonly source: Source<Uint8Array>;
  readonly parent: string;
  readonly halves: readonly [string, string];
}

/** What the run may rely on in every source whose shards are split and merged. */
export function reshardingConformance(
  split: (parent: readonly string[], halves: readonly [string, string]) => Promise<SplitStream>,
): void {
  const fill = (): Promise<SplitStream> => split(['p1', 'p2', 'p3'], ['l', 'r']);

  describe('of a shard that was split', () => {
    it('reads the halves only when all of it is settled, and each record once', async () => {
      const { source, parent, halves } = await fill();
      const held: Event<Uint8Array>[] = [];
      const { events, completed, diagnostics } = readSource(source, {
        stopAfter: 5,
        onEvent(event) {
          if (event.shard !== parent) return;
          event.hold();
          held.push(event);
        },
      });
      await expect.poll(() => diagnostics.some(({ type }) => type === 'shard-ended'), { timeout: 10_000 }).toBe(true);
      for (let i = 0; i < 50; i++) await nextTurn();
      expect(textsByShard(events)).toEqual({ [parent]: ['p1', 'p2', 'p3'] });
      for (const event of held) event.release();
      await completed;
      expect(textsByShard(events)).toEqual({ [parent]: ['p1', 'p2', 'p3'], [halves[0]]: ['l'], [halves[1]]: ['r'] });
    });

    it('reads nothing when the sinks have all of it, and the halves from their oldest records, whatever the start', async () => {
      const { source, parent, halves } = await fill();
      const { events, completed, acquired } = readSource(source, {
        start: 'LATEST',
        stopAfter: 2,
        acquire: async (shard, from) => (shard === parent ? 'SHARD_END' : from),
      });
      await completed;
      expect(textsByShard(events)).toEqual({ [halves[0]]: ['l'], [halves[1]]: ['r'] });
      for (const half of halves) expect(acquired.get(half)!.from).toBe('TRIM_HORIZON');
    });

    it('tells its end when it has emitted the last of it, once', async () => {
      const { source, parent } = await fill();
      const ends: [shard: string, read: number][] = [];
      const reading = readSource(source, {
        stopAfter: 5,
        end: async (shard) => void ends.push([shard, reading.events.length]),
      });
      await reading.completed;
      expect(ends).toEqual([[parent, 3]]);
    });
  });
}

function expectSum({ ledger }: Reading): void {
  const { read, stored, dropped, rejected, inFlight } = ledger.counts();
  expect(read).toBe(stored + Object.values(dropped).reduce((sum, n) => sum + n, 0) + rejected + inFlight);
}

/** Everything is settled, so the whole room is free, unless a reservation was not given back: then this waits for ever. */
async function expectNothingReserved(ledger: Ledger): Promise<void> {
  expect(ledger.room.inFlightBytes).toBe(0);
  let isFree = false;
  void ledger.room.reserve(ledger.room.maxInFlightBytes).then(() => (isFree = true));
  await nextTurn();
  expect(isFree).toBe(true);
}
