import { type Position, comparePositions } from './position.ts';

/** Says where the first event of a shard lies that a step keeps; nothing when it keeps none. */
export type OldestKept = (shard: string) => Position | undefined;

/** The steps of a run that hand events on later than they come, in order. */
export class Keepers {
  readonly #steps: OldestKept[] = [];
  readonly #windows: OldestKept[] = [];

  /** A step that failed stays registered: what it keeps then is read again. */
  add(oldest: OldestKept, { isWindow }: { readonly isWindow: boolean }): void {
    (isWindow ? this.#windows : this.#steps).push(oldest);
  }

  /** The first event of a shard that is kept, be it in a window. */
  first(shard: string): Position | undefined {
    return earliest(this.#windows, shard, this.firstBesideWindows(shard));
  }

  /** The first event of a shard that is kept by another step than a window. */
  firstBesideWindows(shard: string): Position | undefined {
    return earliest(this.#steps, shard, undefined);
  }
}

function earliest(steps: readonly OldestKept[], shard: string, known: Position | undefined): Position | undefined {
  let first = known;
  for (const oldest of steps) {
    const kept = oldest(shard);
    if (kept && (!first || comparePositions(kept, first) < 0)) first = kept;
  }
  return first;
}
