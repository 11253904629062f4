import { type Observable, type OperatorFunction, tap } from 'rxjs';
import { OrderBrokenError, SettledTooEarlyError } from '../errors.ts';
import type { Item } from '../event.ts';
import { type Position, comparePositions } from '../position.ts';
import { type Ledger, Outcome } from '../ledger.ts';
import { stepOf } from '../operators/named.ts';
import type { Pipeline } from '../pipeline.ts';
import type { SourceContext } from '../sources/source.ts';
import { begin } from './fuse.ts';
import type { SinkDriver } from './sink-driver.ts';

/** Reads a pipeline through its steps, with a watch behind each that is not ours: nobody vouches that it holds what it keeps. */
export function guarded(pipeline: Pipeline, context: SourceContext): Observable<unknown> {
  const { operators } = pipeline;
  const begun = begin(pipeline, context);
  let behind = begun.count;
  return begun.rest.reduce((stream, { operator, count }) => {
    const result = (operator as OperatorFunction<unknown, unknown>)(stream);
    behind += count;
    const last = behind - 1;
    if (stepOf(operators[last]!)) return result;
    return result.pipe(
      tap((item) => {
        if (isItem(item) && item.isSettled) throw new SettledTooEarlyError(whichStep(operators, last), item.shard);
      }),
    );
  }, begun.stream);
}

/** Hands each item to every sink, holds it until all have stored it, and sees that it comes in order and unsettled. */
export function acceptor(ledger: Ledger, drivers: readonly SinkDriver<Item>[]): (item: unknown) => void {
  const latest = new Map<string, Position>();
  return (item) => {
    if (!isItem(item))
      throw new TypeError(`run: expected events or windows at the sinks, got ${item === null ? 'null' : typeof item}`);
    if (item.isSettled) throw new SettledTooEarlyError('a step', item.shard);
    const before = latest.get(item.shard);
    if (before && comparePositions(item.first, before) < 0) throw new OrderBrokenError('run', before, item.first);
    latest.set(item.shard, item.last);

    item.hold();
    ledger.room.atSinks(item.sizeBytes);
    let missing = drivers.length;
    const done = (): void => {
      if (--missing > 0) return;
      item.mark(Outcome.stored);
      item.release();
      ledger.room.atSinks(-item.sizeBytes);
    };
    for (const driver of drivers) driver.push(item, done);
  };
}

function isItem(value: unknown): value is Item {
  return typeof value === 'object' && value !== null && 'isSettled' in value;
}

/** Names a step as a person finds it in the pipeline file: plain RxJS operators have no names of their own. */
function whichStep(operators: Pipeline['operators'], i: number): string {
  const before = operators[i - 1] && stepOf(operators[i - 1]!)?.name;
  const after = operators[i + 1] && stepOf(operators[i + 1]!)?.name;
  const where = [before && `after ${before}`, after && `before ${after}`].filter(Boolean).join(', ');
  return `step ${i + 1} of ${operators.length}${where && ` (${where})`}`;
}
