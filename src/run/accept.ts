import { OrderBrokenError, OvertakenError, SettledTooEarlyError } from '../errors.ts';
import { type Item, isItem } from '../event.ts';
import { type Position, comparePositions, formatResume } from '../position.ts';
import { type Ledger, Outcome } from '../ledger.ts';
import { Window } from '../operators/window.ts';
import { wordFor } from '../sinks/word-for.ts';
import type { SinkDriver } from './sink-driver.ts';

/**
 * Hands each item to every sink, holds it until all have stored it, and sees that it comes in order, unsettled, and before whatever else of
 * its shard a step keeps: a sink's position says that all before it is stored.
 */
export function acceptor(ledger: Ledger, drivers: readonly SinkDriver<Item>[]): (item: unknown) => void {
  const latest = new Map<string, Position>();
  /** By shard, where the last window began. */
  const begins = new Map<string, Position>();
  return (item) => {
    if (!isItem(item))
      throw new TypeError(
        `run: expected events or windows at the sinks, got ${wordFor(item)}. To change what an event holds, write ` +
          'map((event) => event.with(event.data.x)), or transform((data) => data.x)',
      );
    const { shard, last } = item;
    if (item.isSettled) throw new SettledTooEarlyError('a step', item.first);
    const before = latest.get(shard);
    if (item instanceof Window) {
      const begin = begins.get(shard);
      if (begin && comparePositions(item.first, begin) === 0) throw new TypeError(twoOfOne(item));
      begins.set(shard, item.first);
    }
    if (before && comparePositions(item.first, before) < 0) throw new OrderBrokenError('run', before, item.first);
    const kept = ledger.kept(shard);
    if (kept && comparePositions(kept, last) <= 0) throw new OvertakenError(kept, last);
    latest.set(shard, last);

    item.hold();
    ledger.room.atSinks(item.sizeBytes);
    let missing = drivers.length;
    const done = (): void => {
      if (--missing > 0) return;
      item.mark(Outcome.stored);
      item.release();
      ledger.room.atSinks(-item.sizeBytes);
    };
    for (const driver of drivers) driver.push(item, done);
  };
}

/** No position lies between them: a commit that has the one counts as one of both, and an archive has one key for both. */
function twoOfOne({ shard, first }: Item): string {
  return (
    `run: expected one window behind the other, got two that begin at ${formatResume(first)} of ${shard}. Of a window make one: ` +
    'what is made of its events is all in window.with, and a part of the events is for a pipeline of its own, with a filter before minuteWindow'
  );
}
