import type { OperatorFunction } from 'rxjs';
import type { Event } from '../event.ts';
import { eventSteps } from './event-steps.ts';
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
  return eventSteps<undefined, A, B>({
    name: 'transform',
    detail: fn.name,
    seed: () => undefined,
    step(_, data, _origin, out) {
      let changed: B;
      try {
        changed = fn(data);
      } catch (error) {
        out.reject(thrown('transform', error));
        return;
      }
      out.emit(changed);
    },
  });
}
