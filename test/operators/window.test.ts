import { expect, it } from 'vitest';
import { Ledger, Outcome } from '../../src/ledger.ts';
import { Window } from '../../src/operators/window.ts';
import { deliver } from '../../src/testing/deliver.ts';

const bounds = { shard: 'shard-1', startMs: 0, endMs: 60_000, part: 0, closedBy: 'grace' } as const;
const at = (sequence: number) => ({ shard: 'shard-1', sequence: String(sequence), subSequence: 0 });

/** A window of the records 2 to 4, in two deliveries. */
function windowOf() {
  const ledger = new Ledger();
  const [first, second] = [['a', 'b'], ['c']].map((raws, i) =>
    deliver(
      raws.map((raw, j) => ({ raw, sequence: 2 + i * 2 + j })),
      ledger,
    ),
  ) as [ReturnType<typeof deliver>, ReturnType<typeof deliver>];
  return { ledger, first, second, window: new Window(bounds, [...first.events, ...second.events]) };
}

it('is itself behind what lies before it, has the rest of its events behind one of them, and is nothing behind all', () => {
  const { window } = windowOf();
  expect(window.after(at(1))).toBe(window);
  const sequences = [2, 3].map((sequence) => window.after(at(sequence))!.events.map(({ position }) => position.sequence));
  expect(sequences).toEqual([['3', '4'], ['4']]);
  expect(window.after(at(3))).toMatchObject({ bounds, count: 1, sizeBytes: 1 });
  expect([window.after(at(4)), window.after(at(5))]).toEqual([undefined, undefined]);
});

it('keeps each of its deliveries in flight once, and is settled when one of them is', () => {
  const { window, first, second, ledger } = windowOf();
  window.hold();
  for (const { delivery } of [first, second]) delivery.letGo();
  expect([first.delivery.isSettled, second.delivery.isSettled, window.isSettled]).toEqual([false, false, false]);
  window.mark(Outcome.stored);
  window.release();
  expect(ledger.counts()).toMatchObject({ stored: 3, inFlight: 0 });

  const other = windowOf();
  other.second.delivery.letGo();
  expect(other.window.isSettled).toBe(true);
});

it('is never empty', () => {
  expect(() => new Window(bounds, [])).toThrow(new RangeError('Window: expected at least one event of shard-1, got none'));
});
