import type { Duration } from 'date-fns';
import { Observable, type OperatorFunction, type SchedulerLike, type Subscription, asyncScheduler } from 'rxjs';
import { checkCounts } from '../check-counts.ts';
import { MAX_TIMER_MS, durationMs, inWords } from '../duration.ts';
import type { Delivery } from '../delivery.ts';
import type { Event } from '../event.ts';
import type { Ledger } from '../ledger.ts';
import { steady } from '../steady.ts';
import { Chain, type EventStepsList } from './event-steps.ts';
import { named } from './named.ts';
import { ShortCut } from './short-cut.ts';
import type { MakeData } from './minute-window/contents.ts';
import { windowSteps } from './minute-window/steps.ts';
import type { Window } from './window.ts';

export interface MinuteWindowOptions {
  /**
   * The length of a window; each begins at a multiple of it since 1970.
   *
   * @default { minutes: 1 }
   */
  readonly every?: Duration;
  /**
   * How long a window stays open after its end, for events that are still on their way; may be zero.
   *
   * @default { seconds: 5 }
   */
  readonly grace?: Duration;
  /**
   * A window closes before it would hold more events.
   *
   * @default 50_000
   */
  readonly maxEvents?: number;
  /**
   * A window closes before its records would have more bytes at the source. A greater record is a window of its own.
   *
   * @default 33_554_432 (32 MiB)
   */
  readonly maxBytes?: number;
  /**
   * The clock that closes a window after its grace; the same one that tells the source when it reads.
   *
   * @default asyncScheduler
   */
  readonly scheduler?: SchedulerLike;
}

/**
 * Gathers the events of each shard minute by minute, by arrival time.
 *
 *     minutes 0-----1-----2--
 *     source  -a--b--c-----|
 *     result  -------x-----(y|)     x = [a, b], y = [c]
 *
 * A window of [start, end) closes at its shard's first event of a later interval; or once the clock is `grace` past its end
 * and past the reading of its last event, so that old minutes, read at once, are not cut by the clock; or early, by count,
 * by bytes, when a source waits for room, or when its shard was read to its end, as the shard's children wait for it: the next
 * event of the interval then opens its next part. No window is empty.
 *
 * The intervals of a shard never go back. An event that arrived before the open window goes into it; when none is open, it
 * goes into a next part of an interval that closed early, else into the interval after the last one closed.
 *
 * It holds the events of the open windows: at most `maxEvents` and `maxBytes` a shard, the events of one record being kept
 * together. When the source completes it closes all windows, in the order of the shards' first events. On error and
 * unsubscribe it gives out nothing more, and what it holds stays in flight, to be read again by the next run.
 *
 * @throws {RangeError} when an option is out of its bounds.
 */
export function minuteWindow<T>({
  every = { minutes: 1 },
  grace = { seconds: 5 },
  maxEvents = 50_000,
  maxBytes = 32 * 1024 * 1024,
  scheduler: clock = asyncScheduler,
}: MinuteWindowOptions = {}): OperatorFunction<Event<T>, Window<T>> {
  const who = 'minuteWindow';
  const everyMs = durationMs(every, { who, name: 'every' });
  const graceMs = durationMs(grace, { who, name: 'grace', orZero: true });
  checkCounts(who, { maxEvents, maxBytes });
  const steps = windowSteps<T>({ everyMs, graceMs, maxEvents, maxBytes });

  // An Observable of its own, not mapAccum: four things close a window, and only one of them is an event.
  const windows =
    <In>(before: EventStepsList, taking: Taking<In, T>, isLast = false) =>
    (source: Observable<In>): Observable<Window<T>> =>
      new Observable((subscriber) => {
        const scheduler = steady(clock);
        const state = steps.seed();
        const chain = new Chain(before, subscriber, (data, origin) => {
          if (!subscriber.closed) steps.add(state, data as T, origin, emit);
        });
        subscriber.add(() => chain.close());
        const take = taking(chain, subscriber, (delivery, record, make) => steps.addRecord(state, delivery, record, make, emit));
        let timer: Subscription | undefined;
        let timerMs = Number.POSITIVE_INFINITY;
        let ledger: Ledger | undefined;

        // Whoever keeps the window has held it when `next` returns. After an error downstream, or an unsubscribe, nobody may
        // have: then it stays held.
        const emit = (window: Window<T>): void => {
          if (subscriber.closed) return;
          subscriber.next(window);
          if (subscriber.closed) return;
          window.release();
          ledger?.passRejects(window.shard);
        };
        const arm = (): void => {
          timer?.unsubscribe();
          timerMs = state.dueMs;
          // A clock that was set back while nothing came is one of which the run knows, and this one does not.
          if (state.delivery) scheduler.catchUp(state.delivery.readAtMs);
          timer = subscriber.closed
            ? undefined
            : scheduler.schedule(tick, Math.min(Math.max(0, timerMs - scheduler.now()), MAX_TIMER_MS));
        };
        // One timer for all shards. Windows come due later than they were when it was set; then it is set again.
        const tick = (): void => {
          steps.tick(state, scheduler.now(), emit);
          timerMs = Number.POSITIVE_INFINITY;
          if (state.dueMs < timerMs) arm();
        };
        const endShard = (shard: string): void => {
          try {
            chain.endShard(shard);
          } catch (error) {
            subscriber.error(error);
          }
          steps.endShard(state, shard, emit);
        };
        const watch = (its: Ledger): void => {
          ledger = its;
          const forget = ledger.onKept((shard) => state.lanes.get(shard)?.contents.first, { isLast, keepsMs: everyMs + graceMs });
          subscriber.add(() => steps.isEmpty(state) && forget());
          subscriber.add(ledger.room.onPressure(() => steps.closeAll(state, 'pressure', emit)));
          subscriber.add(ledger.onShardEnd((shard) => endShard(shard)));
        };
        subscriber.add(() => timer?.unsubscribe());
        subscriber.add(
          source.subscribe({
            next(value) {
              if (subscriber.closed) return; // a source that pushes as it is subscribed to has not heard of it yet
              try {
                if (!ledger) watch(take.ledgerOf(value));
                take.take(value);
                if (state.dueMs < timerMs) arm();
              } catch (error) {
                subscriber.error(error); // an event that was settled before it came cannot be held
              }
            },
            error: (error) => subscriber.error(error),
            complete() {
              try {
                chain.complete();
              } catch (error) {
                subscriber.error(error);
              }
              steps.closeAll(state, 'complete', emit);
              subscriber.complete();
            },
          }),
        );
      });
  const detail = `${inWords(every)}, grace ${graceMs / 1000} s`;
  return named(who, detail, windows([], eventwise), {
    keepsMs: everyMs + graceMs,
    windowMs: everyMs,
    takesEvents: true,
    givesWindows: true,
    behind: (before, { isLast }) => windows(before, eventwise, isLast),
    behindDeliveries: (before, { isLast }) => windows(before, deliverywise, isLast),
  });
}

/** How events are taken out of what comes, through the steps before the window. */
type Taking<In, T> = (
  chain: Chain,
  isOver: { readonly closed: boolean },
  addRecord: AddRecord<T>,
) => { readonly ledgerOf: (value: In) => Ledger; readonly take: (value: In) => void };

type AddRecord<T> = (delivery: Delivery, record: number, make: MakeData<T>) => void;

function eventwise(chain: Chain): ReturnType<Taking<Event<unknown>, unknown>> {
  return { ledgerOf: ({ delivery }) => delivery.ledger, take: ({ data, origin }) => chain.take(data, origin) };
}

function deliverywise<T>(
  chain: Chain,
  isOver: { readonly closed: boolean },
  addRecord: AddRecord<T>,
): ReturnType<Taking<Delivery, T>> {
  const shortCut = new ShortCut<T>(chain);
  return { ledgerOf: ({ ledger }) => ledger, take: (delivery) => shortCut.take(delivery, isOver, addRecord) };
}
