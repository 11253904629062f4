import { Observable, type OperatorFunction } from 'rxjs';
import type { Delivery } from '../delivery.ts';
import { Event, Origin } from '../event.ts';

/**
 * Emits the events of deliveries one after the other; what is no event is dropped or rejected in its place.
 *
 *     source  -(abc)-----(de)-|     c is damaged: a reject
 *     result  -(ab)------(de)-|
 */
export function eachEvent(): OperatorFunction<Delivery, Event<Uint8Array>> {
  return (source) =>
    new Observable((subscriber) =>
      source.subscribe({
        next(delivery) {
          for (let i = 0; i < delivery.count && !subscriber.closed; i++) {
            const event = eventOf(delivery, i);
            if (event) subscriber.next(event);
          }
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
}

/** The event of a delivery's record, by its number; nothing when it was none, which is then done with. */
export function eventOf(delivery: Delivery, index: number): Event<Uint8Array> | undefined {
  const records = delivery.records!;
  const event = new Event(records.dataOf?.(index) ?? records.rawOf(index), new Origin(delivery, index));
  const fate = records.fateOf(index);
  if (fate === undefined) return event;
  if (typeof fate === 'string') event.drop(fate);
  else event.reject(fate);
  return undefined;
}
