import type { MonoTypeOperatorFunction } from 'rxjs';
import type { Event, RejectReason } from '../event.ts';
import { mapAccum } from './map-accum.ts';
import { named } from './named.ts';

/** What is wrong with an event. */
export type Issue = Omit<RejectReason, 'step'>;

/** Looks at an event's data and says what is wrong with it; nothing when all is well. */
export type Check<in T> = (data: T) => Issue | undefined;

/**
 * Lets the events pass with which nothing is wrong.
 *
 *     source  -a-b-c-|
 *     result  -a---c-|     the check finds an issue with b: a reject
 *
 * It keeps nothing. What the check throws is an error of the stream: the check is broken, not the event.
 */
export function validate<T>(check: Check<T>): MonoTypeOperatorFunction<Event<T>> {
  return named(
    'validate',
    check.name,
    mapAccum<undefined, Event<T>, Event<T>>({
      seed: () => undefined,
      step(_, event, emit) {
        const issue = check(event.data);
        if (issue) event.reject({ step: 'validate', ...issue });
        else emit(event);
      },
    }),
  );
}
