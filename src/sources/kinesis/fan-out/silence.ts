import type { SchedulerLike, Subscription } from 'rxjs';

/** Tells, once, when a wait takes longer than a limit; what comes between two waits does not count. */
export class Silence {
  readonly #scheduler: SchedulerLike;
  readonly #limitMs: number;
  readonly #tell: () => void;
  #timer: Subscription | undefined;

  constructor(scheduler: SchedulerLike, limitMs: number, tell: () => void) {
    this.#scheduler = scheduler;
    this.#limitMs = limitMs;
    this.#tell = tell;
  }

  begin(): void {
    this.end();
    this.#timer = this.#scheduler.schedule(this.#tell, this.#limitMs);
  }

  end(): void {
    this.#timer?.unsubscribe();
  }
}
