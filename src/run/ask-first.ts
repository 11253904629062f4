import { Observable, type Subscriber } from 'rxjs';
import type { Pipeline } from '../pipeline.ts';
import { eachEvent } from '../operators/each-event.ts';
import { type Source, type SourceContext, readsEachOfDeliveries } from '../sources/source.ts';
import { readsDeliveries } from './fuse.ts';

/**
 * Reads a pipeline so that its source asks for its shards first, and the steps begin when it takes the first of them over: a step, too, may take
 * something from a run that is at work (the memory of `dedupe`), which one that cannot have its stream is not to do.
 *
 * Completes when `stop` is aborted before that, and when the source fails with its reason.
 *
 * @param prepare has ready what the steps need
 * @param steps reads a pipeline through its steps
 */
export function askFirst(
  pipeline: Pipeline,
  context: SourceContext,
  prepare: () => Promise<void>,
  steps: (pipeline: Pipeline) => Observable<unknown>,
): Observable<unknown> {
  return new Observable((subscriber) => {
    const { source } = pipeline;
    const { stop, acquire, stands } = context;
    const begun = Promise.withResolvers<void>();
    let isBeginning = false;
    let step: Subscriber<never> | undefined;
    const relayed = new Observable<never>((first) => {
      step = first;
      first.add(() => reading.unsubscribe());
      begun.resolve();
    });
    // Whole deliveries where that may be: nothing more is done for each event then.
    const isWhole = readsDeliveries(pipeline) || readsEachOfDeliveries(source);
    const relay: Source<unknown> = {
      ...source,
      read: () => (isWhole ? relayed.pipe(eachEvent()) : relayed),
      ...(source.deliveries && { deliveries: () => relayed }),
    };
    const begin = async (): Promise<void> => {
      await prepare();
      if (!subscriber.closed) steps({ ...pipeline, source: relay }).subscribe(subscriber);
    };
    const onceBegun = (): Promise<void> => {
      if (!isBeginning) begin().catch((error: unknown) => subscriber.error(error));
      isBeginning = true;
      return begun.promise;
    };
    const asking: SourceContext = {
      ...context,
      acquire: (...shard) => onceBegun().then(() => acquire(...shard)),
      stands: (...shards) => onceBegun().then(() => stands(...shards)),
    };
    const leave = (): void => {
      if (!step) subscriber.complete();
    };
    stop.addEventListener('abort', leave, { once: true });
    subscriber.add(() => stop.removeEventListener('abort', leave));
    const stream = (isWhole ? source.deliveries!(asking) : source.read(asking)) as Observable<never>;
    const reading = stream.subscribe({
      next(item) {
        if (step) return step.next(item);
        subscriber.error(new Error(`${source.name}: expected a source to take a shard over (acquire) before it emits an event`));
      },
      error(error) {
        const to = step ?? subscriber;
        // `acquire` fails so, and whatever else is given the signal of the stop, as `fetch` is.
        if (stop.aborted && error === stop.reason) to.complete();
        else to.error(error);
      },
      complete: () => (step ?? subscriber).complete(),
    });
    subscriber.add(reading);
  });
}
