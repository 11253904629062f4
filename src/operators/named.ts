import type { OperatorFunction } from 'rxjs';
import type { Delivery } from '../delivery.ts';
import type { Event } from '../event.ts';
import type { EventStepsList } from './event-steps.ts';

const step = Symbol('millrace.step');

/** What a pipeline knows about one of its steps. */
export interface Step {
  /** The operator's name as the pipeline file has it. */
  readonly name: string;
  /** Its settings in a few words, for the graph. */
  readonly detail: string;
  /** How long it may keep an event with nothing amiss, in milliseconds: a run takes a shard whose events are kept for longer for stalled. @default 0 */
  readonly keepsMs?: number;
  /** How long its windows are, in milliseconds, where it gathers events by the clock: the live line counts down to the next. */
  readonly windowMs?: number;
  /** Whether it takes events and nothing else, so that what is no event can be told before it fails on that. */
  readonly takesEvents?: boolean;
  /** Whether it gives windows of events. */
  readonly givesWindows?: boolean;
  /** What it alone may have open, by its URL. */
  readonly owns?: string | undefined;
  /** Asks for `--check` whether a run could open that. */
  readonly check?: (() => Promise<string>) | undefined;
  /** Has that ready once a run has opened its sinks and takes its first shard over, before it reads; what it resolves with lets go of it, and is called once they are closed. */
  readonly prepare?: ((pipeline: string) => Promise<() => Promise<void>>) | undefined;
  /** What it does with each event, when that is all it does: a run joins it with its neighbours. */
  readonly steps?: EventStepsList;
  /** Makes the same operator with steps in front of it, all in one; and, where it is the `last` of a pipeline, none behind it. */
  readonly behind?: (steps: EventStepsList, place: { readonly isLast: boolean }) => OperatorFunction<Event<never>, unknown>;
  /** The same for whole deliveries, when all the steps say what they do with lines. */
  readonly behindDeliveries?: (steps: EventStepsList, place: { readonly isLast: boolean }) => OperatorFunction<Delivery, unknown>;
}

/**
 * Gives an operator a name for graphs and errors, and vouches that it holds every event it keeps beyond a call.
 * Operators without a name (plain RxJS) are watched by the run instead.
 */
export function named<A, B>(
  name: string,
  detail: string,
  operator: OperatorFunction<A, B>,
  more: Omit<Step, 'name' | 'detail'> = {},
): OperatorFunction<A, B> {
  return Object.assign(operator, { [step]: { name, detail, ...more } satisfies Step });
}

/** The name an operator was given; nothing for plain RxJS. */
export function stepOf(operator: OperatorFunction<never, unknown>): Step | undefined {
  return (operator as { [step]?: Step })[step];
}
