import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Read } from '../../src/operators/lookup-source.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { Store, looked, reader, text } from '../support/looked.ts';

describe('lookup', () => {
  it('asks in one call for all that a delivery wants, once for what it wants twice', async () => {
    const store = new Store();
    const { push, out } = looked(store);
    await push('a,b', 'b', 'c');
    expect(store.calls.map(({ keys }) => keys)).toEqual([['a', 'b', 'c']]);
    store.answer(0);
    expect(out).toEqual(['a,b=A,B', 'b=B', 'c=C']);
  });

  it('takes two reads for two whose texts run together', async () => {
    const store = new Store();
    const hget = (key: string, field: string): Read<string> => ({ name: 'HGET', key, args: [field], understand: String });
    const { push, out } = looked(store, { keys: () => [hget('a', 'b c'), hget('a b', 'c')] });
    await push('x');
    store.answer(0);
    expect(out).toEqual(['x=A,A B']);
  });

  it('has one call under way, of no more reads than it may have, and asks for the rest when that is answered', async () => {
    const store = new Store();
    const { push, out } = looked(store, { maxReads: 2 });
    await push('a', 'b', 'c');
    await push('d');
    expect(store.calls.map(({ keys }) => keys)).toEqual([['a', 'b']]);
    store.answer(0);
    await nextTurn();
    expect(store.calls.map(({ keys }) => keys)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    expect(out).toEqual(['a=A', 'b=B']);
    store.answer(1);
    expect(out).toEqual(['a=A', 'b=B', 'c=C', 'd=D']);
  });

  it('asks anew for what came after a call was sent, when it remembers nothing', async () => {
    const store = new Store();
    const { push } = looked(store);
    await push('a');
    await push('a');
    store.answer(0);
    await nextTurn();
    expect(store.calls).toHaveLength(2);
  });

  it('lets an event without keys pass at once, and puts nothing to it', async () => {
    const store = new Store();
    const { push, out } = looked(store, { keys: () => undefined });
    await push('a');
    expect(out).toEqual(['a=']);
    expect(store.calls).toEqual([]);
  });

  it('forgets the oldest answer when it may remember no more', async () => {
    const store = new Store();
    const { push } = looked(store, { cache: { entries: 2, for: { hours: 1 } } });
    for (const key of ['a', 'b', 'c']) {
      await push(key);
      store.answer(store.calls.length - 1);
    }
    await push('b,c');
    expect(store.calls).toHaveLength(3);
    await push('a');
    expect(store.calls).toHaveLength(4);
  });

  it('holds what waits, and settles it when it is out', async () => {
    const store = new Store();
    const { push, ledger } = looked(store);
    await push('a', 'b');
    expect(ledger.counts()).toMatchObject({ read: 2, inFlight: 2 });
    store.answer(0);
    expect(ledger.counts()).toMatchObject({ read: 2, inFlight: 0 });
  });

  it('makes events rejects whose read the store refuses, or whose function throws, and goes on', async () => {
    const store = new Store();
    const keys = (data: Uint8Array): Read<string>[] => {
      if (text(data) === 'bad') throw new Error('no key');
      return [reader(text(data))];
    };
    const attach = (data: Uint8Array): string => {
      if (text(data) === 'worse') throw new TypeError('no value');
      return text(data);
    };
    const { push, out, ledger } = looked(store, { keys, attach });
    const why: unknown[] = [];
    ledger.onReject((reject) => why.push([text(reject.event.data as Uint8Array), reject.why]));
    await push('a', 'bad', 'b', 'worse', 'c');
    store.calls[0]!.done(['A', new Error('WRONGTYPE'), 'W', 'C']);
    expect(out).toEqual(['a', 'c']);
    expect(why).toEqual([
      ['bad', { step: 'lookup', code: 'Error', reason: 'no key' }],
      ['b', { step: 'lookup', code: 'Error', reason: 'WRONGTYPE' }],
      ['worse', { step: 'lookup', code: 'TypeError', reason: 'no value' }],
    ]);
  });

  it('gives out the events of one record together, though the values of one are known: they share its position', async () => {
    const store = new Store();
    const { push, source, out, ledger } = looked(store, { cache: { entries: 9, for: { hours: 1 } } });
    await push('a');
    store.answer(0);
    const { delivery, events } = deliver(['a,b'], ledger);
    source.next(events[0]!.with(Buffer.from('a')));
    source.next(events[0]!.with(Buffer.from('b')));
    delivery.letGo();
    await nextTurn();
    expect(out).toEqual(['a=A']);
    store.answer(1);
    expect(out).toEqual(['a=A', 'a=A', 'b=B']);
    expect(ledger.counts().inFlight).toBe(0);
  });

  it('lets no reject pass an event that waits: it may become one, and rejects are stored in order', async () => {
    const store = new Store();
    const keys = (data: Uint8Array): Read<string>[] => {
      if (text(data) === 'bad') throw new Error('no key');
      return [reader(text(data))];
    };
    const { push, ledger } = looked(store, { keys });
    const rejected: string[] = [];
    ledger.onReject((reject) => rejected.push(text(reject.event.data as Uint8Array)));
    await push('wrong', 'bad');
    // A step before it rejects an event behind them.
    deliver([{ sequence: 3, raw: 'worst' }], ledger).events[0]!.reject({ step: 'decode', code: 'x', reason: 'y' });
    expect(rejected).toEqual([]);
    store.calls[0]!.done([new Error('WRONGTYPE')]);
    expect(rejected).toEqual(['wrong', 'bad', 'worst']);
  });

  it('asks nothing for an event whose keys are not all right', async () => {
    const store = new Store();
    const { push, out, ledger } = looked(store, {
      keys: (data) => (text(data) === 'bad' ? ([reader('x'), undefined] as unknown as Read<string>[]) : [reader(text(data))]),
    });
    const reasons: string[] = [];
    ledger.onReject(({ why }) => reasons.push(why.reason));
    await push('bad', 'a');
    expect(store.calls.map(({ keys }) => keys)).toEqual([['a']]);
    store.answer(0);
    expect(out).toEqual(['a=A']);
    expect(reasons).toEqual([expect.stringContaining('lookup: expected a read at place 1 of keys, got undefined')]);
  });

  it('tells what it keeps, and of a record whose events it is handing on nothing more', async () => {
    const store = new Store();
    const { push, ledger, source } = looked(store, { attach: (data) => `${text(data)} ${ledger.kept('shard-1')?.sequence}` });
    await push('a', 'b');
    expect(ledger.kept('shard-1')?.sequence).toBe('1');
    expect(ledger.kept('shard-2')).toBeUndefined();
    store.answer(0);
    source.complete();
    expect(ledger.kept('shard-1')).toBeUndefined();
  });

  it('tries a call again that failed for a passing reason, tells of it, and ends on another', async () => {
    const store = new Store();
    const { push, told, end, out } = looked(store);
    await push('a');
    store.calls[0]!.done([], Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    await vi.waitFor(() => expect(store.calls).toHaveLength(2), 10_000);
    expect(store.calls[1]!.keys).toEqual(['a']);
    expect(told).toMatchObject([{ type: 'lookup-retry', attempt: 1 }]);
    const broken = new Error('NOAUTH Authentication required.');
    store.calls[1]!.done([], broken);
    expect(end()).toBe(broken);
    expect(out).toEqual([]);
  });

  it('completes when the last event is out, and closes its store however it ends', async () => {
    const store = new Store();
    const { push, source, end } = looked(store);
    await push('a');
    source.complete();
    expect(end()).toBeUndefined();
    store.answer(0);
    expect(end()).toBe('complete');
    expect(store.isClosed).toBe(true);

    const other = new Store();
    const { push: pushOther, subscription, ledger, out } = looked(other);
    await pushOther('a');
    subscription.unsubscribe();
    other.answer(0);
    expect([other.isClosed, out, ledger.counts().inFlight]).toEqual([true, [], 1]);
  });

  it('makes an event that was settled before it came an error of the stream', () => {
    const { source, ledger, end } = looked(new Store());
    const { delivery, events } = deliver(['a'], ledger);
    delivery.letGo();
    source.next(events[0]!);
    expect(String(end())).toMatch(/hold on a settled delivery/);
  });

  it('passes an error of its source on', () => {
    const { source, end } = looked(new Store());
    const lost = new Error('lost');
    source.error(lost);
    expect(end()).toBe(lost);
  });

  it('gives out every event once and in order, with its own values, whatever is remembered and when calls are answered', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.constantFrom('', 'a', 'b', 'c', 'a,b', 'c,d,a'), { minLength: 1, maxLength: 4 }), { maxLength: 8 }),
        fc.array(fc.boolean(), { maxLength: 8 }),
        fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
        fc.integer({ min: 1, max: 3 }),
        async (deliveries, answers, entries, maxReads) => {
          const store = new Store();
          const { push, out, ledger } = looked(store, { maxReads, ...(entries && { cache: { entries, for: { hours: 1 } } }) });
          let answered = 0;
          for (const [i, samples] of deliveries.entries()) {
            await push(...samples);
            if (answers[i] && answered < store.calls.length) store.answer(answered++);
          }
          await nextTurn();
          for (; answered < store.calls.length; await nextTurn()) store.answer(answered++);
          expect(out).toEqual(deliveries.flat().map((keys) => `${keys}=${keys.toUpperCase()}`));
          expect(ledger.counts().inFlight).toBe(0);
          expect(store.calls.every(({ keys }) => keys.length <= maxReads)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('refuses options that are out of their bounds', () => {
    expect(() => looked(new Store(), { maxReads: 0 })).toThrow(RangeError);
    expect(() => looked(new Store(), { cache: { entries: 0, for: { seconds: 1 } } })).toThrow(
      'lookup: expected entries of 1 or more, got 0',
    );
    expect(() => looked(new Store(), { cache: { entries: 1, for: { seconds: 0 } } })).toThrow(RangeError);
  });
});
