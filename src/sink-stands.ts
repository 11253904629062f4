import { type Position, type Resume, compareResumes } from './position.ts';

/**
 * Where each sink stood when the reading of a shard began: which of them a record is new to. Those that stand beyond it, where another one made the
 * run begin before it, get it no more: they have it, or an earlier run dropped it before them.
 */
export class SinkStands {
  readonly #stands = new Map<string, readonly (Resume | undefined)[]>();

  /** @param stands nothing of a sink that gets all of the shard; in the same order for each shard, that of the rejects among them */
  note(shard: string, stands: readonly (Resume | undefined)[]): void {
    this.#stands.set(shard, stands);
  }

  /** A bit for each sink that a record is new to (from the 33rd on they share them); nothing where it is new to all, as then is all behind it. */
  newTo(position: Position): number | undefined {
    const stands = this.#stands.get(position.shard) ?? [];
    let sinks = 0;
    let isNewToAll = true;
    for (const [i, stand] of stands.entries())
      if (stand === undefined || compareResumes(position, stand) > 0) sinks |= 1 << i;
      else isNewToAll = false;
    return isNewToAll ? undefined : sinks;
  }
}
