import type { SchedulerLike, Subscriber, Subscription } from 'rxjs';
import type { Event, Origin } from '../../event.ts';
import { faultOf } from '../../fault.ts';
import { Fifo } from '../../fifo.ts';
import { LookupCache } from './cache.ts';
import type { LookupSource, OpenReads, Read } from '../lookup-source.ts';
import { thrown, wordsOf } from '../thrown.ts';

const STEP = 'lookup';
/** The longest wait before the first try again; it doubles from try to try. */
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

export interface LookupQueueOptions<A, B> {
  readonly from: LookupSource;
  readonly keys: (data: A) => readonly Read<unknown>[] | undefined;
  readonly attach: (data: A, values: readonly unknown[] | undefined) => B;
  readonly cacheEntries: number;
  readonly cacheForMs: number;
  readonly maxReads: number;
  readonly scheduler: SchedulerLike;
}

/** An event that waits for values, or for those before it. */
interface Waiting<A> {
  readonly event: Event<A>;
  readonly values: unknown[] | undefined;
  missing: number;
  refusal: Error | undefined;
}

/** A read that has to be sent, or is under way, and who waits for it. */
interface Asked<A> {
  readonly id: string;
  readonly read: Read<unknown>;
  readonly waiting: { readonly entry: Waiting<A>; readonly at: number }[];
}

/** The events of one subscription to `lookup` that wait for their values, in order; and the one call under way. */
export class LookupQueue<A, B> {
  readonly #subscriber: Subscriber<Event<B>>;
  readonly #options: LookupQueueOptions<A, B>;
  readonly #reads: OpenReads;
  readonly #cache: LookupCache;
  readonly #waiting = new Fifo<Waiting<A>>();
  /** By name, key and arguments: to be sent with the next call. */
  #wanted = new Map<string, Asked<A>>();
  /** Sent with the call under way. */
  #sent: Asked<A>[] | undefined;
  #timer: Subscription | undefined;
  #attempt = 0;
  /** When the newest event was read: the clock of the cache. */
  #nowMs = 0;
  #emitting: Subscription | undefined;
  /** The record whose events are being handed on. */
  #leaving: Origin | undefined;
  #forget: (() => void) | undefined;
  #hasCompleted = false;

  constructor(subscriber: Subscriber<Event<B>>, options: LookupQueueOptions<A, B>) {
    this.#subscriber = subscriber;
    this.#options = options;
    this.#reads = options.from.openReads();
    this.#cache = new LookupCache(options.cacheEntries, options.cacheForMs);
  }

  push(event: Event<A>): void {
    this.#nowMs = Math.max(this.#nowMs, event.delivery.readAtMs);
    this.#forget ??= this.#watch(event);
    const entry = this.#entryOf(event);
    event.hold();
    this.#waiting.push(entry);
    this.#sendSoon();
    this.#emitSoon();
  }

  complete(): void {
    this.#hasCompleted = true;
    this.#emitReady();
  }

  close(): void {
    this.#timer?.unsubscribe();
    this.#emitting?.unsubscribe();
    this.#reads.close();
    if (this.#waiting.length === 0) this.#forget?.();
  }

  /** What lies behind an event that waits may not be stored before it, nor as a reject: it may become one itself. */
  #watch({ delivery }: Event<A>): () => void {
    const isKept = ({ origin }: Event<A>, shard: string): boolean =>
      origin.shard === shard && !this.#leaving?.isSameRecord(origin);
    return delivery.ledger.onKept((shard) => this.#waiting.find(({ event }) => isKept(event, shard))?.event.origin);
  }

  #entryOf(event: Event<A>): Waiting<A> {
    try {
      const reads = this.#options.keys(event.data);
      const entry: Waiting<A> = { event, values: reads && [], missing: 0, refusal: undefined };
      // Before the first is asked for: nothing is for an event that is a reject.
      reads?.forEach(checkRead);
      reads?.forEach((read, at) => this.#ask(entry, at, read));
      return entry;
    } catch (error) {
      return { event, values: undefined, missing: 0, refusal: asError(error) };
    }
  }

  #ask(entry: Waiting<A>, at: number, read: Read<unknown>): void {
    const id = JSON.stringify([read.name, read.key, ...read.args]);
    const known = this.#cache.get(id, this.#nowMs);
    if (known) {
      entry.values![at] = known.value;
      return;
    }
    let asked = this.#wanted.get(id);
    if (!asked) this.#wanted.set(id, (asked = { id, read, waiting: [] }));
    asked.waiting.push({ entry, at });
    entry.missing++;
  }

  /** A moment later, all events of the delivery at hand have come, and share a call. */
  #sendSoon(): void {
    if (this.#sent || this.#timer || this.#wanted.size === 0) return;
    this.#timer = this.#options.scheduler.schedule(() => this.#send());
  }

  #send(): void {
    this.#timer = undefined;
    const sent = (this.#sent ??= this.#take());
    this.#reads.read(
      sent.map(({ read }) => read),
      (answers, failure) => {
        if (this.#subscriber.closed) return;
        if (failure !== undefined) this.#tryAgain(failure);
        else this.#answered(sent, answers);
      },
    );
  }

  #take(): Asked<A>[] {
    const taken: Asked<A>[] = [];
    for (const [id, asked] of this.#wanted) {
      if (taken.length === this.#options.maxReads) break;
      taken.push(asked);
      this.#wanted.delete(id);
    }
    return taken;
  }

  #tryAgain(failure: unknown): void {
    if (faultOf(failure) !== 'transient') return this.#subscriber.error(failure);
    const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempt++);
    const { report } = this.#sent![0]!.waiting[0]!.entry.event.delivery.ledger;
    report({ type: 'lookup-retry', attempt: this.#attempt, delayMs, error: failure });
    this.#timer = this.#options.scheduler.schedule(() => this.#send(), delayMs);
  }

  #answered(sent: readonly Asked<A>[], answers: readonly unknown[]): void {
    this.#sent = undefined;
    this.#attempt = 0;
    for (const [i, { id, read, waiting }] of sent.entries()) {
      let value = answers[i];
      if (!(value instanceof Error)) {
        value = understood(read, value);
        if (!(value instanceof Error)) this.#cache.set(id, value, this.#nowMs);
      }
      for (const { entry, at } of waiting) {
        entry.missing--;
        if (value instanceof Error) entry.refusal ??= value;
        else entry.values![at] = value;
      }
    }
    this.#sendSoon();
    this.#emitReady();
  }

  /** A moment later, all events of a record have come: they share its position, so none may be stored before the others are there. */
  #emitSoon(): void {
    if (this.#emitting || this.#waiting.at(0)!.missing > 0) return;
    this.#emitting = this.#options.scheduler.schedule(() => {
      this.#emitting = undefined;
      this.#emitReady();
    });
  }

  /** How many events at the head are of one record; none while one of them waits for a value. */
  #readyAtHead(): number {
    const first = this.#waiting.at(0);
    let count = 0;
    for (; this.#waiting.at(count)?.event.origin.isSameRecord(first!.event.origin); count++)
      if (this.#waiting.at(count)!.missing > 0) return 0;
    return count;
  }

  #emitReady(): void {
    // After the end, what is left stays held: it was not stored, and will be read again.
    for (let count = this.#readyAtHead(); count > 0 && !this.#subscriber.closed; count = this.#readyAtHead()) {
      const { shard, delivery, origin } = this.#waiting.at(0)!.event;
      this.#leaving = origin;
      for (; count > 0 && !this.#subscriber.closed; count--) {
        const entry = this.#waiting.shift()!;
        this.#emit(entry);
        // Whoever failed or left on this event has not stored it.
        if (!this.#subscriber.closed) entry.event.release();
      }
      this.#leaving = undefined;
      delivery.ledger.passRejects(shard);
    }
    if (this.#hasCompleted && this.#waiting.length === 0) this.#subscriber.complete();
  }

  #emit({ event, values, refusal }: Waiting<A>): void {
    if (refusal) return event.reject(thrown(STEP, refusal));
    let data: B;
    try {
      data = this.#options.attach(event.data, values);
    } catch (error) {
      return event.reject(thrown(STEP, error));
    }
    this.#subscriber.next(event.with(data));
  }
}

/** @throws {TypeError} when it is none: types do not reach what comes from an `any` */
function checkRead(read: Partial<Read<unknown>> | null | undefined, at: number): void {
  if (!Array.isArray(read?.args))
    throw new TypeError(`lookup: expected a read at place ${at} of keys, got ${JSON.stringify(read)}`);
}

function understood({ understand }: Read<unknown>, answer: unknown): unknown {
  try {
    return understand(answer);
  } catch (error) {
    return asError(error);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(wordsOf(error));
}
