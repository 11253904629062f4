import { describe, expect, test } from 'vitest';
import type { Event } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { ArrivalHorizon } from '../../src/operators/arrival-horizon.ts';
import { deliver } from '../../src/testing/deliver.ts';

/** A ledger, and a horizon that notes what is read; each reading is one delivery, read when its last event arrived. */
function reader(quietMs = 1000): { horizon: ArrivalHorizon; read: (shard: string, ...times: number[]) => Event<Uint8Array>[] } {
  const [ledger, horizon] = [new Ledger(), new ArrivalHorizon(quietMs)];
  let sequence = 1;
  const read = (shard: string, ...times: number[]): Event<Uint8Array>[] => {
    const { events } = deliver(
      times.map((arrivedAtMs) => ({ shard, arrivedAtMs, sequence: sequence++, raw: 'x' })),
      ledger,
    );
    for (const { delivery, arrivedAtMs } of events) horizon.note(delivery, arrivedAtMs);
    return events;
  };
  return { horizon, read };
}

describe('ArrivalHorizon', () => {
  test('stands nowhere before the first event', () => {
    expect(new ArrivalHorizon(1000).standsAt()).toBe(Infinity);
  });

  test('stands at the oldest event in flight, and goes on when it is settled', () => {
    const { horizon, read } = reader();
    const [first] = read('a', 100, 110);
    read('a', 200)[0]!.delivery.letGo();
    expect(horizon.standsAt()).toBe(100);
    first!.delivery.letGo();
    expect(horizon.standsAt()).toBe(200);
  });

  test('stands where the last of its shards does', () => {
    const { horizon, read } = reader();
    for (const event of [...read('a', 500), ...read('b', 300), ...read('a', 600)]) event.delivery.letGo();
    expect(horizon.standsAt()).toBe(300);
  });

  test('does not wait for a shard that has been quiet, but for one that has something in flight', () => {
    const { horizon, read } = reader(1000);
    const [held] = read('a', 100);
    for (const event of [...read('b', 1200), ...read('b', 1300)]) event.delivery.letGo();
    expect(horizon.standsAt()).toBe(100);
    held!.delivery.letGo();
    expect(horizon.standsAt()).toBe(1300);
  });

  test('does not go back for a late event of a settled delivery', () => {
    const { horizon, read } = reader();
    for (const events of [read('a', 500, 400), read('a', 600)]) events[0]!.delivery.letGo();
    expect(horizon.standsAt()).toBe(600);
  });

  test('tells the first event of each turn of a delivery', () => {
    const horizon = new ArrivalHorizon(1000);
    const ledger = new Ledger();
    const [a, b] = ['a', 'b'].map((shard) => deliver([{ shard, raw: 'x' }, { shard, raw: 'y' }], ledger).events); // prettier-ignore
    expect([a![0]!, a![1]!, b![0]!, a![1]!].map(({ delivery, arrivedAtMs }) => horizon.note(delivery, arrivedAtMs))).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });
});
