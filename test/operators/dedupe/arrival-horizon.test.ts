import { describe, expect, test } from 'vitest';
import type { Event } from '../../../src/event.ts';
import { Ledger } from '../../../src/ledger.ts';
import { ArrivalHorizon } from '../../../src/operators/dedupe/arrival-horizon.ts';
import { deliver } from '../../../src/testing/deliver.ts';

/** A ledger, and a horizon that notes what is read; each reading is one delivery, read when its last event arrived. */
function reader(quietMs = 1000) {
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
  return { horizon, ledger, read };
}

describe('ArrivalHorizon', () => {
  test('stands nowhere before the first event', () => {
    expect(new ArrivalHorizon(1000).standsAt()).toBe(Infinity);
  });

  test('stands at the oldest event in flight, and goes on when it is settled', () => {
    const { horizon, read } = reader();
    const [first] = read('a', 110, 100, 105);
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

  test('stands nowhere before each shard that is to be read has come, or had nothing to read', () => {
    const { horizon, ledger, read } = reader();
    for (const shard of ['a', 'b', 'c']) ledger.expect(shard);
    read('b', 500_000)[0]!.delivery.letGo();
    read('a', 900_000)[0]!.delivery.letGo();
    expect(horizon.standsAt()).toBe(-Infinity);
    ledger.caughtUp('c', 860_000);
    expect(horizon.standsAt()).toBe(500_000);
    ledger.caughtUp('b', 870_000);
    // A minute less: clocks differ.
    expect(horizon.standsAt()).toBe(800_000);
  });

  test('waits for a shard that does not come any more, unless it had nothing more to read and has nothing in flight', () => {
    const { horizon, ledger, read } = reader();
    const [held] = read('a', 100);
    for (const event of read('b', 7_200_000)) event.delivery.letGo();
    expect(horizon.standsAt()).toBe(100);
    held!.delivery.letGo();
    expect(horizon.standsAt()).toBe(100);
    ledger.caughtUp('a', 7_260_001);
    expect(horizon.standsAt()).toBe(7_200_000);
    expect(read('a', 300)).toHaveLength(1);
    expect(horizon.standsAt()).toBe(300);
  });

  test('waits for what a step before it keeps of a shard, too', () => {
    const { horizon, ledger, read } = reader();
    read('a', 100)[0]!.delivery.letGo();
    const [kept] = deliver([{ shard: 'a', arrivedAtMs: 200, sequence: 9, raw: 'x' }], ledger).events;
    ledger.caughtUp('a', 7_260_000);
    expect(horizon.standsAt()).toBe(100);
    kept!.delivery.letGo();
    expect(horizon.standsAt()).toBe(7_200_000);
  });

  test('does not wait for a shard that was read to its end, once its children have had time to begin', () => {
    const { horizon, ledger, read } = reader(1000);
    for (const shard of ['a', 'none']) ledger.expect(shard);
    for (const event of [...read('a', 50), ...read('a', 100)]) event.delivery.letGo();
    for (const shard of ['a', 'none']) ledger.endShard(shard);
    read('b', 1100)[0]!.delivery.letGo();
    expect(horizon.standsAt()).toBe(100);
    read('b', 1101)[0]!.delivery.letGo();
    expect(horizon.standsAt()).toBe(1101);
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
