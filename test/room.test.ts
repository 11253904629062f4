import { describe, expect, it, vi } from 'vitest';
import { Ledger, RECORD_OVERHEAD_BYTES } from '../src/ledger.ts';
import { Room } from '../src/room.ts';
import { deliver } from '../src/testing/deliver.ts';

describe('Room', () => {
  it('is given in the order it was asked for, and never beyond the limit', async () => {
    const room = new Room({ maxInFlightBytes: 2000 });
    const order: string[] = [];
    await room.reserve(1500);
    // To the last byte.
    await room.reserve(500);
    void room.reserve(1000).then(() => order.push('large'));
    void room.reserve(100).then(() => order.push('small'));
    await Promise.resolve();
    expect(room.isFull).toBe(true);
    expect(order).toEqual([]);
    // There is room for it, and another one's turn: else one that is small after the other would go first for ever.
    room.unreserve(500);
    void room.reserve(10).then(() => order.push('smaller'));
    await Promise.resolve();
    expect(order).toEqual([]);
    room.unreserve(1500);
    await Promise.resolve();
    await Promise.resolve();
    expect(order).toEqual(['large', 'small', 'smaller']);
  });

  it('is taken by who has waited for it, too', async () => {
    const room = new Room({ maxInFlightBytes: 100 });
    await room.reserve(60);
    const second = room.reserve(60);
    room.unreserve(60);
    await second;
    void room.reserve(60);
    expect(room.isFull).toBe(true);
    room.unreserve(60);
    expect(room.isFull).toBe(false);
  });

  it('is given for more than the whole limit once nothing else is in flight', async () => {
    const room = new Room({ maxInFlightBytes: 10 });
    await room.reserve(1000);
    room.unreserve(1000);
    expect(room.isFull).toBe(false);
  });

  it('tells whose reader waits', async () => {
    const room = new Room({ maxInFlightBytes: 10 });
    await room.reserve(10, 'a');
    void room.reserve(1, 'b');
    expect([room.isWaitedForBy('a'), room.isWaitedForBy('b')]).toEqual([false, true]);
  });

  it('is taken by a delivery with the overhead of its records, until it is settled', () => {
    const ledger = new Ledger();
    const { delivery } = deliver(['a', 'bc'], ledger);
    expect(ledger.room.inFlightBytes).toBe(3 + 2 * RECORD_OVERHEAD_BYTES);
    delivery.letGo();
    expect(ledger.room.inFlightBytes).toBe(0);
  });

  it('makes the windows close when a source waits and the sinks have nothing', () => {
    const room = new Room({ maxInFlightBytes: 1000 });
    const close = vi.fn<() => void>();
    room.onPressure(close);
    room.take(500);
    room.atSinks(1);
    void room.reserve(1000);
    expect(close).not.toHaveBeenCalled();
    room.atSinks(-1);
    expect(close).toHaveBeenCalledOnce();
  });

  it('makes them close for who waits behind the one whose turn has come, too', async () => {
    const room = new Room({ maxInFlightBytes: 1000 });
    const close = vi.fn<() => void>();
    const end = room.onPressure(close);
    room.take(400);
    await room.reserve(500);
    for (const bytes of [200, 700]) void room.reserve(bytes);
    expect(close).not.toHaveBeenCalled();
    room.unreserve(500);
    expect(close).toHaveBeenCalledOnce();
    end();
    room.unreserve(200);
    expect(close).toHaveBeenCalledOnce();
  });

  it('makes them close also when the source waited before it let go of what it read', () => {
    const ledger = new Ledger({ maxInFlightBytes: RECORD_OVERHEAD_BYTES });
    const { delivery } = deliver(['a'], ledger);
    delivery.hold();
    void ledger.room.reserve(1000);
    const close = vi.fn<() => void>();
    ledger.room.onPressure(close);
    delivery.letGo();
    expect(close).toHaveBeenCalledOnce();
  });

  it('hurries what lingers when a source waits and the sinks have nothing else, and only then makes the windows close', () => {
    const room = new Room({ maxInFlightBytes: 1000 });
    const told: string[] = [];
    room.onPressure(() => told.push('close'));
    room.onFull(() => told.push('hurry'));
    room.take(500);
    room.atSinks(1);
    room.linger(1);
    void room.reserve(1000);
    expect(told).toEqual([]);
    room.atSinks(-1);
    expect(told).toEqual(['hurry']);
    room.linger(-1);
    expect(told).toEqual(['hurry', 'close']);
  });

  it('makes them close a moment later as often as it is asked to, once a moment', async () => {
    const room = new Room({ maxInFlightBytes: 1000 });
    const close = vi.fn<() => void>();
    room.take(500);
    void room.reserve(1000);
    room.onPressure(close);
    for (const times of [1, 2]) {
      room.relieveSoon();
      room.relieveSoon();
      expect(close).toHaveBeenCalledTimes(times - 1);
      await Promise.resolve();
      expect(close).toHaveBeenCalledTimes(times);
    }
  });

  it('counts that the sinks rest when they have nothing, be it that only waits for company', () => {
    const room = new Room();
    const rests = [room.atSinks(2), room.linger(2)].map(() => room.sinkRests);
    for (const done of [() => room.atSinks(-2), () => room.atSinks(1), () => room.linger(-2), () => room.atSinks(-1)]) {
      done();
      rests.push(room.sinkRests);
    }
    expect(rests).toEqual([0, 0, 0, 0, 0, 1]);
  });

  it('counts that the sinks rest also behind items without a byte', () => {
    const room = new Room();
    room.atSinks(0);
    const before = room.sinkRests;
    room.atSinks(-0);
    room.linger(-0);
    expect(room.sinkRests).toBe(before + 2);
  });

  it('leaves the windows alone when what fills it is only reserved', () => {
    const room = new Room({ maxInFlightBytes: 2000 });
    const close = vi.fn<() => void>();
    room.onPressure(close);
    void room.reserve(1500);
    void room.reserve(2000);
    expect(room.isFull).toBe(true);
    expect(close).not.toHaveBeenCalled();
  });

  it('refuses a limit that is not above zero', () => {
    expect(() => new Room({ maxInFlightBytes: 0 })).toThrow('Room: expected maxInFlightBytes above 0, got 0');
  });
});
