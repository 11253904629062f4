import type { IdentityState, OpenIdentityState } from '../identity-state.ts';
import type { IdentityTable } from './identity-table.ts';
import { SIGHT_WORDS } from './sight.ts';

export interface SightJournalOptions {
  readonly capacity: number;
  /** Sights that arrived before this time, in milliseconds since 1970, are of no use any more; asked at each flush. */
  readonly expiredBeforeMs: () => number | undefined;
}

/** 448 kB: more than this is not written at once, so that no event waits longer than one such write. */
const FLUSH_SIGHTS = 16_384;

/** Gathers the sights that a state does not have yet, and hands them over as one block when it is told to, or when they are many. */
export class SightJournal {
  readonly #options: SightJournalOptions;
  readonly #state: OpenIdentityState;
  readonly #sights = new Uint32Array(FLUSH_SIGHTS * SIGHT_WORDS);
  #count = 0;
  #newestMs = -Infinity;

  constructor(state: IdentityState, options: SightJournalOptions) {
    this.#options = options;
    this.#state = state.open();
  }

  /** Gives a table what the state has of an earlier run. Tells how long it took. */
  loadInto(table: IdentityTable): { readonly ms: number } {
    return this.#state.load(
      (sights) => table.restore(sights),
      (count) => table.expect(count),
    );
  }

  /** Whether all that was handed over is durable by then, and not only when it is flushed. */
  get isDurable(): boolean {
    return this.#state.flush === undefined;
  }

  add(sight: Uint32Array, arrivedAtMs: number): void {
    const to = this.#count++ * SIGHT_WORDS;
    for (let i = 0; i < SIGHT_WORDS; i++) this.#sights[to + i] = sight[i]!;
    if (arrivedAtMs > this.#newestMs) this.#newestMs = arrivedAtMs;
    if (this.#count === FLUSH_SIGHTS) this.write();
  }

  /** Makes all that was added durable, at once or when its promise resolves. When it fails, nothing was lost: the next flush tries again. */
  flush(): Promise<void> | undefined {
    this.write();
    return this.#state.flush?.();
  }

  /** Hands all that was added over to the state. */
  write(): void {
    if (this.#count === 0) return;
    const sights = this.#sights.subarray(0, this.#count * SIGHT_WORDS);
    const { capacity, expiredBeforeMs } = this.#options;
    this.#state.append({ sights, count: this.#count, newestMs: this.#newestMs }, { beforeMs: expiredBeforeMs(), capacity });
    this.#count = 0;
    this.#newestMs = -Infinity;
  }

  close(): void {
    this.#state.close();
  }
}
