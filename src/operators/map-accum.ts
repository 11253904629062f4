import { Observable, type OperatorFunction } from 'rxjs';
import { Event } from '../event.ts';

/** A pure step: takes a value, gives out none, one or many, and changes only the state it is handed. */
export interface Steps<S, A, B> {
  /** Makes the state of one subscription. */
  readonly seed: () => S;
  readonly step: (state: S, value: A, emit: (value: B) => void) => void;
  /** Gives out what is left when the source completes; not called on error or unsubscribe. */
  readonly flush?: (state: S, emit: (value: B) => void) => void;
  /** Gives out what is left of a shard when that was read to its end; for steps that take events. */
  readonly endShard?: (state: S, shard: string, emit: (value: B) => void) => void;
  /** Called at the end of the subscription, however it ends. */
  readonly close?: (state: S) => void;
}

/**
 * Runs a stateful step over a stream; each subscription has a state of its own.
 *
 *     source  -a-b-c-|
 *     result  -a-c-(bd|)     what the step gives out, flush at the end
 *
 * What a step throws is an error of the stream.
 */
export function mapAccum<S, A, B>({ seed, step, flush, endShard, close }: Steps<S, A, B>): OperatorFunction<A, B> {
  return (source) =>
    new Observable((subscriber) => {
      const state = seed();
      const emit = (value: B): void => subscriber.next(value);
      let watches = endShard === undefined;
      if (close) subscriber.add(() => close(state));
      // Registered with the first event, so before all steps behind this one, which are told after it.
      const watch = (value: A): void => {
        watches = true;
        if (!(value instanceof Event)) return;
        const tell = (shard: string): void => {
          try {
            endShard!(state, shard, emit);
          } catch (error) {
            subscriber.error(error);
          }
        };
        subscriber.add(value.delivery.ledger.onShardEnd(tell));
      };
      subscriber.add(
        source.subscribe({
          next(value) {
            if (!watches) watch(value);
            try {
              step(state, value, emit);
            } catch (error) {
              subscriber.error(error);
            }
          },
          error: (error) => subscriber.error(error),
          complete() {
            try {
              flush?.(state, emit);
            } catch (error) {
              subscriber.error(error);
            }
            subscriber.complete();
          },
        }),
      );
    });
}
