import type { SchedulerLike } from 'rxjs';
import { stepOf } from '../operators/named.ts';
import type { Pipeline } from '../pipeline.ts';
import { atMost } from './at-most.ts';

/** What the steps of a pipeline have outside of this process, from once its sinks are open until after they are closed. */
export class PreparedSteps {
  readonly #pipeline: Pipeline;
  readonly #scheduler: SchedulerLike;
  readonly #releases: (() => Promise<void>)[] = [];
  #isOver = false;
  #preparing: Promise<void> = Promise.resolve();

  constructor(pipeline: Pipeline, scheduler: SchedulerLike) {
    this.#pipeline = pipeline;
    this.#scheduler = scheduler;
  }

  prepare(): Promise<void> {
    return (this.#preparing = this.#prepare());
  }

  /** Lets go of all, in a while that a connection gone silent does not prolong; what is being made ready would take something from the next run. */
  async release(): Promise<void> {
    this.#isOver = true;
    await atMost(
      this.#scheduler,
      this.#preparing.catch(() => {}),
    );
    await Promise.allSettled(this.#releases.splice(0).map((release) => atMost(this.#scheduler, release())));
  }

  async #prepare(): Promise<void> {
    const { name, operators } = this.#pipeline;
    for (const step of operators.map(stepOf)) {
      if (!step?.prepare || this.#isOver) continue;
      const release = await step.prepare(name);
      // The run may have failed meanwhile.
      if (this.#isOver) await release();
      else this.#releases.push(release);
    }
  }
}
