import { Observable, type Subscriber } from 'rxjs';
import type { Delivery } from '../../delivery.ts';
import type { Beginning, Position, Resume } from '../../position.ts';
import type { Records, SourceRecord } from '../../records.ts';
import { emitDelivery } from '../delivery/emit-delivery.ts';
import { type Gap, passGap } from './gap.ts';
import { pause } from '../waiting/pause.ts';
import { RecordOrder } from './record-order.ts';
import { type Shard, ShardSet, isListedOpen } from './shard-set.ts';
import type { SourceContext } from '../source.ts';
import { Turns } from './turns.ts';

/** What the reader of one shard works with. */
export interface ShardReading extends SourceContext {
  readonly shard: Shard;
  /** Where to begin: emit nothing at or before a position. */
  readonly resume: Beginning;
  /** Aborted by a stop, and by the end of the subscription: wait for nothing more, emit nothing more. */
  readonly signal: AbortSignal;
  /**
   * Emits one delivery, for which `reservedBytes` were reserved; none when there are no records. Their positions grow, from one to the next and from
   * call to call; records that are objects are looked at for that.
   *
   * @throws {RangeError | TypeError} when they do not
   */
  readonly emit: (records: Records | readonly SourceRecord[], reservedBytes: number) => void;
}

export interface ShardReaders {
  /** Lists all shards that the stream keeps. Called at the start, when a shard ends that names no children, and now and then. */
  readonly list: (signal: AbortSignal) => Promise<readonly Shard[]>;
  /** Whether there are never more shards than those that are listed at the start. @default false */
  readonly areAllKnown?: boolean;
  /** How often the shards are listed anew, on the average. @default not */
  readonly listEveryMs?: number;
  /** How many shards are taken over and read at a time: what the sinks store waits its turn behind those that are taken over. @default all */
  readonly atOnce?: number;
  /** Says what may be lost of a shard that was not read to its end and is no longer listed. @default all, of unknown length */
  readonly gapBehind?: (shard: string, resume: Resume, signal: AbortSignal) => Promise<Gap>;
  /** Says when the record of a position was put, in milliseconds since 1970, or a little before. @default unknown */
  readonly putAt?: (position: Position) => number | undefined;
  /**
   * Reads one shard. Resolves with its children, as far as it knows them, once it has ended; with nothing when the signal ended the reading. `end` of
   * the context then writes down that each sink has the whole shard, of which no later run reads more: of one that may grow, as a file does, put
   * one in its place that calls `ledger.endShard` and `ledger.whenSettled`.
   */
  readonly readShard: (reading: ShardReading) => Promise<readonly Shard[] | undefined>;
}

/**
 * Reads the shards of a stream side by side, children once their parents are read to the end and settled; what all sources with
 * shards have in common.
 *
 * Completes once every shard has ended, or, after a stop, once every reader is done. The first failure of a reader is its error.
 */
export function readShards(context: SourceContext, readers: ShardReaders): Observable<Delivery> {
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
  {
    list,
    readShard,
    areAllKnown = false,
    listEveryMs,
    atOnce = Infinity,
    gapBehind = async (shard, resume) => ({ shard, resume }),
    putAt = () => undefined,
  }: ShardReaders,
  subscriber: Subscriber<Delivery>,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const { acquire, stands, known, ledger, report, scheduler, random = Math.random } = context;
  // As a time, LATEST means the same after a crash that came before the first commit.
  const start = context.start === 'LATEST' ? new Date(scheduler.now()) : context.start;
  const set = new ShardSet();
  const turns = new Turns(atOnce);
  const over = Promise.withResolvers<void>();
  let reading = 0;
  signal.addEventListener('abort', goOn, { once: true });
  know(await list(signal));
  goOn();
  if (listEveryMs !== undefined) listAgain(listEveryMs).catch(over.reject);
  await over.promise;

  function know(shards: readonly Shard[]): void {
    set.add(shards);
    for (const { id } of shards) ledger.expect(id);
  }

  /** Begins with the shards whose turn has come; sees when there is nothing more to read. */
  function goOn(): void {
    for (const shard of signal.aborted ? [] : set.takeReady()) {
      reading++;
      turns
        .take(() => readOne(shard))
        .then(() => {
          reading--;
          goOn();
        }, over.reject);
    }
    if (reading === 0 && (signal.aborted || set.isOver)) over.resolve();
  }

  async function readOne(shard: Shard): Promise<void> {
    if (signal.aborted) return;
    await rememberParents(shard.id);
    const from = set.beginningOf(shard.id, start);
    const resume = noLater(shard.id, await acquire(shard.id, from, shard.parents, set.childrenOf(shard.id)));
    if (signal.aborted) return;
    // Whoever has read some of it is to have all of its children, also where another one began at a time.
    set.began(shard.id, resume instanceof Date && isReadBySome(shard.id) ? 'TRIM_HORIZON' : resume);
    const isOver = resume === 'SHARD_END';
    if (shard.isOpen && (isOver || ledger.sinkStands.isAtEnd(shard.id))) await makeSureItHasEnded(shard.id);
    if (isOver) {
      ledger.endShard(shard.id);
      set.settle(shard.id);
      return;
    }
    report({ type: 'shard-started', shard: shard.id, resume });
    const order = new RecordOrder(shard.id);
    const emit: ShardReading['emit'] = (records, reservedBytes) => {
      if (!('count' in records)) order.check(records);
      emitDelivery(subscriber, ledger, records, { readAtMs: scheduler.now(), reservedBytes });
    };
    const children = await readShard({ ...context, shard, resume, signal, emit });
    if (!children) return;
    report({ type: 'shard-ended', shard: shard.id });
    // Nobody waits for this but the children: a step may keep events until the source completes.
    context.end(shard.id).then(() => {
      set.settle(shard.id);
      goOn();
    }, over.reject);
    set.end(shard.id);
    // The other parent of a child may be one that nobody named yet, itself a child of a shard that is still read: it must not
    // be taken for one past retention.
    const isKnown = (parent: string): boolean => set.has(parent);
    const isAll =
      children.length > 0 ? children.every(({ parents }) => parents.every(isKnown)) : set.childrenOf(shard.id).length > 0;
    if (!isAll && !areAllKnown) know(await list(signal));
    know(children);
  }

  function isReadBySome(shard: string): boolean {
    return ledger.sinkStands.isAtEnd(shard) || ledger.sinkStands.firstPosition(shard) !== undefined;
  }

  /**
   * A time lies before all positions of a shard, but for one at which a sink began while another one was away: that stands before it, and reading
   * begins when its record was put.
   */
  function noLater(shard: string, resume: Resume): Resume {
    const first = resume instanceof Date ? ledger.sinkStands.firstPosition(shard) : undefined;
    const putAtMs = (first && putAt(first)) ?? Infinity;
    return resume instanceof Date && putAtMs < resume.getTime() ? new Date(putAtMs) : resume;
  }

  /**
   * An open shard that was read to its end, be it for one sink, is another one: the stream was made again under the same name. Unless it has ended since
   * it was listed, and a run that this one takes over has read it.
   */
  async function makeSureItHasEnded(shard: string): Promise<void> {
    const all = await list(signal);
    if (isListedOpen(shard, all))
      throw new Error(
        `${shard} was read to its end, and is open: the stream may have been deleted and made again under the same name. ` +
          'Name the pipeline anew, or remove its positions, to read the new stream',
      );
    // No list before it had its children, and none may come after it.
    know(all);
  }

  /** Asks the sinks for parents that are past retention, for a shard that some sink does not know. */
  async function rememberParents(shard: string): Promise<void> {
    const parents = set.unlistedParents(shard);
    let isAnyKnown = set.hasListedParents(shard);
    for (const parent of parents) {
      const resume = await stands(parent, shard);
      if (resume === undefined) continue;
      isAnyKnown = true;
      set.remember(parent, resume);
      // It had not been read to its end, or at least nobody has seen that.
      if (resume !== 'SHARD_END') passGap(context, await gapBehind(parent, resume, signal));
    }
    if (isAnyKnown || parents.length === 0) return;
    // A stream names no generation before the parents. Where sinks know a shard that has left, the parents came, and left, while nobody read.
    const hasLeft = (other: string): boolean => !set.has(other);
    if (![...((await known?.(shard)) ?? [])].some(hasLeft)) return;
    for (const parent of parents) {
      set.remember(parent, 'TRIM_HORIZON');
      passGap(context, await gapBehind(parent, 'TRIM_HORIZON', signal));
    }
  }

  /** Finds the shards that no reader named. */
  async function listAgain(everyMs: number): Promise<void> {
    // Many runs that were started together do not list together.
    for (;;) {
      await pause(scheduler, everyMs * (0.5 + random()), signal);
      if (signal.aborted) return;
      know(await list(signal));
      goOn();
    }
  }
}
