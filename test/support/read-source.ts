import { asyncScheduler } from 'rxjs';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Event } from '../../src/event.ts';
import type { Resume } from '../../src/position.ts';
import { Ledger } from '../../src/ledger.ts';
import type { Source, SourceContext } from '../../src/sources/source.ts';

export interface ReadOptions extends Partial<Omit<SourceContext, 'stop' | 'report'>> {
  /** Stops the source once so many events have come; 0 stops it before it begins. */
  readonly stopAfter?: number;
  readonly onEvent?: (event: Event<Uint8Array>, reading: Reading) => void;
  readonly report?: (diagnostic: Diagnostic, reading: Reading) => void;
}

/** A source being read. */
export interface Reading {
  readonly ledger: Ledger;
  readonly events: Event<Uint8Array>[];
  readonly diagnostics: Diagnostic[];
  /** Where each shard was resumed, and where it would have begun if no sink knew it. */
  readonly acquired: Map<string, { readonly from: Resume; readonly resume: Resume }>;
  readonly stop: AbortController;
  /** Resolves when the source completes; rejects with its error. */
  readonly completed: Promise<void>;
  readonly unsubscribe: () => void;
}

/** Subscribes to a source as a run would, and keeps all that it tells. */
export function readSource(source: Source<Uint8Array>, options: ReadOptions = {}): Reading {
  const { stopAfter = Number.POSITIVE_INFINITY, onEvent, acquire, ledger = new Ledger() } = options;
  const { promise: completed, resolve, reject } = Promise.withResolvers<void>();
  const stop = new AbortController();
  const stopWhenEnough = (): void => {
    if (reading.events.length >= stopAfter) stop.abort();
  };
  const reading: Reading = {
    ledger,
    events: [],
    diagnostics: [],
    acquired: new Map(),
    stop,
    completed,
    unsubscribe: () => subscription.unsubscribe(),
  };
  stopWhenEnough();
  const context: SourceContext = {
    pipeline: options.pipeline ?? 'test',
    ledger,
    scheduler: options.scheduler ?? asyncScheduler,
    acceptGap: options.acceptGap ?? false,
    stands: options.stands ?? (async () => undefined),
    end:
      options.end ??
      ((shard) => {
        ledger.endShard(shard);
        return ledger.whenSettled(shard);
      }),
    start: options.start ?? 'TRIM_HORIZON',
    stop: stop.signal,
    report(diagnostic) {
      reading.diagnostics.push(diagnostic);
      options.report?.(diagnostic, reading);
    },
    async acquire(shard, from) {
      const resume = acquire ? await acquire(shard, from) : from;
      reading.acquired.set(shard, { from, resume });
      return resume;
    },
  };
  const subscription = source.read(context).subscribe({
    next(event) {
      reading.events.push(event);
      onEvent?.(event, reading);
      stopWhenEnough();
    },
    error: reject,
    complete: resolve,
  });
  return reading;
}

/** Their payloads as text, by shard. */
export function textsByShard(events: readonly Event<Uint8Array>[]): Record<string, string[]> {
  const texts: Record<string, string[]> = {};
  for (const { shard, data } of events) (texts[shard] ??= []).push(Buffer.from(data).toString());
  return texts;
}
