import { type OperatorFunction, from } from 'rxjs';
import type { Event, Reject } from '../../src/event.ts';
import { Ledger, Outcome } from '../../src/ledger.ts';
import { deliver } from '../../src/testing/deliver.ts';

export interface StepRun<B> {
  /** What the step was given, and what it made of it. */
  readonly events: Event<Uint8Array>[];
  readonly out: Event<B>[];
  /** Stored by then. */
  readonly rejects: Reject[];
  readonly ledger: Ledger;
  error: unknown;
  completed: boolean;
}

/** Sends records through a step, all in one delivery, which is let go of then. */
export function throughStep<B>(step: OperatorFunction<Event<Uint8Array>, Event<B>>, raws: readonly string[]): StepRun<B> {
  const ledger = new Ledger();
  const events = raws.length === 0 ? [] : deliver(raws, ledger).events;
  const run: StepRun<B> = { events, out: [], rejects: [], ledger, error: undefined, completed: false };
  ledger.onReject((reject) => {
    run.rejects.push(reject);
    reject.mark(Outcome.rejected);
    reject.release();
  });
  from(events)
    .pipe(step)
    .subscribe({
      next: (event) => run.out.push(event),
      error: (error: unknown) => (run.error = error),
      complete: () => (run.completed = true),
    });
  events[0]?.delivery.letGo();
  return run;
}
