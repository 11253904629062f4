import type { Seen } from './identity-partition.ts';
import { IdentityTable, type IdentityTableOptions } from './identity-table.ts';

/**
 * Remembers what is new to some of the sinks only. An event of which another sink has no need is no reason to drop its repeat, unless that sink has no
 * need of the repeat either: what it passed by may have been dropped before it, by a run that had seen the repeat first, and of which the memory is gone.
 */
export class SeenBySome {
  readonly #options: IdentityTableOptions;
  /** By the bits of the sinks, with when the newest of each arrived. */
  readonly #tables = new Map<number, { readonly table: IdentityTable; newestMs: number }>();

  constructor(options: IdentityTableOptions) {
    this.#options = options;
  }

  /** Like `IdentityTable.see`, of an event that no table knows which holds for all sinks. */
  see(sight: Uint32Array, hash: number, sinks: number, arrivedAtMs: number): Seen {
    for (const [its, { table }] of this.#tables) {
      const seen = (sinks & ~its) === 0 ? table.find(sight, hash) : 'first';
      if (seen !== 'first') return seen;
    }
    let its = this.#tables.get(sinks);
    if (!its) this.#tables.set(sinks, (its = { table: new IdentityTable(this.#options), newestMs: arrivedAtMs }));
    its.newestMs = Math.max(its.newestMs, arrivedAtMs);
    return its.table.see(sight, hash);
  }

  /** Sights that arrived before this time are of no use any more; nor is a table that has only those: once all sinks are level, none is made. */
  expire(beforeMs: number): void {
    for (const [sinks, { table, newestMs }] of this.#tables)
      if (newestMs < beforeMs) this.#tables.delete(sinks);
      else table.expire(beforeMs);
  }
}
