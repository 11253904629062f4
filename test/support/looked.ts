import { setImmediate as nextTurn } from 'node:timers/promises';
import { Subject } from 'rxjs';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Event } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import type { LookupSource, Read } from '../../src/operators/lookup-source.ts';
import { type LookupOptions, lookup } from '../../src/operators/lookup.ts';
import { type Sample, deliver } from '../../src/testing/deliver.ts';

type Done = (answers: readonly unknown[], failure?: unknown) => void;

/** A store whose calls a test answers by hand. */
export class Store implements LookupSource {
  readonly describe = 'a store';
  readonly calls: { readonly keys: readonly string[]; readonly done: Done }[] = [];
  isClosed = false;
  openReads() {
    return {
      read: (reads: readonly Read<unknown>[], done: Done) => void this.calls.push({ keys: reads.map(({ key }) => key), done }),
      close: () => void (this.isClosed = true),
    };
  }
  /** Answers a call with its keys in capitals. */
  answer(call: number): void {
    const { keys, done } = this.calls[call]!;
    done(keys.map((key) => key.toUpperCase()));
  }
}

export const reader = (key: string): Read<string> => ({ name: 'GET', key, args: [], understand: String });
export const text = (data: Uint8Array): string => Buffer.from(data).toString();

/** A subscription to `lookup` that keeps what comes out. */
export function looked(store: Store, more: Partial<LookupOptions<Uint8Array, readonly Read<string>[] | undefined, string>> = {}) {
  const source = new Subject<Event<Uint8Array>>();
  const told: Diagnostic[] = [];
  const ledger = new Ledger({ report: (diagnostic) => told.push(diagnostic) });
  const out: string[] = [];
  let end: unknown;
  const subscription = source
    .pipe(
      lookup({
        from: store,
        keys: (data) => text(data).split(',').filter(Boolean).map(reader),
        attach: (data, values) => `${text(data)}=${values?.join() ?? ''}`,
        ...more,
      }),
    )
    .subscribe({
      next: ({ data }) => void out.push(data),
      error: (error: unknown) => void (end = error),
      complete: () => void (end = 'complete'),
    });
  /** One delivery; a turn later its call is out. */
  const push = async (...samples: (string | Sample)[]): Promise<void> => {
    const { delivery, events } = deliver(samples, ledger);
    for (const event of events) source.next(event);
    delivery.letGo();
    await nextTurn();
  };
  return { source, push, out, ledger, told, subscription, end: () => end };
}
