import { Observable } from 'rxjs';
import { type Resume, comparePositions, isPosition } from '../../src/position.ts';
import type { Source, SourceContext } from '../../src/sources/source.ts';
import { type Sample, deliver } from '../../src/testing/deliver.ts';

/** A source that a test feeds by hand, delivery by delivery. */
export interface PushSource extends Source<Uint8Array> {
  /** Where the run resumed, by shard. */
  readonly resumed: Map<string, Resume>;
  /** Emits one delivery of a shard, as far as it lies behind where the shard was resumed. */
  push(...samples: (string | Sample)[]): void;
  end(): void;
  fail(error: unknown): void;
  /** Resolves when the run has subscribed and every shard is acquired. */
  started(): Promise<void>;
}

export function pushSource(shards: readonly string[] = ['shard-1']): PushSource {
  let context: SourceContext;
  let emit: (samples: readonly (string | Sample)[]) => void;
  let end: () => void;
  let fail: (error: unknown) => void;
  let started = Promise.withResolvers<void>();
  const resumed = new Map<string, Resume>();
  return {
    name: 'push',
    describe: 'fed by a test',
    resumed,
    check: async () => 'there',
    read: (given) =>
      new Observable((subscriber) => {
        context = given;
        end = () => subscriber.complete();
        fail = (error) => subscriber.error(error);
        emit = (samples) => {
          const { delivery, events } = deliver(samples, context.ledger);
          const after = resumed.get(delivery.shard)!;
          for (const event of events)
            if (!isPosition(after) || comparePositions(event.position, after) > 0) subscriber.next(event);
          delivery.letGo();
        };
        context.stop.addEventListener('abort', end);
        const acquireAll = async (): Promise<void> => {
          for (const shard of shards) {
            const { start } = context;
            resumed.set(shard, await context.acquire(shard, start === 'LATEST' ? new Date(context.scheduler.now()) : start));
          }
        };
        acquireAll().then(started.resolve, fail);
        return () => (started = Promise.withResolvers<void>());
      }),
    push: (...samples) => emit(samples),
    end: () => end(),
    fail: (error) => fail(error),
    started: () => started.promise,
  };
}
