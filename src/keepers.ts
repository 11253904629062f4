import { type Position, comparePositions } from './position.ts';

/** Says where the first event of a shard lies that a step keeps; nothing when it keeps none. */
export type OldestKept = (shard: string) => Position | undefined;

/** The steps of a run that hand events on later than they come, in order. */
export class Keepers {
  /** What they keep may be rejected yet. */
  readonly #steps = new Set<OldestKept>();
  readonly #last = new Set<OldestKept>();

  /**
   * A step that failed stays registered: what it keeps then is read again.
   *
   * @param isLast whether no step behind it may reject what it keeps
   * @returns what ends it, for a step that has ended and keeps nothing
   */
  add(oldest: OldestKept, { isLast }: { readonly isLast: boolean }): () => void {
    const its = isLast ? this.#last : this.#steps;
    its.add(oldest);
    return () => its.delete(oldest);
  }

  /** The first event of a shard that is kept. */
  first(shard: string): Position | undefined {
    return earliest(this.#last, shard, this.firstThatMayBeRejected(shard));
  }

  firstThatMayBeRejected(shard: string): Position | undefined {
    return earliest(this.#steps, shard, undefined);
  }
}

function earliest(steps: Iterable<OldestKept>, shard: string, known: Position | undefined): Position | undefined {
  let first = known;
  for (const oldest of steps) {
    const kept = oldest(shard);
    if (kept && (!first || comparePositions(kept, first) < 0)) first = kept;
  }
  return first;
}
