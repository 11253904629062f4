import type { Duration } from 'date-fns';
import { Observable, type OperatorFunction, type SchedulerLike, asapScheduler } from 'rxjs';
import { checkCounts } from '../check-counts.ts';
import { durationMs } from '../duration.ts';
import type { Event } from '../event.ts';
import { LookupQueue } from './lookup/queue.ts';
import type { LookupSource, Read } from './lookup-source.ts';
import { named } from './named.ts';

type Reads = readonly Read<unknown>[];
/** What the reads of an event bring, in their order; nothing where there are none. */
type Values<R> = R extends Reads ? { readonly [K in keyof R]: R[K] extends Read<infer V> ? V : never } : undefined;

export interface LookupOptions<A, R extends Reads | undefined, B> {
  /** Where the values are. */
  readonly from: LookupSource;
  /** What to look up for an event; nothing for one that needs nothing. */
  readonly keys: (data: A) => R;
  /** Puts the values, in the order of the keys, to the data; called without them when there were no keys. */
  readonly attach: (data: A, values: Values<R>) => B;
  /** How many answers are remembered, fewer where keys are of more than some 200 characters, and how long. @default none: each event is answered by a read that was sent after it came */
  readonly cache?: { readonly entries: number; readonly for: Duration };
  /** How many values one call asks for at most. @default 1_000 */
  readonly maxReads?: number;
  /** The clock of calls and of tries again. @default asapScheduler */
  readonly scheduler?: SchedulerLike;
}

/**
 * Looks values up for each event and puts them to its data, many in one call.
 *
 *     source  -a-b-c----|
 *     calls   -1-2------      1 asks for a; 2, when 1 is answered, for b and c
 *     result  ---A--(BC)|
 *
 * A call goes out as soon as none is under way, with all that has come by then: at once when the stream is slow, in ever larger ones when
 * it is fast. Order is kept. A value that is remembered costs no call, an event that needs no key none either. What a store does not
 * have is an answer; a read that it refuses, and what `keys` or `attach` throw, make the event a reject. While the store is away the calls
 * are tried again, told as `lookup-retry`, until a run takes the shard for stalled (`stalledAfter`); what will not pass is an error of the stream.
 *
 * Holds each event until its values are there; how many that can be is bounded by the bytes in flight.
 * The age of what is remembered goes by when events were read.
 *
 * @throws {RangeError} when an option is out of its bounds
 */
export function lookup<A, const R extends Reads | undefined, B>(
  options: LookupOptions<A, R, B>,
): OperatorFunction<Event<A>, Event<B>> {
  const { from, cache, maxReads = 1_000, scheduler = asapScheduler } = options;
  checkCounts('lookup', { maxReads, ...(cache && { entries: cache.entries }) });
  const cacheForMs = cache && durationMs(cache.for, { who: 'lookup', name: 'cache.for' });
  return named(
    'lookup',
    from.describe,
    (source) =>
      new Observable((subscriber) => {
        const queue = new LookupQueue<A, B>(subscriber, {
          from,
          keys: options.keys,
          attach: options.attach as (data: A, values: readonly unknown[] | undefined) => B,
          cacheEntries: cache?.entries ?? 0,
          cacheForMs: cacheForMs ?? 0,
          maxReads,
          scheduler,
        });
        subscriber.add(() => queue.close());
        subscriber.add(
          source.subscribe({
            next(event) {
              try {
                queue.push(event);
              } catch (error) {
                subscriber.error(error); // an event that was settled before it came cannot be held
              }
            },
            error: (error) => subscriber.error(error),
            complete: () => queue.complete(),
          }),
        );
      }),
    { takesEvents: true },
  );
}
