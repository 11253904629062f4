import { BackOff, type BackOffContext } from '../waiting/back-off.ts';
import { explain, isPassing } from './failure.ts';

/** Waits while what the API says will pass. */
export class KinesisBackOff {
  readonly #where: string;
  readonly #signal: AbortSignal;
  readonly #backOff: BackOff;

  /**
   * @param where who failed, for a person
   * @param shard the shard, for diagnostics
   */
  constructor(context: BackOffContext, where: string, shard: string, signal: AbortSignal) {
    this.#where = where;
    this.#signal = signal;
    this.#backOff = new BackOff(context, shard, signal);
  }

  /**
   * Waits before the next try; ends at once when aborted.
   *
   * @param passes true when the caller knows that the failure will pass
   * @throws {Error} what to do, when repeating will not mend it
   */
  async after(error: unknown, passes = isPassing(error)): Promise<void> {
    if (!passes && !this.#signal.aborted) throw explain(error, this.#where);
    await this.#backOff.wait(error);
  }

  succeeded(): void {
    this.#backOff.succeeded();
  }
}
