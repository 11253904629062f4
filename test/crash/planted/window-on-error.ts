// A window that looks something up for each event and, when a look-up fails, gives out what it has gathered so far. PLANTED=no keeps it back.
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Observable } from 'rxjs';
import { type EnrichedEvent, type Event, Window, named } from '../../../src/index.ts';
import { runPlanted, sayPlanted } from './planted.ts';

const EVERY_MS = 500;
/** Every so many look-ups one takes long; the one of this number fails, in the first run. */
const [SLOW, FAILING, SLOW_MS, FAILS_AFTER_MS] = [10, 45, 400, 200];
const failed = `${process.env['STATE_FILE']}.failed`;

interface Entry {
  readonly event: Event<EnrichedEvent>;
  isDone: boolean;
}

const lookUpWindow = named('lookUpWindow', '', (source: Observable<Event<EnrichedEvent>>) => {
  return new Observable<Window<EnrichedEvent>>((subscriber) => {
    const open: Entry[] = [];
    let count = 0;
    const emit = (entries: readonly Entry[]): void => {
      for (const [shard, own] of Map.groupBy(entries, ({ event }) => event.shard)) {
        const bounds = { shard, startMs: own[0]!.event.arrivedAtMs, endMs: own.at(-1)!.event.arrivedAtMs + 1, part: 0 };
        subscriber.next(
          new Window(
            { ...bounds, closedBy: 'grace' },
            own.map(({ event }) => event),
          ),
        );
        for (const { event } of own) event.release();
      }
    };
    const emitFirst = (): void => {
      const undone = open.findIndex(({ isDone }) => !isDone);
      emit(open.splice(0, undone < 0 ? open.length : undone));
    };
    const fail = async (): Promise<void> => {
      writeFileSync(failed, '');
      clearInterval(timer);
      if (process.env['PLANTED'] !== 'no') emit(open.filter(({ isDone }) => isDone));
      sayPlanted();
      await sleep(EVERY_MS);
      subscriber.error(new Error('a look-up failed'));
    };
    const lookUp = async (entry: Entry, number: number): Promise<void> => {
      if (number === FAILING && !existsSync(failed)) {
        await sleep(FAILS_AFTER_MS);
        return fail();
      }
      if (number % SLOW === 0) await sleep(SLOW_MS);
      entry.isDone = true;
    };
    const timer = setInterval(emitFirst, EVERY_MS);
    subscriber.add(() => clearInterval(timer));
    subscriber.add(
      source.subscribe({
        next(event) {
          event.hold();
          const entry = { event, isDone: false };
          open.push(entry);
          void lookUp(entry, count++);
        },
        error: (error) => subscriber.error(error),
        async complete() {
          await sleep(2 * SLOW_MS);
          emitFirst();
          subscriber.complete();
        },
      }),
    );
  });
});

await runPlanted({ window: lookUpWindow });
