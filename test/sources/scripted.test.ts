import { setImmediate as nextTurn } from 'node:timers/promises';
import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { ScriptedScene } from '../../src/sources/scripted/written.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { type Reading, readSource, textsByShard } from '../support/read-source.ts';
import { reshardingConformance, sourceConformance } from './conformance.ts';

describe('scripted, a written script', () => {
  sourceConformance(async (shards, recordsPerDelivery) => {
    const times = shards[0]!.map((_, batch) => new Date(1_000_000 + batch * 1000));
    const script = shards.map((batches, i): [string, ScriptedScene[]] => {
      const records = batches.flatMap((batch, n) => batch.map((data) => ({ data, arrivedAtMs: times[n]!.getTime() + 1 })));
      const deliveries: ScriptedScene[] = [];
      for (let at = 0; at < records.length; at += recordsPerDelivery) deliveries.push(records.slice(at, at + recordsPerDelivery));
      return [`shard-${i}`, [...deliveries, 'until-stopped']];
    });
    return { source: scripted(Object.fromEntries(script)), shards: script.map(([name]) => name), times };
  });
});

describe('scripted, a written script with a split', () => {
  reshardingConformance(async (parent, [left, right]) => {
    const half = (text: string) => ({ parents: ['parent'], scenes: [[text], 'until-stopped' as const] });
    const source = scripted({ left: half(left), right: half(right), parent: [parent.slice(0, 2), parent.slice(2)] });
    return { source, parent: 'parent', halves: ['left', 'right'] };
  });
});

/** Lets a source run by virtual time until it is over. */
async function play({ completed }: Reading, scheduler: VirtualTimeScheduler): Promise<void> {
  let isOver = false;
  const over = (): boolean => (isOver = true);
  completed.then(over, over);
  while (!isOver) {
    await nextTurn();
    scheduler.flush();
  }
  return completed;
}

describe('scripted', () => {
  it('pauses by the clock of the scheduler, which arrival times follow', async () => {
    const scheduler = new VirtualTimeScheduler();
    const source = scripted({ s: [['a'], { pauseMs: 60_000 }, ['b', 'c'], { pauseMs: 1_000 }, ['d']] });
    const reading = readSource(source, { scheduler });
    await play(reading, scheduler);
    expect(reading.events.map(({ delivery, arrivedAtMs }) => [delivery.readAtMs, arrivedAtMs])).toEqual([
      [0, 0],
      [60_000, 60_000],
      [60_000, 60_000],
      [61_000, 61_000],
    ]);
  });

  it('fails where the script says so, and goes on behind that when it is played again from there', async () => {
    const source = scripted({ s: [['a', 'b'], { fail: new Error('lost the connection') }, ['c']] });
    const { completed, events } = readSource(source);
    await expect(completed).rejects.toThrow('lost the connection');
    expect(textsByShard(events)).toEqual({ s: ['a', 'b'] });
  });

  it('plays children after their parents', async () => {
    const source = scripted({
      right: { parents: ['parent'], scenes: [['r']] },
      left: { parents: ['parent'], scenes: [['l']] },
      parent: [['p1'], ['p2']],
      merged: { parents: ['left', 'right'], scenes: [['m']] },
    });
    const { completed, events, diagnostics } = readSource(source);
    await completed;
    const texts = events.map(({ data }) => Buffer.from(data).toString());
    expect([texts.slice(0, 2), texts.slice(2, 4).sort(), texts.slice(4)]).toEqual([['p1', 'p2'], ['l', 'r'], ['m']]);
    expect(diagnostics.filter(({ type }) => type === 'shard-ended')).toHaveLength(4);
  });

  it('numbers its records on from those that have a number, and those of an aggregate share it', async () => {
    const source = scripted({
      s: [
        ['a', { data: 'b', sequence: '49680456034427609126917659938257473965409799821632471042' }],
        ['c', { data: 'd', subSequence: 1 }],
      ],
    });
    const { completed, events } = readSource(source);
    await completed;
    expect(events.map(({ position }) => [position.sequence, position.subSequence])).toEqual([
      ['1', 0],
      ['49680456034427609126917659938257473965409799821632471042', 0],
      ['49680456034427609126917659938257473965409799821632471043', 0],
      ['49680456034427609126917659938257473965409799821632471043', 1],
    ]);
  });

  it('makes records on the fly, the same ones from whatever position or time it begins', async () => {
    const source = scripted({
      generate: (i) => Buffer.from(String(i)),
      count: 2_500,
      shards: 3,
      recordsPerDelivery: 100,
      startMs: 10_000,
      arrivalStepMs: 5,
    });
    const { completed, events } = readSource(source);
    await completed;
    expect(events).toHaveLength(2_500);
    for (const { shard, position, arrivedAtMs, data } of events) {
      const i = Number(Buffer.from(data).toString());
      expect([shard, position.sequence, arrivedAtMs]).toEqual([`shard-${(i % 3) + 1}`, String(i + 1), 10_000 + i * 5]);
    }

    const own = events.filter(({ shard }) => shard === 'shard-2');
    const at = own[400]!;
    const after = readSource(source, { acquire: async (shard, from) => (shard === 'shard-2' ? at.position : from) });
    await after.completed;
    expect(textsByShard(after.events)['shard-2']).toEqual(textsByShard(own.slice(401))['shard-2']);

    const since = readSource(source, { start: new Date(at.arrivedAtMs) });
    await since.completed;
    expect(textsByShard(since.events)).toEqual(textsByShard(events.filter(({ arrivedAtMs }) => arrivedAtMs >= at.arrivedAtMs)));
  });

  it('makes records without end until it is stopped, and lets others work in between', async () => {
    const { completed, events, stop } = readSource(scripted({ generate: () => Buffer.from('x'), recordsPerDelivery: 10 }));
    for (let i = 0; i < 20; i++) await nextTurn();
    stop.abort();
    await completed;
    expect(events.length).toBeGreaterThan(10);
    expect(events.length).toBeLessThan(500);
  });

  it('refuses settings out of their bounds', () => {
    const generate = (): Uint8Array => new Uint8Array();
    expect(() => scripted({ generate, shards: 0 })).toThrow('scripted: expected shards of 1 or more, got 0');
    expect(() => scripted({ generate, recordsPerDelivery: 0.5 })).toThrow('expected recordsPerDelivery of 1 or more, got 0.5');
  });
});
