import { EMPTY, NEVER, Subject, from, map, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { deliver } from '../../src/testing/deliver.ts';

const textOf = (data: Uint8Array): string => Buffer.from(data).toString();
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Calls that a test answers by hand. */
function calls(concurrency?: number) {
  const open = new Map<string, PromiseWithResolvers<string>>();
  let most = 0;
  const operator = mapAsync(
    (data: Uint8Array) => {
      const call = Promise.withResolvers<string>();
      open.set(textOf(data), call);
      most = Math.max(most, open.size);
      return call.promise.finally(() => open.delete(textOf(data)));
    },
    concurrency === undefined ? {} : { concurrency },
  );
  return { open, operator, most: () => most };
}

describe('mapAsync', () => {
  it('emits in the order in which events came, whichever call ends first', async () => {
    const { open, operator } = calls();
    const { events, delivery } = deliver(['a', 'b', 'c']);
    const seen: string[] = [];
    from(events)
      .pipe(operator)
      .subscribe((event) => seen.push(event.data));
    delivery.letGo();
    await turn();
    open.get('c')!.resolve('C');
    open.get('a')!.resolve('A');
    await turn();
    expect(seen).toEqual(['A']);
    open.get('b')!.resolve('B');
    await turn();
    expect(seen).toEqual(['A', 'B', 'C']);
  });

  it('emits the events of one record together, because they share its position', async () => {
    const { open, operator } = calls();
    const { events } = deliver(['record', 'next']);
    const [record, next] = events as [Event<Uint8Array>, Event<Uint8Array>];
    const seen: string[] = [];
    from([record.with(Buffer.from('a')), record.with(Buffer.from('b')), next])
      .pipe(operator)
      .subscribe((event) => seen.push(event.data));
    await turn();
    open.get('a')!.resolve('A');
    open.get('next')!.resolve('NEXT');
    await turn();
    expect(seen).toEqual([]);
    open.get('b')!.resolve('B');
    await turn();
    expect(seen).toEqual(['A', 'B', 'NEXT']);
  });

  it('keeps rejects of later records back until its own events are handed on, so that they are stored in order', async () => {
    const { open, operator } = calls();
    const { events, delivery } = deliver(['a', 'b', 'c', 'd', 'e']);
    const rejects: string[] = [];
    delivery.ledger.onReject(({ event }) => rejects.push(textOf(event.origin.raw)));
    const source = new Subject<Event<Uint8Array>>();
    source.pipe(operator).subscribe();
    const why = { step: 'before', code: 'bad', reason: 'bad' };
    events[0]!.reject(why);
    source.next(events[1]!);
    events[2]!.reject(why);
    source.next(events[3]!);
    events[4]!.reject(why);
    await turn();
    expect(rejects).toEqual(['a']);
    open.get('b')!.reject(new Error('no answer'));
    await turn();
    expect(rejects).toEqual(['a', 'b', 'c']);
    open.get('d')!.resolve('D');
    await turn();
    expect(rejects).toEqual(['a', 'b', 'c', 'e']);
  });

  it('tells what it keeps of a shard, and of a record whose events it is handing on nothing more', async () => {
    const { open, operator } = calls();
    const { events, delivery } = deliver(['a', 'b']);
    const kept = (shard: string): string | undefined => delivery.ledger.kept(shard)?.sequence;
    const seen: unknown[] = [];
    from([events[0]!, events[0]!.with(Buffer.from('again')), events[1]!])
      .pipe(operator)
      .subscribe(() => seen.push(kept('shard-1')));
    await turn();
    expect([kept('shard-1'), kept('shard-2')]).toEqual(['1', undefined]);
    for (const call of open.values()) call.resolve('');
    await turn();
    expect(seen).toEqual(['2', '2', undefined]);
  });

  it('keeps rejects of later records back for good once it is left: what it kept before them is read again', async () => {
    const { operator } = calls();
    const { events, delivery } = deliver(['a', 'b']);
    const rejects: string[] = [];
    delivery.ledger.onReject(({ event }) => rejects.push(textOf(event.origin.raw)));
    const source = new Subject<Event<Uint8Array>>();
    const subscription = source.pipe(operator).subscribe();
    source.next(events[0]!);
    events[1]!.reject({ step: 'decode', code: 'bad', reason: 'bad' });
    subscription.unsubscribe();
    delivery.ledger.passRejects('shard-1');
    await turn();
    expect(rejects).toEqual([]);
  });

  it('begins no more calls once it is left', async () => {
    const { open, operator } = calls(1);
    const { events } = deliver(['a', 'b']);
    const subscription = from(events).pipe(operator).subscribe();
    await turn();
    subscription.unsubscribe();
    open.get('a')!.resolve('A');
    await turn();
    expect([...open.keys()]).toEqual([]);
  });

  it('holds an event until it is emitted, and not longer', async () => {
    const { open, operator } = calls();
    const { events, delivery } = deliver(['a']);
    from(events).pipe(operator).subscribe();
    delivery.letGo();
    await turn();
    expect(delivery.isSettled).toBe(false);
    open.get('a')!.resolve('A');
    await turn();
    expect(delivery.isSettled).toBe(true);
  });

  it('has no more calls under way than it may', async () => {
    const { open, operator, most } = calls(2);
    const { events } = deliver(['a', 'b', 'c', 'd', 'e']);
    const seen: string[] = [];
    from(events)
      .pipe(operator)
      .subscribe((event) => seen.push(event.data));
    while (seen.length < 5) {
      await turn();
      for (const [name, call] of open) call.resolve(name);
    }
    expect(most()).toBe(2);
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('makes what a call throws a reject, and goes on', async () => {
    const { events, delivery } = deliver(['a', 'bad', 'worse', 'odd', 'd']);
    const seen: string[] = [];
    const shout = (data: Uint8Array): Promise<string> => {
      if (textOf(data) === 'bad') throw new TypeError('thrown at once');
      // eslint-disable-next-line typescript/prefer-promise-reject-errors -- some do
      if (textOf(data) === 'odd') return Promise.reject(Object.assign(Object.create(null), { status: 503 }));
      return textOf(data) === 'worse' ? Promise.reject(new RangeError('rejected')) : Promise.resolve(textOf(data));
    };
    const reasons: string[] = [];
    delivery.ledger.onReject(({ why }) => reasons.push(`${why.step} ${why.code}: ${why.reason}`));
    from(events)
      .pipe(mapAsync(shout))
      .subscribe((event) => seen.push(event.data));
    await turn();
    expect(seen).toEqual(['a', 'd']);
    expect(reasons).toEqual([
      'mapAsync TypeError: thrown at once',
      'mapAsync RangeError: rejected',
      'mapAsync thrown: [Object: null prototype] { status: 503 }',
    ]);
  });

  it('completes after its last call, and at once when there is none', async () => {
    const { open, operator } = calls();
    let completed = 0;
    const count = { complete: () => void completed++ };
    EMPTY.pipe(operator).subscribe(count);
    expect(completed).toBe(1);
    from(deliver(['a']).events)
      .pipe(operator)
      .subscribe(count);
    await turn();
    expect(completed).toBe(1);
    open.get('a')!.resolve('A');
    await turn();
    expect(completed).toBe(2);
    NEVER.pipe(operator).subscribe(count).unsubscribe();
    expect(completed).toBe(2);
  });

  it('keeps its events unsettled on an error and on unsubscribe', async () => {
    const failing = deliver(['a']);
    const source = new Subject<Event<Uint8Array>>();
    let caught: unknown;
    const { open, operator } = calls();
    source.pipe(operator).subscribe({ error: (error) => (caught = error) });
    source.next(failing.events[0]!);
    source.error('broken');
    failing.delivery.letGo();
    const left = deliver(['b']);
    from(left.events).pipe(operator).subscribe().unsubscribe();
    left.delivery.letGo();
    await turn();
    for (const call of open.values()) call.resolve('late');
    await turn();
    expect(caught).toBe('broken');
    expect([failing.delivery.isSettled, left.delivery.isSettled]).toEqual([false, false]);
    throwError(() => 'at once')
      .pipe(operator)
      .subscribe({ error: (error) => expect(error).toBe('at once') });
  });

  it('keeps an event unsettled on which the next step fails or leaves', async () => {
    const failing = deliver(['a']);
    const fail = map(() => {
      throw new Error('a bug');
    });
    from(failing.events)
      .pipe(
        mapAsync(async () => 'A'),
        fail,
      )
      .subscribe({ error: () => {} });
    failing.delivery.letGo();
    await turn();
    expect(failing.delivery.isSettled).toBe(false);
  });

  it('makes an event that was settled before it came an error of the stream', () => {
    const { operator } = calls();
    const { delivery, events } = deliver(['a']);
    delivery.letGo();
    let ended: unknown;
    from(events)
      .pipe(operator)
      .subscribe({ error: (error: unknown) => (ended = error) });
    expect(String(ended)).toMatch(/hold on a settled delivery/);
  });

  it('refuses a concurrency that is none', () => {
    for (const concurrency of [0, -1, 1.5, Number.NaN])
      expect(() => mapAsync(async (x) => x, { concurrency })).toThrow(/mapAsync: expected/);
  });
});
