import type { Observable, OperatorFunction } from 'rxjs';
import type { Delivery } from '../delivery.ts';
import { type EventStepsList, joined } from '../operators/event-steps.ts';
import { stepOf } from '../operators/named.ts';
import type { Pipeline } from '../pipeline.ts';
import type { SourceContext } from '../sources/source.ts';

type AnyOperator = OperatorFunction<never, unknown>;

/** One operator of a run, and how many of the pipeline's it stands for. */
interface Fused {
  readonly operator: AnyOperator;
  readonly count: number;
}

/** What comes out of a pipeline's first operators, how many these are, and those behind them. */
interface Begun {
  readonly stream: Observable<unknown>;
  readonly count: number;
  readonly rest: readonly Fused[];
}

/**
 * Begins to read a pipeline by the fastest way that its source and steps allow; what comes out is the same:
 *
 * - whole deliveries into windows, when each step before the window says what it does with lines: an ordinary line then never becomes an
 *   event, only odd ones go from step to step;
 * - else event by event, joined steps in one call.
 */
export function begin(pipeline: Fusable, context: SourceContext): Begun {
  const { source, operators } = pipeline;
  const found = windowsOfDeliveries(pipeline);
  if (!found) return { stream: source.read(context), count: 0, rest: fuse(operators) };
  const { windows, count } = found;
  return { stream: source.deliveries!(context).pipe(windows), count, rest: fuse(operators.slice(count)) };
}

/** Whether a pipeline is read in whole deliveries. */
export function readsDeliveries(pipeline: Fusable): boolean {
  return windowsOfDeliveries(pipeline) !== undefined;
}

/** Whether all steps of a pipeline take whole deliveries: then they are done with a record once it is settled. */
export function takesDeliveries(pipeline: Fusable): boolean {
  return windowsOfDeliveries(pipeline)?.count === pipeline.operators.length;
}

type Fusable = Pick<Pipeline, 'source' | 'operators'>;

/** The first operators of a pipeline as one that makes windows of whole deliveries, and how many these are; nothing where that cannot be. */
function windowsOfDeliveries({
  source,
  operators,
}: Fusable): { readonly windows: OperatorFunction<Delivery, unknown>; readonly count: number } | undefined {
  const steps: EventStepsList[] = [];
  for (const [i, operator] of operators.entries()) {
    const { steps: its, behindDeliveries } = stepOf(operator) ?? {};
    if (its?.every(({ lines }) => lines)) steps.push(its);
    else if (source.deliveries && behindDeliveries && steps.length > 0)
      return { windows: behindDeliveries(steps.flat(), isLast(operators, i)), count: i + 1 };
    else break;
  }
  return undefined;
}

function isLast(operators: readonly AnyOperator[], i: number): { readonly isLast: boolean } {
  return { isLast: i === operators.length - 1 };
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
  for (const [i, operator] of operators.entries()) {
    const { steps, behind } = stepOf(operator) ?? {};
    if (steps) {
      waiting = [...waiting, ...steps];
      count++;
    } else if (behind) {
      fused.push({ operator: behind(waiting, isLast(operators, i)), count: count + 1 });
      [waiting, count] = [[], 0];
    } else {
      flush();
      fused.push({ operator, count: 1 });
    }
  }
  flush();
  return fused;
}
