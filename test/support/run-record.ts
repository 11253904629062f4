import type { OperatorFunction } from 'rxjs';
import { Ledger } from '../../src/ledger.ts';
import { RunRecord } from '../../src/observe/run-record.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';

export interface Recorded {
  readonly record: RunRecord;
  readonly ledger: Ledger;
  /** Gives the run another ledger, as when it goes back with a store. */
  readonly beginAnew: () => void;
}

/** The record of a run of `p` that has begun, with a ledger of its own. */
export function runRecord(sinks: readonly string[], operators: readonly OperatorFunction<never, unknown>[] = []): Recorded {
  const record = new RunRecord({
    name: 'p',
    source: scripted({ a: [] }),
    operators,
    sinks: sinks.map((name) => memorySink(name)),
    rejectsSink: undefined,
  });
  let ledger = new Ledger();
  record.follow(() => ledger);
  return { record, ledger, beginAnew: () => void (ledger = new Ledger()) };
}
