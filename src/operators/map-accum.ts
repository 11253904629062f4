import { Observable, type OperatorFunction } from 'rxjs';

/** A pure step: takes a value, gives out none, one or many, and changes only the state it is handed. */
export interface Steps<S, A, B> {
  /** Makes the state of one subscription. */
  readonly seed: () => S;
  readonly step: (state: S, value: A, emit: (value: B) => void) => void;
  /** Gives out what is left when the source completes; not called on error or unsubscribe. */
  readonly flush?: (state: S, emit: (value: B) => void) => void;
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
export function mapAccum<S, A, B>({ seed, step, flush, close }: Steps<S, A, B>): OperatorFunction<A, B> {
  return (source) =>
    new Observable((subscriber) => {
      const state = seed();
      const emit = (value: B): void => subscriber.next(value);
      if (close) subscriber.add(() => close(state));
      subscriber.add(
        source.subscribe({
          next(value) {
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
