import type { MonoTypeOperatorFunction } from 'rxjs';
import type { Event, RejectReason } from '../event.ts';
import type { LineIndex } from '../lines/line-index.ts';
import { eventSteps } from './event-steps.ts';

/** What is wrong with an event. */
export type Issue = Omit<RejectReason, 'step'>;

/** Looks at an event's data and says what is wrong with it; nothing when all is well. */
export interface Check<in T> {
  (data: T): Issue | undefined;
  /** Whether it would find nothing wrong with the line that is shown, for certain: then it need not be asked. */
  readonly passes?: (index: LineIndex) => boolean;
}

/**
 * Lets the events pass with which nothing is wrong.
 *
 *     source  -a-b-c-|
 *     result  -a---c-|     the check finds an issue with b: a reject
 *
 * It keeps nothing. What the check throws is an error of the stream: the check is broken, not the event.
 */
export function validate<T>(check: Check<T>): MonoTypeOperatorFunction<Event<T>> {
  return eventSteps<undefined, T, T>({
    name: 'validate',
    detail: check.name,
    seed: () => undefined,
    ...(check.passes && { lines: { passes: check.passes } }),
    step(_, data, _origin, out) {
      const issue = check(data);
      if (issue) out.reject(issue);
      else out.emit(data);
    },
  });
}
