import { pause } from './pause.ts';
import type { SourceContext } from '../source.ts';

/** The longest wait before the first try again; it doubles from try to try. */
const FIRST_MS = 200;
const LONGEST_MS = 20_000;

export type BackOffContext = Pick<SourceContext, 'scheduler' | 'random' | 'report'>;

/**
 * Waits longer from failure to failure, with full jitter, so that readers which failed together do not come back together.
 * It never gives up, because nothing is lost by waiting, and tells of each wait.
 */
export class BackOff {
  readonly #context: BackOffContext;
  readonly #shard: string;
  readonly #signal: AbortSignal;
  #attempt = 0;

  /** @param shard the shard, for diagnostics */
  constructor(context: BackOffContext, shard: string, signal: AbortSignal) {
    this.#context = context;
    this.#shard = shard;
    this.#signal = signal;
  }

  /** Waits before the next try; ends at once when aborted. */
  async wait(error: unknown): Promise<void> {
    if (this.#signal.aborted) return;
    const { scheduler, random = Math.random, report } = this.#context;
    const delayMs = random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#attempt++);
    report({ type: 'source-retry', shard: this.#shard, attempt: this.#attempt, delayMs, error });
    await pause(scheduler, delayMs, this.#signal);
  }

  succeeded(): void {
    this.#attempt = 0;
  }
}
