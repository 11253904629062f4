import type { OperatorFunction } from 'rxjs';
import { type EventStepsList, joined } from '../operators/event-steps.ts';
import { stepOf } from '../operators/named.ts';

type AnyOperator = OperatorFunction<never, unknown>;

/** One operator of a run, and how many of the pipeline's it stands for. */
export interface Fused {
  readonly operator: AnyOperator;
  readonly count: number;
}

/**
 * Makes fewer operators of a pipeline's, which do the same: those that only look at one event after the other are joined with their neighbours,
 * so that an event goes through all of them in one call, and is one object less for each.
 */
export function fuse(operators: readonly AnyOperator[]): readonly Fused[] {
  const fused: Fused[] = [];
  let waiting: EventStepsList = [];
  let count = 0;
  const flush = (): void => {
    if (count > 0) fused.push({ operator: joined(waiting), count });
    [waiting, count] = [[], 0];
  };
  for (const operator of operators) {
    const { steps, behind } = stepOf(operator) ?? {};
    if (steps) {
      waiting = [...waiting, ...steps];
      count++;
    } else if (behind) {
      fused.push({ operator: behind(waiting), count: count + 1 });
      [waiting, count] = [[], 0];
    } else {
      flush();
      fused.push({ operator, count: 1 });
    }
  }
  flush();
  return fused;
}
