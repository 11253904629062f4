import { setImmediate as soon } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { type RangeReaders, readRange } from '../../../src/sources/shards/read-range.ts';
import { readingDeliveries } from '../../../src/sources/source.ts';
import { type ReadOptions, type Reading, readSource } from '../../support/read-source.ts';

interface Open {
  close(): Promise<void>;
}

/** A range of shards with a record each, of a store that counts who has it open. */
class Stage {
  opened = 0;
  closed = 0;
  found = 0;
  /** What is waited for, by where: lets go of it, or fails it. */
  readonly gates = new Map<string, PromiseWithResolvers<void>>();
  atOnce = 0;
  mostAtOnce = 0;

  hold(where: 'open' | 'find' | 'read'): PromiseWithResolvers<void> {
    const gate = Promise.withResolvers<void>();
    this.gates.set(where, gate);
    return gate;
  }

  read(shards: readonly string[], atOnce = 4, how?: ReadOptions): Reading {
    const readers: RangeReaders<Open, string> = {
      open: async () => {
        await this.gates.get('open')?.promise;
        this.opened++;
        return { close: async () => void this.closed++ };
      },
      find: async () => {
        this.found++;
        await this.gates.get('find')?.promise;
        return new Map(shards.map((shard) => [shard, `of ${shard}`]));
      },
      atOnce,
      read: async ({ shard, emit, signal }, _, found) => {
        this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
        await (this.gates.get('read')?.promise ?? soon());
        this.atOnce--;
        if (signal.aborted) return false;
        emit([{ position: { shard: shard.id, sequence: '1', subSequence: 0 }, arrivedAtMs: 0, data: Buffer.from(found) }], 0);
        return true;
      },
    };
    const source = readingDeliveries((context) => readRange(context, readers));
    return readSource({ ...source, name: 'range', describe: 'a range', check: async () => '' }, { random: () => 0, ...how });
  }
}

describe('readRange', () => {
  it('opens the store and looks once, reads so many shards at a time, each whole, and closes the store', async () => {
    const stage = new Stage();
    const shards = ['a', 'b', 'c', 'd', 'e'];
    const { events, completed } = stage.read(shards, 2);
    await completed;
    await soon();
    expect(events.map(({ shard, data }) => `${shard}: ${Buffer.from(data).toString()}`).toSorted()).toEqual(
      shards.map((shard) => `${shard}: of ${shard}`),
    );
    expect(stage).toMatchObject({ opened: 1, closed: 1, found: 1, mostAtOnce: 2 });
  });

  for (const where of ['open', 'find', 'read'] as const)
    for (const how of ['is unsubscribed from', 'is stopped'] as const)
      it(`closes the store when it ${how} while it waits for ${where}, and gives nothing out`, async () => {
        const stage = new Stage();
        const gate = stage.hold(where);
        const { events, stop, unsubscribe, completed } = stage.read(['a', 'b', 'c'], 2);
        await soon();
        if (how === 'is stopped') stop.abort();
        else unsubscribe();
        gate.resolve();
        if (how === 'is stopped') await completed;
        await soon();
        expect(events).toEqual([]);
        expect(stage).toMatchObject({ opened: 1, closed: 1 });
      });

  for (const where of ['find', 'read'] as const)
    it(`closes the store when ${where} fails for good, and fails`, async () => {
      const stage = new Stage();
      const gate = stage.hold(where);
      const { completed } = stage.read(['a', 'b', 'c'], 2);
      gate.reject(new Error('never'));
      await expect(completed).rejects.toThrow('never');
      await soon();
      expect(stage).toMatchObject({ opened: 1, closed: 1 });
    });

  it('opens the store anew when that failed for a passing reason', async () => {
    const stage = new Stage();
    const gate = stage.hold('open');
    const { events, completed, diagnostics } = stage.read(['a']);
    stage.gates.clear();
    gate.reject(Object.assign(new Error('not now'), { isTransient: true }));
    await completed;
    await soon();
    expect(events).toHaveLength(1);
    expect(diagnostics).toContainEqual(expect.objectContaining({ type: 'source-retry' }));
    expect(stage).toMatchObject({ opened: 1, closed: 1 });
  });

  it('writes no end of a shard down: more of it may be stored yet', async () => {
    const end = vi.fn<(shard: string) => Promise<void>>(async () => {});
    const { events, completed } = new Stage().read(['a'], 1, { end });
    await completed;
    expect(events).toHaveLength(1);
    expect(end).not.toHaveBeenCalled();
  });
});
