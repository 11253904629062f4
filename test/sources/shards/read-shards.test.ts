import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../../src/event.ts';
import { minuteWindow } from '../../../src/operators/minute-window.ts';
import type { Window } from '../../../src/operators/window.ts';
import { pipeline } from '../../../src/pipeline.ts';
import { run } from '../../../src/run/run.ts';
import { type ShardReaders, readShards } from '../../../src/sources/shards/read-shards.ts';
import { scripted } from '../../../src/sources/scripted.ts';
import type { Shard } from '../../../src/sources/shards/shard-set.ts';
import { type Source, readingDeliveries } from '../../../src/sources/source.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { readSource, textsByShard } from '../../support/read-source.ts';

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

/** A source of shards that are listed and read as a test wants it. */
function sourceOf(readers: ShardReaders): Source<Uint8Array> {
  return {
    name: 'test',
    describe: 'a test',
    check: async () => 'there',
    ...readingDeliveries((context) => readShards(context, readers)),
  };
}

const split = scripted({
  parent: [['p1'], ['p2']],
  left: { parents: ['parent'], scenes: [['l']] },
  right: { parents: ['parent'], scenes: [['r']] },
});

describe('readShards', () => {
  it('begins a child when all of its parent is settled, not when it is only read', async () => {
    const held: Event<Uint8Array>[] = [];
    const { completed, events } = readSource(split, {
      onEvent(event) {
        if (event.shard !== 'parent') return;
        event.hold();
        held.push(event);
      },
    });
    await expect.poll(() => held.length).toBe(2);
    await turns(20);
    expect(events).toHaveLength(2);
    held[0]!.release();
    await turns(20);
    expect(events).toHaveLength(2);
    held[1]!.release();
    await completed;
    expect(textsByShard(events)).toEqual({ parent: ['p1', 'p2'], left: ['l'], right: ['r'] });
  });

  it('tells the ledger which shards are to be read before the first event, and which ended before', async () => {
    const known: string[][] = [];
    const { completed, ledger } = readSource(split, {
      acquire: async (shard, from) => (shard === 'parent' ? 'SHARD_END' : from),
      onEvent: (_, { ledger: expected }) => void known.push([...expected.unfinished()]),
    });
    await completed;
    expect(known[0]).toEqual(['left', 'right']);
    expect(ledger.hasEnded('parent')).toBe(true);
  });

  it('lists no shards anew, each time that one ends, where all are known: of a hundred thousand files that would take hours', async () => {
    let lists = 0;
    const source = sourceOf({
      async list() {
        lists++;
        return ['a', 'b', 'c'].map((id) => ({ id, parents: [] }));
      },
      areAllKnown: true,
      readShard: async () => [],
    });
    await readSource(source).completed;
    expect(lists).toBe(1);
  });

  it('completes with events in flight when no child waits for them', async () => {
    const { completed, ledger } = readSource(scripted({ s: [['a']] }), { onEvent: (event) => event.hold() });
    await completed;
    expect(ledger.counts().inFlight).toBe(1);
  });

  it('completes after a stop, however long a child would have to wait', async () => {
    const { completed, events, stop } = readSource(split, { onEvent: (event) => event.hold() });
    await expect.poll(() => events.length).toBe(2);
    await turns(20);
    stop.abort();
    await completed;
    expect(textsByShard(events)).toEqual({ parent: ['p1', 'p2'] });
  });

  it('keeps no child waiting for the minute of its parent, also when there is hardly any room', async () => {
    // What came long ago leaves no hour open.
    const now = (data: string) => ({ data, arrivedAtMs: Date.now() });
    const resharding = scripted({
      parent: [[now('p1')], [now('p2')]],
      left: { parents: ['parent'], scenes: [[now('l')]] },
      right: { parents: ['parent'], scenes: [[now('r')]] },
    });
    for (const maxInFlightBytes of [1, 256 * 1024 * 1024]) {
      const sink = memorySink<Window<Uint8Array>>();
      const counts = await run(
        pipeline('reshards')
          .from(resharding)
          .pipe(minuteWindow({ every: { hours: 1 } }))
          .to(sink),
        { maxInFlightBytes },
      );
      expect(counts).toMatchObject({ read: 4, stored: 4, inFlight: 0 });
      const order = sink.stored.map(({ shard }) => shard);
      expect(order.lastIndexOf('parent')).toBeLessThan(Math.min(order.indexOf('left'), order.indexOf('right')));
    }
  });

  it('is not read when a sink knows its end, unless the stream says that it is open: then that is another stream', async () => {
    for (const [isOpen, isOpenStill] of [
      [false, false],
      [true, false],
      [true, true],
    ] as const) {
      let lists = 0;
      const list = async (): Promise<Shard[]> => [{ id: 's', parents: [], isOpen: lists++ === 0 ? isOpen : isOpenStill }];
      const { completed } = readSource(sourceOf({ list, readShard: () => expect.unreachable() }), {
        acquire: async () => 'SHARD_END',
      });
      if (isOpenStill)
        await expect(completed).rejects.toThrow(/s was read to its end, and is open.*made again under the same name/);
      else await completed;
      expect(lists).toBe(isOpen ? 2 : 1);
    }
  });

  it('is no other stream when a shard whose end a sink knows is listed as open for a moment, beside its children', async () => {
    const list = async (): Promise<Shard[]> => [
      { id: 's', parents: [], isOpen: true },
      { id: 't', parents: ['s'], isOpen: true },
    ];
    const source = sourceOf({ list, readShard: async () => [] });
    const { completed, acquired } = readSource(source, { acquire: async (shard, from) => (shard === 's' ? 'SHARD_END' : from) });
    await completed;
    expect(acquired.get('t')?.resume).toBe('TRIM_HORIZON');
  });

  it('has its children read that came only after the first list, when a sink knows its end and it has ended since', async () => {
    let lists = 0;
    const list = async (): Promise<Shard[]> =>
      lists++ === 0
        ? [{ id: 's', parents: [], isOpen: true }]
        : [
            { id: 's', parents: [], isOpen: false },
            { id: 't', parents: ['s'], isOpen: true },
          ];
    const source = sourceOf({ list, readShard: async () => [] });
    const { completed, acquired } = readSource(source, { acquire: async (shard, from) => (shard === 's' ? 'SHARD_END' : from) });
    await completed;
    expect([...acquired.keys()]).toEqual(['s', 't']);
  });

  it('ends with the failure of a later list, while its shards go on', async () => {
    let lists = 0;
    const list = async (): Promise<Shard[]> => {
      if (lists++ > 0) throw new Error('may not be listed any more');
      return [{ id: 's', parents: [] }];
    };
    const readShard: ShardReaders['readShard'] = async ({ signal }) => {
      await once(signal, 'abort');
      return undefined;
    };
    await expect(readSource(sourceOf({ list, listEveryMs: 1, readShard })).completed).rejects.toThrow('listed any more');
  });

  describe('finds children', () => {
    const reading = (children: Readonly<Record<string, readonly Shard[]>>): ShardReaders['readShard'] => {
      return async ({ shard, signal }) => {
        if (children[shard.id]) return children[shard.id];
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
      };
    };
    const parent = { id: 'parent', parents: [] };
    const child = { id: 'child', parents: ['parent'] };

    it('that the parent named, without listing anew', async () => {
      let lists = 0;
      const list = async (): Promise<Shard[]> => (lists++, [parent]);
      const { completed, acquired, stop } = readSource(sourceOf({ list, readShard: reading({ parent: [child] }) }));
      await expect.poll(() => [...acquired.keys()]).toEqual(['parent', 'child']);
      expect(lists).toBe(1);
      stop.abort();
      await completed;
    });

    it('that were listed before, when the parent named none, without listing anew', async () => {
      let lists = 0;
      const list = async (): Promise<Shard[]> => (lists++, [parent, child]);
      const { completed, acquired, stop } = readSource(sourceOf({ list, readShard: reading({ parent: [] }) }));
      await expect.poll(() => [...acquired.keys()]).toEqual(['parent', 'child']);
      expect(lists).toBe(1);
      stop.abort();
      await completed;
    });

    it('by listing anew at once, when the parent named none', async () => {
      let lists = 0;
      const list = async (): Promise<Shard[]> => (lists++ === 0 ? [parent] : [parent, child]);
      const { completed, acquired, stop } = readSource(sourceOf({ list, readShard: reading({ parent: [] }) }));
      await expect.poll(() => [...acquired.keys()]).toEqual(['parent', 'child']);
      stop.abort();
      await completed;
    });

    it('by listing anew, when it named one whose other parent nobody named yet: that one is read before', async () => {
      const all = [parent, { id: 'left', parents: ['parent'] }, { id: 'inner', parents: ['right'] }];
      const merged = { id: 'merged', parents: ['left', 'inner'] };
      const right = { id: 'right', parents: ['parent'] };
      let lists = 0;
      const list = async (): Promise<Shard[]> => (lists++ === 0 ? [parent] : [merged, ...all, right]);
      // The right one ends only when the left one, with the merged one as its child, has ended.
      const leftHasEnded = Promise.withResolvers<void>();
      const named: Record<string, Shard[]> = { parent: [all[1]!, right], left: [merged], right: [all[2]!], inner: [merged] };
      const order: string[] = [];
      const { completed } = readSource(
        sourceOf({
          list,
          async readShard({ shard: { id } }) {
            order.push(id);
            if (id === 'right') await leftHasEnded.promise;
            return named[id] ?? [];
          },
        }),
        { report: (told) => void (told.type === 'shard-ended' && told.shard === 'left' && setTimeout(leftHasEnded.resolve, 5)) },
      );
      await completed;
      expect(order).toEqual(['parent', 'left', 'right', 'inner', 'merged']);
    });

    it('by listing now and then, by the clock', async () => {
      const scheduler = new VirtualTimeScheduler();
      const listedAtMs: number[] = [];
      const list = async (): Promise<Shard[]> => {
        listedAtMs.push(scheduler.now());
        return listedAtMs.length < 4 ? [parent] : [parent, { id: 'late', parents: [] }];
      };
      const source = sourceOf({ list, listEveryMs: 60_000, readShard: reading({}) });
      const { completed, acquired, stop } = readSource(source, { scheduler });
      for (let i = 0; i < 50 && acquired.size < 2; i++) {
        await nextTurn();
        scheduler.flush();
      }
      expect([...acquired.keys()]).toEqual(['parent', 'late']);
      const waits = listedAtMs.slice(1).map((ms, i) => ms - listedAtMs[i]!);
      expect(waits.length).toBeGreaterThanOrEqual(3);
      for (const ms of waits) expect(ms).toBeGreaterThanOrEqual(30_000);
      for (const ms of waits) expect(ms).toBeLessThanOrEqual(90_000);
      expect(new Set(waits).size).toBeGreaterThan(1);
      stop.abort();
      await completed;
    });
  });

  it.each([
    { what: 'in another order', deliveries: [['1', '10', '2']], says: 'got 2:0 behind 10:0' },
    { what: 'in another order, delivery by delivery', deliveries: [['2'], ['1']], says: 'got 1:0 behind 2:0' },
    { what: 'two with one position', deliveries: [['1', '1']], says: 'got 1:0 behind 1:0' },
    {
      what: 'by what is no number',
      deliveries: [['a7']],
      says: 's: expected a sequence number of digits, without zeros before them, got "a7"',
    },
    {
      what: 'by a number with zeros before it',
      deliveries: [['07']],
      says: 's: expected a sequence number of digits, without zeros before them, got "07"',
    },
    { what: 'of another shard', deliveries: [['1']], shard: 't', says: 's: expected records of its own, got one of t' },
  ])('ends when a source gives records $what, of which some would pass for stored', async ({ deliveries, says, shard = 's' }) => {
    const source = sourceOf({
      list: async () => [{ id: 's', parents: [] }],
      async readShard({ emit }) {
        for (const sequences of deliveries)
          emit(
            sequences.map((sequence) => ({ position: { shard, sequence, subSequence: 0 }, arrivedAtMs: 0, data: Buffer.of(1) })),
            0,
          );
        return [];
      },
    });
    const sink = memorySink<Window<Uint8Array>>();
    await expect(run(pipeline('test').from(source).pipe(minuteWindow()).to(sink))).rejects.toThrow(says);
    expect(sink.stored).toEqual([]);
  });
});
