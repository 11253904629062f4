import { describe, expect, it } from 'vitest';
import { OrderBrokenError, OvertakenError, SettledTooEarlyError } from '../../src/errors.ts';
import type { Item } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { Window } from '../../src/operators/window.ts';
import { acceptor } from '../../src/run/accept.ts';
import type { SinkDriver } from '../../src/run/sink-driver.ts';
import { deliver } from '../../src/testing/deliver.ts';

/** As many sinks, which store what they got when they are told to. */
function sinks(count: number) {
  const stored: (() => void)[] = [];
  const driver = { push: (_: Item, done: () => void) => void stored.push(done) };
  return { drivers: Array.from({ length: count }, () => driver as unknown as SinkDriver<Item>), stored };
}

describe('what comes to the sinks', () => {
  it('is in flight, and theirs to make room with, until all of them have stored it', () => {
    const ledger = new Ledger();
    const { delivery, events } = deliver(['a'], ledger);
    const { drivers, stored } = sinks(2);
    acceptor(ledger, drivers)(events[0]);
    delivery.letGo();
    for (const done of stored) {
      expect([ledger.counts().inFlight, ledger.room.hasSomeAtSinks]).toEqual([1, true]);
      done();
    }
    expect(ledger.counts()).toMatchObject({ stored: 1, inFlight: 0 });
    expect(ledger.room.hasSomeAtSinks).toBe(false);
  });

  it('is refused once its delivery is settled, whichever step gave it', () => {
    const ledger = new Ledger();
    const { delivery, events } = deliver(['a'], ledger);
    delivery.letGo();
    expect(() => acceptor(ledger, [])(events[0])).toThrow(SettledTooEarlyError);
  });

  it('comes in the order of its shard; several events of one record may', () => {
    const ledger = new Ledger();
    const [first, second] = deliver(['a', 'b'], ledger).events;
    const accept = acceptor(ledger, sinks(1).drivers);
    for (const event of [first, first!.with('one more'), second, second]) accept(event);
    expect(() => accept(first)).toThrow(OrderBrokenError);
    accept(deliver([{ shard: 'another', raw: 'a' }], ledger).events[0]);
  });

  it('comes behind the last event of a window, not only behind its first', () => {
    const ledger = new Ledger();
    const [first, second, third] = deliver(['a', 'b', 'c'], ledger).events;
    const accept = acceptor(ledger, sinks(1).drivers);
    accept(new Window({ shard: 'shard-1', startMs: 0, endMs: 60_000, part: 0, closedBy: 'grace' }, [first!, third!]));
    expect(() => accept(second)).toThrow(OrderBrokenError);
  });

  it('passes none that a step keeps, be it of its own record: their place would say that this is stored, too', () => {
    const ledger = new Ledger();
    const events = deliver(['a', 'b', 'c'], ledger).events;
    ledger.onKept(() => events[1]!.position);
    const accept = acceptor(ledger, sinks(1).drivers);
    accept(events[0]);
    const around = new Window({ shard: 'shard-1', startMs: 0, endMs: 60_000, part: 0, closedBy: 'grace' }, [
      events[0]!,
      events[2]!,
    ]);
    for (const item of [events[1]!.with('one more'), events[2], around]) expect(() => accept(item)).toThrow(OvertakenError);
  });

  it('is one window of a place: of two that were made of one, an archive would have the second alone', () => {
    const ledger = new Ledger();
    const [event, later] = deliver(['a', 'b'], ledger).events;
    const bounds = { shard: 'shard-1', startMs: 0, endMs: 60_000, part: 0, closedBy: 'grace' } as const;
    const window = new Window(bounds, [event!]);
    const accept = acceptor(ledger, sinks(1).drivers);
    accept(window.with(() => ['one']));
    expect(() => accept(window.with(() => ['two']))).toThrow('got two that begin at 1:0 of shard-1. Of a window make one');
    accept(new Window(bounds, [later!]));
  });
});
