import { type Position, type Resume, comparePositions, compareResumes, isPosition } from './position.ts';

/**
 * Where each sink stood when the reading of a shard began: which of them a record is new to. Those that stand beyond it, where another one made the
 * run begin before it, get it no more: they have it, or an earlier run dropped it before them.
 */
export class SinkStands {
  /** By shard, first of the rejects' sink. */
  readonly #stands = new Map<string, readonly (Resume | undefined)[]>();

  /**
   * @param sinks in the same order for each shard; nothing of one that gets all of it
   * @param rejects where the last reject lies that is stored, if there is one
   */
  note(shard: string, sinks: readonly (Resume | undefined)[], rejects: Resume | undefined): void {
    this.#stands.set(shard, [rejects, ...sinks]);
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

  /** Where sinks stand between two positions of a shard, in order: at the first, or behind it, and before the last. */
  between(first: Position, last: Position): readonly Position[] {
    const [, ...sinks] = this.#stands.get(first.shard) ?? [];
    return sinks
      .filter(isPlace)
      .filter((stand) => comparePositions(first, stand) <= 0 && comparePositions(stand, last) < 0)
      .toSorted(comparePositions);
  }

  /** Whether one of the sinks had all of a shard. */
  isAtEnd(shard: string): boolean {
    const [, ...sinks] = this.#stands.get(shard) ?? [];
    return sinks.includes('SHARD_END');
  }

  /** The first position in a shard at which a sink stands; behind that of the rejects' one all may have been stored by others. */
  firstPosition(shard: string): Position | undefined {
    const [, ...sinks] = this.#stands.get(shard) ?? [];
    return sinks.filter(isPlace).reduce<Position | undefined>((a, b) => (a && comparePositions(a, b) <= 0 ? a : b), undefined);
  }

  /** The last position in a shard at which a sink stands, be it that of the rejects. */
  lastPosition(shard: string): Position | undefined {
    const sinks = this.#stands.get(shard) ?? [];
    return sinks.filter(isPlace).reduce<Position | undefined>((a, b) => (a && comparePositions(a, b) >= 0 ? a : b), undefined);
  }
}

function isPlace(stand: Resume | undefined): stand is Position {
  return stand !== undefined && isPosition(stand);
}
