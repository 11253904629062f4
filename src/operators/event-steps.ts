import { Observable, type OperatorFunction } from 'rxjs';
import type { Delivery } from '../delivery.ts';
import { Event, type Origin, type RejectReason } from '../event.ts';
import { type Step, named } from './named.ts';
import type { LineLink, LineSteps } from './short-cut.ts';

/** Takes what a step makes of the event at hand. */
export interface Out<in B> {
  /**
   * Gives out an event with this data; any number of times.
   *
   * @param origin where it comes from; @default where the event at hand does
   */
  emit(data: B, origin?: Origin): void;
  /** Notes that the step dropped the event on purpose. */
  drop(): void;
  /** Hands the event to the rejects. */
  reject(why: Omit<RejectReason, 'step'>): void;
}

/** A pure step on the data of one event after the other; what it keeps of events beyond the call it holds. */
export interface EventSteps<S, in A, out B> extends Pick<Step, 'name' | 'detail' | 'keepsMs' | 'owns' | 'check' | 'prepare'> {
  /** Makes the state of one subscription. */
  seed(): S;
  step(state: S, data: A, origin: Origin, out: Out<B>): void;
  /** What it does with lines, so that ordinary ones may take a short cut. */
  readonly lines?: LineSteps<S>;
  /** Gives out what is left of a shard when that was read to its end. What it emits, it says the origin of. */
  endShard?(state: S, shard: string, out: Out<B>): void;
  /** Gives out what is left when the source completes, as `endShard` does; not called on error or unsubscribe. */
  complete?(state: S, out: Out<B>): void;
  /** Called at the end of the subscription, however it ends. */
  close?(state: S): void;
}

/** Steps that fit together, one behind the other. */
export type EventStepsList = readonly EventSteps<unknown, never, unknown>[];

/**
 * Makes an operator of a step:
 *
 *     source  -a-b-c-|
 *     result  -A---C-|     b was dropped or rejected
 *
 * What the step throws is an error of the stream. A run joins such operators that stand side by side, see `joined`.
 */
export function eventSteps<S, A, B>(steps: EventSteps<S, A, B>): OperatorFunction<Event<A>, Event<B>> {
  const list = [steps as EventSteps<unknown, never, unknown>];
  const { name, detail, keepsMs = 0, owns, check, prepare } = steps;
  return named(name, detail, joined(list) as OperatorFunction<Event<A>, Event<B>>, {
    keepsMs,
    takesEvents: true,
    owns,
    check,
    prepare,
    steps: list,
  });
}

/** Makes one operator of many steps, which does what their operators would do one behind the other: an event goes through them in one call. */
export function joined(all: EventStepsList): OperatorFunction<Event<unknown>, Event<unknown>> {
  return (source) =>
    new Observable((subscriber) => {
      let event: Event<unknown>;
      const chain = new Chain(all, subscriber, (data, origin) =>
        // The same data is the same event: nothing to make anew.
        subscriber.next(data === event.data && origin === event.origin ? event : new Event(data, origin)),
      );
      subscriber.add(() => chain.close());
      let watches = false;
      // With the first event, so before all steps behind this one, which are told after it.
      const watch = ({ ledger }: Delivery): void => {
        watches = true;
        subscriber.add(
          ledger.onShardEnd((shard) => {
            try {
              chain.endShard(shard);
            } catch (error) {
              subscriber.error(error);
            }
          }),
        );
      };
      subscriber.add(
        source.subscribe({
          next(value) {
            event = value;
            try {
              if (!watches) watch(value.delivery);
              chain.take(value.data, value.origin);
            } catch (error) {
              subscriber.error(error);
            }
          },
          error: (error) => subscriber.error(error),
          complete() {
            try {
              chain.complete();
            } catch (error) {
              subscriber.error(error);
            }
            subscriber.complete();
          },
        }),
      );
    });
}

type Take = (data: unknown, origin: Origin) => void;

/** Steps at work, with their states. */
export class Chain {
  /** Takes an event's data through all steps. */
  readonly take: Take;
  readonly #links: readonly Link[];

  /**
   * @param subscriber once it is closed, nothing more goes from step to step
   * @param last takes what comes out of the last step
   */
  constructor(all: EventStepsList, subscriber: { readonly closed: boolean }, last: Take) {
    let take = last;
    const links: Link[] = [];
    try {
      for (const steps of all.toReversed()) {
        const link = new Link(steps, subscriber, take);
        links.unshift(link);
        take = (data, origin) => link.take(data, origin);
      }
    } catch (error) {
      for (const link of links) link.close();
      throw error;
    }
    this.#links = links;
    this.take = take;
  }

  /** What the steps do with lines; all of them say it. */
  get lineLinks(): readonly LineLink[] {
    return this.#links.map((link) => link.lineLink!);
  }

  endShard(shard: string): void {
    for (const link of this.#links) link.endShard(shard);
  }

  complete(): void {
    for (const link of this.#links) link.complete();
  }

  close(): void {
    for (const link of this.#links) link.close();
  }
}

/** One step of a chain, and what it gives to the next. */
class Link implements Out<unknown> {
  readonly #steps: EventSteps<unknown, unknown, unknown>;
  readonly #state: unknown;
  readonly #subscriber: { readonly closed: boolean };
  readonly #next: Take;
  #data: unknown;
  #origin: Origin | undefined;

  constructor(steps: EventSteps<unknown, never, unknown>, subscriber: { readonly closed: boolean }, next: Take) {
    this.#steps = steps as EventSteps<unknown, unknown, unknown>;
    this.#state = steps.seed();
    this.#subscriber = subscriber;
    this.#next = next;
  }

  get lineLink(): LineLink | undefined {
    const { name, lines } = this.#steps;
    return lines && { name, state: this.#state, lines };
  }

  take(data: unknown, origin: Origin): void {
    this.#data = data;
    this.#origin = origin;
    this.#steps.step(this.#state, data, origin, this);
  }

  emit(data: unknown, its?: Origin): void {
    // What is left of a record after an error is read again with it.
    if (this.#subscriber.closed) return;
    const [own, origin] = [this.#data, this.#origin!];
    this.#next(data, its ?? origin);
    // A stream that feeds itself has been here meanwhile.
    this.#data = own;
    this.#origin = origin;
  }

  drop(): void {
    const { delivery, index } = this.#origin!;
    delivery.mark(index, delivery.ledger.dropCode(this.#steps.name));
  }

  reject(why: Omit<RejectReason, 'step'>): void {
    new Event(this.#data, this.#origin!).reject({ step: this.#steps.name, ...why });
  }

  endShard(shard: string): void {
    this.#steps.endShard?.(this.#state, shard, this);
  }

  complete(): void {
    this.#steps.complete?.(this.#state, this);
  }

  close(): void {
    this.#steps.close?.(this.#state);
  }
}
