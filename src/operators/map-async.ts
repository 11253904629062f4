import { Observable, type OperatorFunction } from 'rxjs';
import { checkCounts } from '../check-counts.ts';
import type { Delivery } from '../delivery.ts';
import type { Event, Origin } from '../event.ts';
import { Fifo } from '../fifo.ts';
import { named } from './named.ts';
import { thrown } from './thrown.ts';

export interface MapAsyncOptions {
  /** How many calls may be under way at a time. @default 16 */
  readonly concurrency?: number;
}

/**
 * Puts what a promise brings in the place of an event's data, in the order in which the events came.
 *
 *     source  -a--b--c-|
 *     result  ---A----(BC|)    b takes longer than c, which waits for it
 *
 * Events of one record come out together, because they share its position; and rejects of later records wait for the events that are kept
 * here, so that they are stored in order as well.
 * What a call throws or rejects with makes the event a reject, not the end of the stream. It should follow from the event: after a kill what
 * was not stored is called for again, and an event that fails then for the first time, before a reject of its shard that is stored, is stored
 * nowhere. So a call tries again by itself what may pass. Holds every event until it is emitted; how many
 * that can be is bounded by the bytes in flight. One promise an event: for thousands of events a second, batch instead.
 *
 * @throws {RangeError} when `concurrency` is not a whole number above zero
 */
export function mapAsync<A, B>(
  call: (data: A) => Promise<B>,
  { concurrency = 16 }: MapAsyncOptions = {},
): OperatorFunction<Event<A>, Event<B>> {
  checkCounts('mapAsync', { concurrency });
  return named(
    'mapAsync',
    `${concurrency} at a time`,
    (source) =>
      new Observable((subscriber) => {
        /** In the order of arrival; the first ones are under way or done, the others wait for a call. */
        const queue = new Fifo<Entry<A>>();
        let underWay = 0;
        let next = 0;
        let hasCompleted = false;
        let forget: (() => void) | undefined;
        /** The record whose events are being handed on. */
        let leaving: Origin | undefined;

        const watch = ({ ledger }: Delivery): (() => void) =>
          ledger.onKept(
            (shard) => queue.find(({ event }) => event.shard === shard && !leaving?.isSameRecord(event.origin))?.event.origin,
          );
        subscriber.add(() => queue.length === 0 && forget?.());
        /** How many events at the head are of one record; none while one of them is not done. */
        const doneAtHead = (): number => {
          let count = 0;
          for (; queue.at(count)?.event.origin.isSameRecord(queue.at(0)!.event.origin); count++)
            if (!queue.at(count)!.settle) return 0;
          return count;
        };
        const fill = (): void => {
          while (underWay < concurrency && next < queue.length && !subscriber.closed) start(queue.at(next++)!);
        };
        const start = (entry: Entry<A>): void => {
          underWay++;
          // In a chain of its own, so that what is thrown before the first promise is a reject as well.
          void Promise.resolve(entry.event.data)
            .then(call)
            .then(
              (data) => (entry.settle = () => subscriber.next(entry.event.with(data))),
              (error: unknown) => (entry.settle = () => entry.event.reject(thrown('mapAsync', error))),
            )
            .then(() => {
              underWay--;
              emit();
              fill();
            });
        };
        const emit = (): void => {
          // After the end, what is left stays held: it was not stored, and will be read again.
          for (let count = doneAtHead(); count > 0 && !subscriber.closed; count = doneAtHead()) {
            const { shard, delivery, origin } = queue.at(0)!.event;
            leaving = origin;
            for (; count > 0 && !subscriber.closed; count--) {
              const { event, settle } = queue.shift()!;
              next--;
              settle!();
              // Whoever failed or left on this event has not stored it.
              if (!subscriber.closed) event.release();
            }
            leaving = undefined;
            delivery.ledger.passRejects(shard);
          }
          if (hasCompleted && queue.length === 0) subscriber.complete();
        };
        return source.subscribe({
          next(event) {
            try {
              forget ??= watch(event.delivery);
              event.hold();
            } catch (error) {
              return subscriber.error(error); // an event that was settled before it came cannot be held
            }
            queue.push({ event, settle: undefined });
            fill();
          },
          error: (error) => subscriber.error(error),
          complete() {
            hasCompleted = true;
            emit();
          },
        });
      }),
    { takesEvents: true },
  );
}

interface Entry<A> {
  readonly event: Event<A>;
  /** Emits or rejects the event, once its call has ended. */
  settle: (() => void) | undefined;
}
