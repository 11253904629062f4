import { Observable, type Subscriber } from 'rxjs';
import type { Event, Resume } from '../event.ts';
import { type SourceRecord, emitDelivery } from './emit-delivery.ts';
import { type Shard, ShardSet } from './shard-set.ts';
import type { SourceContext } from './source.ts';

/** What the reader of one shard works with. */
export interface ShardReading extends SourceContext {
  readonly shard: Shard;
  /** Where to begin: emit nothing at or before a position. */
  readonly resume: Resume;
  /** Aborted by a stop, and by the end of the subscription: wait for nothing more, emit nothing more. */
  readonly signal: AbortSignal;
  /** Emits one delivery, for which `reservedBytes` were reserved; none when there are no records. */
  readonly emit: (records: readonly SourceRecord[], reservedBytes: number) => void;
}

export interface ShardReaders {
  readonly list: (signal: AbortSignal) => Promise<readonly Shard[]>;
  /** Reads one shard. Resolves with its children once it has ended; with nothing when the signal ended the reading. */
  readonly readShard: (reading: ShardReading) => Promise<readonly Shard[] | undefined>;
}

/**
 * Reads the shards of a stream side by side, children after their parents; what all sources with shards have in common.
 *
 * Completes once every shard has ended, or, after a stop, once every reader is done. The first failure of a reader is its error.
 */
export function readShards(context: SourceContext, readers: ShardReaders): Observable<Event<Uint8Array>> {
  return new Observable((subscriber) => {
    const end = new AbortController();
    const stop = (): void => end.abort();
    context.stop.addEventListener('abort', stop, { once: true });
    if (context.stop.aborted) stop();
    subscriber.add(() => {
      context.stop.removeEventListener('abort', stop);
      stop();
    });
    readAll(context, readers, subscriber, end.signal).then(
      () => subscriber.complete(),
      // What fails after the end is what the end interrupted.
      (error: unknown) => (end.signal.aborted ? subscriber.complete() : subscriber.error(error)),
    );
  });
}

async function readAll(
  context: SourceContext,
  { list, readShard }: ShardReaders,
  subscriber: Subscriber<Event<Uint8Array>>,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const { acquire, ledger, report, scheduler } = context;
  // As a time, LATEST means the same after a crash that came before the first commit.
  const start = context.start === 'LATEST' ? new Date(scheduler.now()) : context.start;
  const set = new ShardSet();
  set.add(await list(signal));
  await readReady();

  function readReady(): Promise<unknown> {
    return Promise.all(set.takeReady().map(readOne));
  }

  async function readOne(shard: Shard): Promise<void> {
    const resume = await acquire(shard.id, set.beginningOf(shard.id, start));
    if (signal.aborted) return;
    set.began(shard.id, resume);
    report({ type: 'shard-started', shard: shard.id, resume });
    const emit: ShardReading['emit'] = (records, reservedBytes) =>
      emitDelivery(subscriber, ledger, records, { readAtMs: scheduler.now(), reservedBytes });
    const children = await readShard({ ...context, shard, resume, signal, emit });
    if (!children) return;
    report({ type: 'shard-ended', shard: shard.id });
    set.end(shard.id);
    set.add(children);
    await readReady();
  }
}
