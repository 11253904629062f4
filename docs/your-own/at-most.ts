import type { MonoTypeOperatorFunction } from 'rxjs';
import { type Event, mapAccum, named } from '../../src/index.ts';

export interface AtMostOptions<T> {
  /** How many events of a key pass in each minute, by arrival. */
  readonly events: number;
  readonly by: (data: T) => string | undefined;
}

/** How many keys of one minute are counted; the events of others pass. */
const MAX_KEYS = 100_000;

/**
 * Lets so many events of a key through in each minute, and drops the others. One without a key is a reject.
 *
 *     source  -a-a-a-b-|
 *     result  -a-a---b-|
 */
export function atMost<T>({ events, by }: AtMostOptions<T>): MonoTypeOperatorFunction<Event<T>> {
  const steps = mapAccum<{ minute: number; counts: Map<string, number> }, Event<T>, Event<T>>({
    seed: () => ({ minute: -1, counts: new Map() }),
    step(state, event, emit) {
      const minute = Math.floor(event.arrivedAtMs / 60_000);
      if (minute > state.minute) Object.assign(state, { minute, counts: new Map() });
      const key = by(event.data);
      if (key === undefined) return event.reject({ step: 'atMost', code: 'no_key', reason: 'expected a key, got none' });
      const count = (state.counts.get(key) ?? 0) + 1;
      if (count > 1 || state.counts.size < MAX_KEYS) state.counts.set(key, count);
      if (count > events) event.drop('atMost');
      else emit(event);
    },
  });
  return named('atMost', `${events} a minute`, steps);
}
