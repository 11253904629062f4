import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { InterruptedError, type Mishap, interrupted } from '../support/interrupted-store.ts';
import {
  type Cut,
  archived,
  behind,
  byMinute,
  byNumber,
  expected,
  live,
  onePerEvent,
  persist,
  scratchStores,
  someEvents,
  withoutThirds,
} from './archive-protocol.ts';

const events = someEvents(8);
/** Calls of a whole run over three windows: 2 to acquire, then a document and an object by turns, and two last documents. */
const CALLS = 10;
const steps = Array.from({ length: CALLS }, (_, at) => at);
const cuts: [string, Cut][] = [
  ['the same windows', byMinute],
  ['windows that close early', onePerEvent],
  ['windows that begin elsewhere', withoutThirds],
];

let stores: Awaited<ReturnType<typeof scratchStores>>;
beforeEach(async () => {
  stores = await scratchStores();
});
afterEach(() => stores.close());
const newStore = (): ObjectStore => stores.make();

async function expectExactly(store: ObjectStore, lines: readonly string[], why: string): Promise<void> {
  expect((await archived(store)).sort(byNumber), why).toEqual(lines);
}

test('a run takes as many steps as the tests below interrupt', async () => {
  const store = interrupted(newStore(), {});
  expect(await live(store, events, byMinute)).toEqual({ from: undefined });
  expect(store.calls()).toBe(CALLS);
});

describe.each(cuts)('after a run that was killed at any step, another with %s', (_, cut) => {
  test.each<Mishap>(['lost', 'unanswered', 'late'])('stores each line once, the last call being %s', async (mishap) => {
    for (const at of steps) {
      const store = newStore();
      const killed = interrupted(store, { at, mishap });
      expect((await live(killed, events, byMinute)).error).toBeInstanceOf(InterruptedError);
      const second = await live(store, events, cut);
      expect(second.error).toBeUndefined();
      await killed.release();
      await expectExactly(store, expected(events, cut === withoutThirds ? second : undefined), `${mishap} at ${at}`);
      // Nothing is left to do, and doing it again changes nothing.
      expect(await live(store, events, cut)).toMatchObject({ from: events.at(-1)!.position });
      await expectExactly(store, expected(events, cut === withoutThirds ? second : undefined), `${mishap} at ${at}, again`);
    }
  });

  test('stores each line once when it is killed too, and a third one follows', async () => {
    for (const at of steps)
      for (const again of steps.filter((step) => (step + at) % 3 === 0)) {
        const store = newStore();
        const first = interrupted(store, { at, mishap: 'late' });
        await live(first, events, byMinute);
        const second = interrupted(store, { at: again, mishap: 'late' });
        await live(second, events, cut);
        const third = await live(store, events, byMinute);
        expect(third.error).toBeUndefined();
        await first.release();
        await second.release();
        const lines = await archived(store);
        expect(new Set(lines).size, `${at}, ${again}: ${lines.join()}`).toBe(lines.length);
        // What the second one finished, it finished in its own way.
        const must = expected(events, cut === withoutThirds ? { from: undefined } : undefined);
        const tail = behind(events, third.from).map(({ position }) => position.sequence);
        expect(lines, `${at}, ${again}`).toEqual(expect.arrayContaining([...must, ...tail]));
      }
  });

  test('stores each line once while the first one, only stalled, goes on later', async () => {
    for (const at of steps) {
      const store = newStore();
      const zombie = interrupted(store, { at, mishap: 'stalled' });
      const stale = live(zombie, events, byMinute);
      await zombie.reached;
      const second = await live(store, events, cut);
      expect(second.error).toBeUndefined();
      await zombie.release();
      const { error } = await stale;
      // Stalled in taking over, it takes over from the second; after that it is refused, at the latest when it moves the position.
      if (at >= 2) expect(error, `stalled at ${at}`).toBeInstanceOf(FencedError);
      await expectExactly(store, expected(events, cut === withoutThirds ? second : undefined), `stalled at ${at}`);
    }
  });

  test('stores each line once when a stalled one wakes in the midst of it', async () => {
    for (const at of steps.slice(2))
      for (const midst of steps.slice(2).filter((step) => (step + at) % 2 === 0)) {
        const store = newStore();
        const zombie = interrupted(store, { at, mishap: 'stalled' });
        const stale = live(zombie, events, byMinute);
        await zombie.reached;
        const slow = interrupted(store, { at: midst, mishap: 'stalled' });
        const second = live(slow, events, cut);
        await Promise.race([slow.reached, second]);
        await zombie.release();
        expect((await stale).error, `${at}, ${midst}`).toBeInstanceOf(FencedError);
        await slow.release();
        const outcome = await second;
        expect(outcome.error, `${at}, ${midst}`).toBeUndefined();
        await expectExactly(store, expected(events, cut === withoutThirds ? outcome : undefined), `${at}, ${midst}`);
      }
  });
});

test.each<Mishap>(['lost', 'unanswered', 'late'])(
  'a run that meets a %s call and repeats what is missing stores each line once',
  async (mishap) => {
    for (const at of steps) {
      const store = newStore();
      const faulty = interrupted(store, { at, mishap, isDeadly: false });
      expect((await persist(faulty, events, byMinute)).error, `${mishap} at ${at}`).toBeUndefined();
      await faulty.release();
      await expectExactly(store, expected(events), `${mishap} at ${at}`);
    }
  },
);

test('a batch for each window is as safe as one for all', async () => {
  for (const at of steps) {
    const store = newStore();
    const killed = interrupted(store, { at, mishap: 'late' });
    await live(killed, events, byMinute, false);
    expect((await live(store, events, withoutThirds, false)).error).toBeUndefined();
    await killed.release();
    const lines = await archived(store);
    expect(new Set(lines).size).toBe(lines.length);
  }
});
