import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { archived, byMinute, byNumber, expected, live, onePerEvent, scratchStores, someEvents } from './archive-protocol.ts';

const events = someEvents(7);
const all = expected(events);

let stores: Awaited<ReturnType<typeof scratchStores>>;
beforeEach(async () => {
  stores = await scratchStores();
});
afterEach(() => stores.close());

/** A store whose calls take place one at a time, in the order that the scheduler draws. */
function scheduled(store: ObjectStore, scheduler: fc.Scheduler): ObjectStore {
  const inTurn = <A extends unknown[], R>(act: (...args: A) => Promise<R>): ((...args: A) => Promise<R>) => {
    // A failure goes through the scheduler as a value, which else reports it as unhandled.
    const turn = scheduler.scheduleFunction(async (...args: A) => (await Promise.allSettled([act(...args)]))[0]);
    return async (...args) => {
      const result = await turn(...args);
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    };
  };
  return {
    describe: store.describe,
    async open(context) {
      const open = await store.open(context);
      return {
        head: inTurn((key) => open.head(key)),
        get: inTurn((key) => open.get(key)),
        put: inTurn((key, body, options) => open.put(key, body, options)),
        list: (prefix) => open.list(prefix),
        close: () => open.close(),
      };
    },
  };
}

test('three owners in any order of their steps store each line once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.constantFrom(byMinute, onePerEvent), { minLength: 3, maxLength: 3 }),
      async (scheduler, cuts) => {
        const store = stores.make();
        const owners = cuts.map((cut) => live(scheduled(store, scheduler), events, cut));
        const outcomes = await scheduler.waitFor(Promise.all(owners));
        // The last one to take over is refused by nobody.
        expect(outcomes.filter(({ error }) => error === undefined).length).toBeGreaterThan(0);
        for (const { error } of outcomes) if (error !== undefined) expect(error).toBeInstanceOf(FencedError);
        expect((await archived(store)).sort(byNumber)).toEqual(all);
      },
    ),
    { numRuns: 150 },
  );
}, 120_000);
