import { describe, expect, it, vi } from 'vitest';
import { Ledger, Outcome, RECORD_OVERHEAD_BYTES } from '../src/ledger.ts';
import { deliver } from '../src/testing/deliver.ts';

describe('ledger', () => {
  it('settles a delivery when the source has let go and nobody holds it', () => {
    const { delivery, events } = deliver(['a', 'b']);
    events[0]!.hold();
    delivery.letGo();
    expect(delivery.isSettled).toBe(false);
    events[0]!.release();
    expect(delivery.isSettled).toBe(true);
  });

  it('keeps the checkpoint behind the first unsettled delivery of a shard', () => {
    const ledger = new Ledger();
    const first = deliver([{ raw: 'a', sequence: 1 }], ledger);
    const second = deliver([{ raw: 'b', sequence: 2 }], ledger);
    second.delivery.letGo();
    expect(ledger.checkpoint('shard-1')).toBeUndefined();
    first.delivery.letGo();
    expect(ledger.checkpoint('shard-1')).toEqual({ shard: 'shard-1', sequence: '2', subSequence: 0 });
  });

  it('keeps the checkpoints of shards apart', () => {
    const ledger = new Ledger();
    deliver([{ raw: 'a', shard: 'one' }], ledger);
    deliver([{ raw: 'b', shard: 'two' }], ledger).delivery.letGo();
    expect(ledger.checkpoint('one')).toBeUndefined();
    expect(ledger.checkpoint('two')?.sequence).toBe('1');
  });

  it('tells when nothing of a shard is in flight', async () => {
    const ledger = new Ledger();
    await ledger.whenSettled('one');
    const first = deliver([{ raw: 'a', shard: 'one' }], ledger);
    const second = deliver([{ raw: 'b', shard: 'one', sequence: 2 }], ledger);
    deliver([{ raw: 'c', shard: 'two' }], ledger);
    let isSettled = false;
    const settled = ledger.whenSettled('one').then(() => (isSettled = true));
    second.delivery.letGo();
    await Promise.resolve();
    expect(isSettled).toBe(false);
    first.delivery.letGo();
    await settled;
  });

  it('tells of a shard that was read to its end to all who listen, in the order in which they came', () => {
    const ledger = new Ledger();
    const told: string[] = [];
    ledger.onShardEnd((shard) => told.push(`first ${shard}`));
    const end = ledger.onShardEnd((shard) => told.push(`second ${shard}`));
    ledger.endShard('a');
    end();
    ledger.endShard('b');
    expect(told).toEqual(['first a', 'second a', 'first b']);
    expect([ledger.hasEnded('a'), ledger.hasEnded('c')]).toEqual([true, false]);
  });

  it('counts each record once: read = stored + dropped + rejected + in flight', () => {
    const ledger = new Ledger();
    const { delivery, events } = deliver(['stored', 'twice', 'repeat', 'bad', 'filtered'], ledger);
    expect(ledger.counts()).toMatchObject({ read: 5, inFlight: 5 });
    ledger.onReject((reject) => {
      reject.mark(Outcome.rejected);
      reject.release();
    });
    events[0]!.mark(Outcome.stored);
    events[1]!.mark(Outcome.stored);
    events[1]!.with('its twin').mark(Outcome.stored);
    events[2]!.drop('dedupe');
    events[3]!.reject({ step: 'decode', code: 'column_count', reason: 'expected 131 columns, got 3' });
    delivery.letGo();
    expect(ledger.counts()).toEqual({ read: 5, stored: 2, dropped: { filter: 1, dedupe: 1 }, rejected: 1, inFlight: 0 });
  });

  it('lets a reject win over a store, and a store over a drop', () => {
    const ledger = new Ledger();
    const { delivery, events } = deliver(['a', 'b'], ledger);
    events[0]!.mark(Outcome.rejected);
    events[0]!.mark(Outcome.stored);
    events[1]!.mark(Outcome.stored);
    events[1]!.drop('dedupe');
    delivery.letGo();
    expect(ledger.counts()).toMatchObject({ stored: 1, rejected: 1, dropped: { dedupe: 0 } });
  });

  it('keeps a reject in flight until somebody has stored it, also when nobody was there to take it', () => {
    const ledger = new Ledger();
    const { delivery, events } = deliver(['bad'], ledger);
    events[0]!.reject({ step: 'decode', code: 'x', reason: 'y' });
    delivery.letGo();
    expect(ledger.counts().inFlight).toBe(1);
    ledger.onReject((reject) => reject.release());
    expect(ledger.counts().inFlight).toBe(0);
  });

  it('keeps an earlier delivery in flight until the later one that carries its record is settled', () => {
    const ledger = new Ledger();
    const first = deliver([{ raw: 'a', sequence: 1 }], ledger);
    const second = deliver([{ raw: 'b', sequence: 2 }], ledger);
    second.delivery.holdUntilSettled(first.delivery);
    first.delivery.letGo();
    expect(first.delivery.isSettled).toBe(false);
    second.delivery.letGo();
    expect(first.delivery.isSettled).toBe(true);
    expect(ledger.checkpoint('shard-1')?.sequence).toBe('2');
  });

  it('throws on a hold and on a release of a settled delivery', () => {
    const { delivery } = deliver(['a']);
    delivery.letGo();
    expect(() => delivery.hold()).toThrow(/settled delivery of shard-1/);
    expect(() => delivery.release()).toThrow(/without a hold/);
  });

  it('gives room in the order it was asked for, and never beyond the limit', async () => {
    const ledger = new Ledger({ maxInFlightBytes: 2000 });
    const order: string[] = [];
    await ledger.reserve(1500);
    void ledger.reserve(1000).then(() => order.push('large'));
    void ledger.reserve(100).then(() => order.push('small'));
    await Promise.resolve();
    expect(ledger.isFull).toBe(true);
    expect(order).toEqual([]);
    ledger.unreserve(1500);
    await Promise.resolve();
    await Promise.resolve();
    expect(order).toEqual(['large', 'small']);
  });

  it('gives room for more than the whole limit once nothing else is in flight', async () => {
    const ledger = new Ledger({ maxInFlightBytes: 10 });
    await ledger.reserve(1000);
    ledger.unreserve(1000);
    expect(ledger.isFull).toBe(false);
  });

  it('makes the windows close when a source waits and the sinks have nothing', () => {
    const ledger = new Ledger({ maxInFlightBytes: 2 * RECORD_OVERHEAD_BYTES });
    const close = vi.fn<() => void>();
    ledger.onPressure(close);
    deliver(['a'], ledger);
    ledger.atSinks(1);
    void ledger.reserve(2 * RECORD_OVERHEAD_BYTES);
    expect(close).not.toHaveBeenCalled();
    ledger.atSinks(-1);
    expect(close).toHaveBeenCalledOnce();
  });

  it('hurries what lingers when a source waits and the sinks have nothing else, and only then makes the windows close', () => {
    const ledger = new Ledger({ maxInFlightBytes: 2 * RECORD_OVERHEAD_BYTES });
    const told: string[] = [];
    ledger.onPressure(() => told.push('close'));
    ledger.onFull(() => told.push('hurry'));
    deliver(['a'], ledger);
    ledger.atSinks(1);
    ledger.linger(1);
    void ledger.reserve(2 * RECORD_OVERHEAD_BYTES);
    expect(told).toEqual([]);
    ledger.atSinks(-1);
    expect(told).toEqual(['hurry']);
    ledger.linger(-1);
    expect(told).toEqual(['hurry', 'close']);
  });

  it('counts that the sinks rest also behind items without a byte', () => {
    const ledger = new Ledger();
    ledger.atSinks(0);
    const before = ledger.sinkRests;
    ledger.atSinks(-0);
    ledger.linger(-0);
    expect(ledger.sinkRests).toBe(before + 2);
  });

  it('leaves the windows alone when what fills it is only reserved', () => {
    const ledger = new Ledger({ maxInFlightBytes: 2000 });
    const close = vi.fn<() => void>();
    ledger.onPressure(close);
    void ledger.reserve(1500);
    void ledger.reserve(1500);
    expect(ledger.isFull).toBe(true);
    expect(close).not.toHaveBeenCalled();
  });

  it('refuses a limit that is not above zero', () => {
    expect(() => new Ledger({ maxInFlightBytes: 0 })).toThrow(RangeError);
  });
});
