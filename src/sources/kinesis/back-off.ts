import type { SourceContext } from '../source.ts';
import { pause } from '../pause.ts';
import { explain, isPassing } from './failure.ts';

/** The longest wait before the first try again; it doubles from try to try. */
const FIRST_MS = 200;
const LONGEST_MS = 20_000;

type BackOffContext = Pick<SourceContext, 'scheduler' | 'random' | 'report'>;

/**
 * Waits longer from failure to failure, with full jitter, so that readers which failed together do not come back together.
 * It never gives up on what passes, because nothing is lost by waiting, and tells of each wait.
 */
export class BackOff {
  readonly #context: BackOffContext;
  readonly #where: string;
  readonly #shard: string;
  readonly #signal: AbortSignal;
  #attempt = 0;

  /**
   * @param where who failed, for a person
   * @param shard the shard, for diagnostics
   */
  constructor(context: BackOffContext, where: string, shard: string, signal: AbortSignal) {
    this.#context = context;
    this.#where = where;
    this.#shard = shard;
    this.#signal = signal;
  }

  /**
   * Waits before the next try; ends at once when aborted.
   *
   * @param passes true when the caller knows that the failure will pass
   * @throws {Error} what to do, when repeating will not mend it
   */
  async after(error: unknown, passes = isPassing(error)): Promise<void> {
    if (this.#signal.aborted) return;
    if (!passes) throw explain(error, this.#where);
    const { scheduler, random = Math.random, report } = this.#context;
    const delayMs = random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#attempt++);
    report({ type: 'source-retry', shard: this.#shard, attempt: this.#attempt, delayMs, error });
    await pause(scheduler, delayMs, this.#signal);
  }

  succeeded(): void {
    this.#attempt = 0;
  }
}
