import type { OperatorFunction } from 'rxjs';
import type { Event } from '../event.ts';
import { mapAccum } from './map-accum.ts';
import { named } from './named.ts';
import { thrown } from './thrown.ts';

/**
 * Changes the data of each event, like `map`; what the function throws is a reject, not the end of the stream.
 *
 *     source  -a-b-c-|
 *     result  -A---C-|     the function throws on b: a reject
 *
 * It keeps nothing. The reject's code is the error's `code` or name, its path the error's `path`, where it has one.
 */
export function transform<A, B>(fn: (data: A) => B): OperatorFunction<Event<A>, Event<B>> {
  return named(
    'transform',
    fn.name,
    mapAccum<undefined, Event<A>, Event<B>>({
      seed: () => undefined,
      step(_, event, emit) {
        let data: B;
        try {
          data = fn(event.data);
        } catch (error) {
          event.reject(thrown('transform', error));
          return;
        }
        emit(event.with(data));
      },
    }),
  );
}
