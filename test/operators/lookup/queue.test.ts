import { setImmediate as nextTurn } from 'node:timers/promises';
import { Subject, VirtualTimeScheduler, map, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../../src/event.ts';
import type { Read } from '../../../src/operators/lookup-source.ts';
import { lookup } from '../../../src/operators/lookup.ts';
import { deliver } from '../../../src/testing/deliver.ts';
import { Store, looked, reader, text } from '../../support/looked.ts';

const lost = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
const why = { step: 'decode', code: 'bad', reason: 'bad' };

describe('what lookup remembers', () => {
  it('is asked for anew once its time is over, by when the newest event of any shard was read', async () => {
    const store = new Store();
    const { push } = looked(store, { cache: { entries: 9, for: { seconds: 1 } } });
    const calls = async (raw: string, arrivedAtMs: number, shard = 'shard-1'): Promise<number> => {
      const before = store.calls.length;
      await push({ shard, raw, arrivedAtMs });
      if (store.calls.length > before) store.answer(before);
      return store.calls.length;
    };
    expect(await calls('a', 1000)).toBe(1);
    expect(await calls('a', 1999)).toBe(1);
    expect(await calls('a', 2000)).toBe(2);
    // That of another shard lay there for longer.
    expect(await calls('b', 1500, 'shard-2')).toBe(3);
    expect(await calls('b', 2999, 'shard-2')).toBe(3);
    expect(await calls('b', 3000)).toBe(4);
  });

  it('is no answer that nobody understood', async () => {
    const store = new Store();
    const understand = (answer: unknown): string => {
      if (answer === 'A' && store.calls.length === 1) throw new SyntaxError('no JSON');
      return String(answer);
    };
    const { push, out, ledger } = looked(store, {
      keys: (data) => [{ ...reader(text(data)), understand }],
      cache: { entries: 9, for: { hours: 1 } },
    });
    const codes: string[] = [];
    ledger.onReject((reject) => codes.push(reject.why.code));
    await push('a');
    store.answer(0);
    await push('a');
    store.answer(1);
    expect([codes, out]).toEqual([['SyntaxError'], ['a=A']]);
  });

  it('is told apart by the command that read it', async () => {
    const store = new Store();
    const read = (name: string): Read<string> => ({ name, key: 'a', args: [], understand: String });
    const { push, out } = looked(store, { keys: () => [read('GET'), read('TYPE')] });
    await push('x');
    store.calls[0]!.done(['1', 'string']);
    expect(out).toEqual(['x=1,string']);
  });
});

describe('a call of lookup that failed', () => {
  it('is tried again after a wait that doubles up to two seconds, and begins with the shortest after an answer', () => {
    const [store, scheduler] = [new Store(), new VirtualTimeScheduler()];
    const { source, ledger, told } = looked(store, { scheduler });
    const waits: number[] = [];
    const fail = (): void => {
      const failedAt = scheduler.now();
      store.calls.at(-1)!.done([], lost());
      scheduler.flush();
      waits.push(scheduler.now() - failedAt);
    };
    source.next(deliver(['a'], ledger).events[0]!);
    scheduler.flush();
    for (let i = 0; i < 8; i++) fail();
    expect(waits).toEqual([50, 100, 200, 400, 800, 1600, 2000, 2000]);
    store.answer(store.calls.length - 1);
    source.next(deliver(['b'], ledger).events[0]!);
    scheduler.flush();
    fail();
    expect(waits.at(-1)).toBe(50);
    expect(told.map((one) => one.type === 'lookup-retry' && one.delayMs)).toEqual(waits);
  });

  it('is not tried again once its events are waited for no more', async () => {
    const store = new Store();
    const { push, subscription, told } = looked(store);
    await push('a');
    subscription.unsubscribe();
    store.calls[0]!.done([], lost());
    expect(told).toEqual([]);
  });
});

describe('lookup that is left', () => {
  it('makes no call that was due', async () => {
    const store = new Store();
    const { source, ledger, subscription } = looked(store);
    source.next(deliver(['a'], ledger).events[0]!);
    subscription.unsubscribe();
    await nextTurn();
    expect(store.calls).toEqual([]);
  });

  it('makes no call again for which it waited', () => {
    const [store, scheduler] = [new Store(), new VirtualTimeScheduler()];
    const { source, ledger, subscription } = looked(store, { scheduler });
    source.next(deliver(['a'], ledger).events[0]!);
    scheduler.flush();
    store.calls[0]!.done([], lost());
    subscription.unsubscribe();
    scheduler.flush();
    expect(store.calls).toHaveLength(1);
  });

  it('keeps rejects of later records back for good: what it kept before them is read again', async () => {
    const { source, ledger, subscription } = looked(new Store());
    const { events } = deliver(['a', 'b'], ledger);
    const rejects: string[] = [];
    ledger.onReject(({ event }) => rejects.push(text(event.origin.raw)));
    source.next(events[0]!);
    events[1]!.reject(why);
    subscription.unsubscribe();
    ledger.passRejects('shard-1');
    await nextTurn();
    expect(rejects).toEqual([]);
  });

  it.each([
    [
      'fails',
      map<Event<string>, Event<string>>(() => {
        throw new Error('a bug');
      }),
    ],
    ['leaves', take<Event<string>>(1)],
  ])('as the next step %s on an event does not settle that event, nor those behind it', async (_, next) => {
    const store = new Store();
    const source = new Subject<Event<Uint8Array>>();
    let given = 0;
    const counted = map((event: Event<string>) => (given++, event));
    const attach = (data: Uint8Array, [value]: readonly string[]): string => `${text(data)}${value}`;
    source.pipe(lookup({ from: store, keys: () => [reader('a')], attach }), counted, next).subscribe({ error: () => {} });
    const { delivery, events } = deliver(['a']);
    const behind = deliver(['b']);
    for (const event of [...events, ...behind.events]) source.next(event);
    delivery.letGo();
    behind.delivery.letGo();
    await nextTurn();
    store.answer(0);
    expect([given, delivery.isSettled, behind.delivery.isSettled]).toEqual([1, false, false]);
  });
});

describe('what lookup keeps', () => {
  it('lets rejects behind it go on once it is handed on', async () => {
    const store = new Store();
    const { source, ledger } = looked(store);
    const { events } = deliver(['a', 'b', 'c'], ledger);
    const rejects: string[] = [];
    ledger.onReject(({ event }) => rejects.push(text(event.origin.raw)));
    source.next(events[0]!);
    events[1]!.reject(why);
    await nextTurn();
    expect(rejects).toEqual([]);
    store.answer(0);
    expect(rejects).toEqual(['b']);
  });

  it('is no more what belongs to the record that it is handing on', async () => {
    const store = new Store();
    const { source, ledger, out } = looked(store, { attach: (data) => `${text(data)} ${ledger.kept('shard-1')?.sequence}` });
    const { events } = deliver(['a', 'b'], ledger);
    for (const event of [events[0]!, events[0]!, events[1]!]) source.next(event);
    await nextTurn();
    store.answer(0);
    expect(out).toEqual(['a 2', 'a 2', 'b undefined']);
  });
});
