import { describe, expect, it } from 'vitest';
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
    const third = deliver([{ raw: 'c', sequence: 3 }], ledger);
    second.delivery.letGo();
    expect(ledger.checkpoint('shard-1')).toBeUndefined();
    first.delivery.letGo();
    expect(ledger.checkpoint('shard-1')).toEqual({ shard: 'shard-1', sequence: '2', subSequence: 0 });
    third.delivery.letGo();
    expect(ledger.checkpoint('shard-1')?.sequence).toBe('3');
  });

  it('tells what of a shard is in flight: only what is not settled, before and behind it', () => {
    const ledger = new Ledger();
    const deliveries = ['a', 'bc', 'def', 'ghij', 'klmno'].map((raw, i) => deliver([{ raw, sequence: i + 1 }], ledger).delivery);
    for (const settled of [0, 2]) deliveries[settled]!.letGo();
    expect(ledger.inFlight('shard-1')).toMatchObject({ count: 3, sizeBytes: 11, readAtMs: [0, 0, 0] });
    expect(ledger.inFlight('shard-2')).toMatchObject({ count: 0, sizeBytes: 0, readAtMs: [] });
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
    expect(ledger.isSettled('one')).toBe(true);
    await ledger.whenSettled('one');
    const first = deliver([{ raw: 'a', shard: 'one' }], ledger);
    const second = deliver([{ raw: 'b', shard: 'one', sequence: 2 }], ledger);
    deliver([{ raw: 'c', shard: 'two' }], ledger);
    let isSettled = false;
    const settled = ledger.whenSettled('one').then(() => (isSettled = true));
    second.delivery.letGo();
    await Promise.resolve();
    expect(isSettled).toBe(false);
    const other = ledger.whenSettled('one');
    first.delivery.letGo();
    await Promise.all([settled, other]);
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
    // In the other order, too: of one record, one event may be dropped, another one stored and a third one rejected.
    const other = deliver(['c', 'd'], ledger);
    for (const event of other.events) event.drop('dedupe');
    for (const event of other.events) event.mark(Outcome.stored);
    other.events[0]!.mark(Outcome.rejected);
    other.delivery.letGo();
    expect(ledger.counts()).toMatchObject({ stored: 2, rejected: 2, dropped: { dedupe: 0 } });
  });

  it('has state made durable only once all of it is', async () => {
    const ledger = new Ledger();
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    ledger.onBeforeCommit(() => first.promise);
    ledger.onBeforeCommit(() => second.promise);
    let isDurable = false;
    const flushed = ledger.flushState().then(() => (isDurable = true));
    first.resolve();
    await new Promise(setImmediate);
    expect(isDurable).toBe(false);
    second.reject(new Error('full'));
    await expect(flushed).rejects.toThrow('full');
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

  it('names the shards of which more may come, be it only to settle', () => {
    const ledger = new Ledger();
    for (const shard of ['shard-1', 'read', 'not-yet']) ledger.expect(shard);
    const { delivery } = deliver(['a'], ledger);
    for (const shard of ['shard-1', 'read']) ledger.endShard(shard);
    expect([...ledger.unfinished()]).toEqual(['shard-1', 'not-yet']);
    delivery.letGo();
    expect([...ledger.unfinished()]).toEqual(['not-yet']);
    expect(ledger.hasEnded('read')).toBe(true);
  });

  it('takes a delivery in before it gives back what was reserved for it: nobody is let in in between', async () => {
    const ledger = new Ledger({ maxInFlightBytes: 2 * RECORD_OVERHEAD_BYTES });
    const { shard, position: last } = deliver(['a']).events[0]!;
    await ledger.room.reserve(2 * RECORD_OVERHEAD_BYTES);
    void ledger.room.reserve(RECORD_OVERHEAD_BYTES);
    const options = { shard, last, count: 1, sizeBytes: 1, readAtMs: 0, reservedBytes: 2 * RECORD_OVERHEAD_BYTES };
    const delivery = ledger.open(options);
    expect(ledger.room.isFull).toBe(true);
    delivery.letGo();
    expect(ledger.room.isFull).toBe(false);
  });

  it('has a number for 199 steps that drop, which none shares with what is stored', () => {
    const ledger = new Ledger();
    for (let code = 1; code <= Outcome.lastDrop; code++) expect(ledger.dropCode(`step ${code}`)).toBe(code);
    expect(ledger.dropCode('step 7')).toBe(7);
    expect(() => ledger.dropCode('one more')).toThrow(new RangeError('Ledger: more than 199 steps drop events'));
  });

  it('keeps no delivery in flight for its own sake', () => {
    const { delivery } = deliver(['a', 'b']);
    delivery.holdUntilSettled(delivery);
    delivery.letGo();
    expect(delivery.isSettled).toBe(true);
  });

  it('throws on a hold and on a release of a settled delivery', () => {
    const { delivery } = deliver(['a']);
    delivery.letGo();
    expect(() => delivery.hold()).toThrow(/settled delivery of shard-1/);
    expect(() => delivery.release()).toThrow(/without a hold/);
  });
});
