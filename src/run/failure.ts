import type { Observable } from 'rxjs';

/** What ends a run before its time. The first one counts. */
export class Failure {
  readonly #failed = Promise.withResolvers<never>();
  readonly #over = new AbortController();
  /** Aborted once the run has failed, or is over. */
  readonly over: AbortSignal = this.#over.signal;

  constructor() {
    // It may come while nobody waits for it yet.
    this.#failed.promise.catch(() => {});
  }

  readonly fail = (error: unknown): void => {
    this.#failed.reject(error);
    this.end();
  };

  /** Waits for something; rejects as soon as the run fails. */
  unlessFailed<T>(what: Promise<T>): Promise<T> {
    return Promise.race([what, this.#failed.promise]);
  }

  /** Rejects with what the run fails with. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** The same function, of which what it throws ends the run, and not the process: it may be called by a timer, which nobody has called. */
  catching<T>(act: (on: T) => void): (on: T) => void {
    return (on) => {
      try {
        act(on);
      } catch (error) {
        this.fail(error);
      }
    };
  }

  /**
   * Takes in what a stream brings. Resolves when it completes; its error, and what `take` throws, is a failure. A failure ends the reading at once: what
   * is not stored stays unsettled, and will be read again.
   */
  takeIn(stream: Observable<unknown>, take: (item: unknown) => void): Promise<void> {
    const completed = Promise.withResolvers<void>();
    const subscription = stream.subscribe({ next: this.catching(take), error: this.fail, complete: completed.resolve });
    // Thrown by a step as it ends: what ended the run before counts, and the process goes on.
    const leave = this.catching(() => subscription.unsubscribe());
    this.over.addEventListener('abort', leave);
    if (this.over.aborted) leave(undefined);
    return completed.promise;
  }

  end(): void {
    this.#over.abort();
  }
}
