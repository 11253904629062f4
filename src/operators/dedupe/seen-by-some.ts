import type { Seen } from './identity-partition.ts';
import { IdentityTable, type IdentityTableOptions } from './identity-table.ts';

/**
 * Remembers what is new to some of the sinks only. An event of which another sink has no need is no reason to drop its repeat, unless that sink has no
 * need of the repeat either: what it passed by may have been dropped before it, by a run that had seen the repeat first, and of which the memory is gone.
 */
export class SeenBySome {
  readonly #options: IdentityTableOptions;
  /** By the bits of the sinks. */
  readonly #tables = new Map<number, IdentityTable>();

  constructor(options: IdentityTableOptions) {
    this.#options = options;
  }

  /** Like `IdentityTable.see`, of an event that no table knows which holds for all sinks. */
  see(sight: Uint32Array, hash: number, sinks: number): Seen {
    for (const [its, table] of this.#tables) {
      const seen = (sinks & ~its) === 0 ? table.find(sight, hash) : 'first';
      if (seen !== 'first') return seen;
    }
    let table = this.#tables.get(sinks);
    if (!table) this.#tables.set(sinks, (table = new IdentityTable(this.#options)));
    return table.see(sight, hash);
  }

  expire(beforeMs: number): void {
    for (const table of this.#tables.values()) table.expire(beforeMs);
  }
}
