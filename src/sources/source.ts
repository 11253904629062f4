import type { Observable, SchedulerLike } from 'rxjs';
import type { Report } from '../diagnostic.ts';
import type { Delivery } from '../delivery.ts';
import type { Event } from '../event.ts';
import type { Beginning, Resume } from '../position.ts';
import type { Ledger } from '../ledger.ts';
import { eachEvent } from '../operators/each-event.ts';

/** Where a run begins in shards of which no sink has a position. */
export type Start = 'TRIM_HORIZON' | 'LATEST' | Date;

/** What a run gives a source. */
export interface SourceContext {
  readonly pipeline: string;
  readonly ledger: Ledger;
  /** The clock: virtual in tests. */
  readonly scheduler: SchedulerLike;
  /** Gives back-off its jitter, from 0 up to but not including 1. @default Math.random */
  readonly random?: () => number;
  readonly report: Report;
  /**
   * Takes a shard over in every sink and says where to begin. Call it once a shard, just before its first read: no event may come before it.
   * `from` is where the shard begins when no sink knows it (LATEST already made a time). At SHARD_END there is nothing to read. Of a shard that was
   * split or merged from others these are its parents, and of one that was split or merged since its children.
   *
   * Once the run is to stop it fails with the reason of the stop, as does what else is given `stop`: a source may hand that on, and has ended.
   */
  readonly acquire: (
    shard: string,
    from: Beginning,
    parents?: readonly string[],
    children?: readonly string[],
  ) => Promise<Resume>;
  /**
   * Says where the least of the sinks stands in a shard, which may be one that the stream no longer keeps, of those that do not know its child;
   * nothing when none of them knows it.
   */
  readonly stands: (shard: string, child: string) => Promise<Resume | undefined>;
  /** Says which shards the sinks know that do not know a child, once `stands` was asked of it. @default none */
  readonly known?: (child: string) => Promise<ReadonlySet<string>>;
  /**
   * Takes note that a shard was read to its end, after its last event. Resolves once all that was read of it is settled and every sink
   * has written down that it has the whole shard: then its children may be read.
   */
  readonly end: (shard: string) => Promise<void>;
  readonly start: Start;
  /** Whether to go on where the stream no longer keeps what may have come behind where the sinks stand. @default false */
  readonly acceptGap?: boolean;
  /** Aborted when the run is to stop: finish the delivery at hand, then complete. */
  readonly stop: AbortSignal;
}

/**
 * Where events come from. A declaration: nothing runs before `read`.
 *
 * The contract, proven by `test/sources/conformance.ts`: it tells the ledger which shards are to be read (`expect`), and takes each over (`acquire`); for each delivery it reserves room, opens the delivery, emits its
 * events synchronously and in order, lets go of it; it never emits an event at or before the position it resumes after;
 * it completes after `stop`, or when the stream has ended; a failure it cannot mend is an error of the observable.
 * When the subscription ends while a delivery is emitted, it does not let go of that: it must not count as settled.
 */
export interface Source<out T> {
  readonly name: string;
  /** One line for the graph and `--check`: what is read, without secrets. */
  readonly describe: string;
  /** Asks the stream whether it is there, without reading from it, for the pipeline of this name. Says what it found. */
  check(pipeline: string): Promise<string>;
  read(context: SourceContext): Observable<Event<T>>;
  /** The same in whole deliveries, for steps that take many events at a time. A source without it is read event by event. */
  deliveries?(context: SourceContext): Observable<Delivery>;
}

/** Ways to read a source event by event that are no more than the events of its deliveries. */
const ofDeliveries = new WeakSet<object>();

/** Both ways to read a source that reads deliveries. */
export function readingDeliveries(
  deliveries: (context: SourceContext) => Observable<Delivery>,
): Required<Pick<Source<Uint8Array>, 'read' | 'deliveries'>> {
  const read = (context: SourceContext): Observable<Event<Uint8Array>> => deliveries(context).pipe(eachEvent());
  ofDeliveries.add(read);
  return { deliveries, read };
}

/** Whether its deliveries have all that a source's own `read` gives: one that is made of another source may have a `read` of its own. */
export function readsEachOfDeliveries(source: { readonly read: object; readonly deliveries?: object }): boolean {
  return source.deliveries !== undefined && ofDeliveries.has(source.read);
}
