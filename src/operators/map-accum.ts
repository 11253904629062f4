import { Observable, type OperatorFunction } from 'rxjs';
import { Event } from '../event.ts';
import type { Ledger } from '../ledger.ts';
import type { Position } from '../position.ts';

/** A pure step: takes a value, gives out none, one or many, and changes only the state it is handed. */
export interface Steps<S, A, B> {
  /** Makes the state of one subscription. */
  readonly seed: () => S;
  readonly step: (state: S, value: A, emit: (value: B) => void) => void;
  /** Gives out what is left when the source completes; not called on error or unsubscribe. */
  readonly flush?: (state: S, emit: (value: B) => void) => void;
  /** Gives out what is left of a shard when that was read to its end; for steps that take events. */
  readonly endShard?: (state: S, shard: string, emit: (value: B) => void) => void;
  /**
   * Says where the first event of a shard lies that it keeps, and is not giving out right now; nothing when it keeps none. For steps that hold events
   * beyond the call in which they came: what is rejected of later ones then waits, as what they keep may be a reject yet, and a reject's position
   * says that all before it are stored. Events of one record share its position, and are to be given out in one call.
   */
  readonly kept?: (state: S, shard: string) => Position | undefined;
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
export function mapAccum<S, A, B>({ seed, step, flush, endShard, kept, close }: Steps<S, A, B>): OperatorFunction<A, B> {
  return (source) =>
    new Observable((subscriber) => {
      const state = seed();
      const emit = (value: B): void => subscriber.next(value);
      let watches = endShard === undefined && kept === undefined;
      /** The shards of which something may be kept, for which rejects wait. */
      const shards = new Set<string>();
      let ledger: Ledger | undefined;
      let forget: (() => void) | undefined;
      subscriber.add(() => [...shards].some((shard) => kept?.(state, shard)) || forget?.());
      if (close) subscriber.add(() => close(state));
      // Registered with the first event, so before all steps behind this one, which are told after it.
      const watch = (value: A): void => {
        watches = true;
        if (!(value instanceof Event)) return;
        const its = (ledger = value.delivery.ledger);
        if (kept) forget = its.onKept((shard) => kept(state, shard));
        const tell = (shard: string): void => {
          try {
            endShard?.(state, shard, emit);
          } catch (error) {
            subscriber.error(error);
          }
          its.passRejects(shard);
        };
        subscriber.add(its.onShardEnd(tell));
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
            if (!kept || !(value instanceof Event)) return;
            shards.add(value.shard);
            ledger!.passRejects(value.shard);
          },
          error: (error) => subscriber.error(error),
          complete() {
            try {
              flush?.(state, emit);
            } catch (error) {
              subscriber.error(error);
            }
            for (const shard of shards) ledger!.passRejects(shard);
            subscriber.complete();
          },
        }),
      );
    });
}
