import type { MonoTypeOperatorFunction } from 'rxjs';
import type { Event, RejectReason } from '../event.ts';
import type { LineIndex } from '../lines/line-index.ts';
import { StepError } from '../errors.ts';
import { eventSteps } from './event-steps.ts';
import { wordsOf } from './thrown.ts';

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
 * It keeps nothing. What the check throws ends the stream with a StepError: the check is broken, not the event.
 */
export function validate<T>(check: Check<T>): MonoTypeOperatorFunction<Event<T>> {
  return eventSteps<undefined, T, T>({
    name: 'validate',
    detail: check.name,
    seed: () => undefined,
    ...(check.passes && { lines: { passes: check.passes } }),
    step(_, data, origin, out) {
      let issue: Issue | undefined;
      try {
        issue = check(data);
      } catch (error) {
        throw new StepError(
          'validate',
          origin.position,
          error,
          'To make such an event a reject, and go on, let the check return an issue',
        );
      }
      if (!issue) return out.emit(data);
      // The compiler says so, too, but Node runs a file that does not compile: each event would be a reject without a reason.
      if (typeof issue.code !== 'string') throw noIssue(issue);
      out.reject(issue);
    },
  });
}

function noIssue(came: unknown): TypeError {
  return new TypeError(
    `validate: expected its check to return an issue, { code, reason }, or nothing when all is well; got ${wordsOf(came)}`,
  );
}
