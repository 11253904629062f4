import type { Reject } from './event.ts';
import type { Keepers } from './keepers.ts';
import { comparePositions } from './position.ts';

interface RejectLineOptions {
  /** Whether rejects wait until the call is over in which they came: a step may keep what comes of the same record yet, and reject that later. */
  readonly waitsForRecords: boolean;
}

/**
 * The rejects of a run on their way to whoever stores them: of each shard in order, and none before an event that a step keeps. When one is
 * stored, its position says that all before it are.
 */
export class RejectLine {
  readonly #keepers: Keepers;
  readonly #waitsForRecords: boolean;
  /** By shard, those that wait, in order. */
  readonly #waiting = new Map<string, Reject[]>();
  /** The shards of which rejects came in the call at hand. */
  readonly #arriving = new Set<string>();
  #take: ((reject: Reject) => void) | undefined;

  constructor(keepers: Keepers, { waitsForRecords }: RejectLineOptions) {
    this.#keepers = keepers;
    this.#waitsForRecords = waitsForRecords;
  }

  /** Takes a reject on, and holds it. */
  add(reject: Reject): void {
    reject.hold();
    const { shard, first } = reject;
    let queue = this.#waiting.get(shard);
    if (!queue) this.#waiting.set(shard, (queue = []));
    let at = queue.length;
    while (at > 0 && comparePositions(queue[at - 1]!.first, first) > 0) at--;
    queue.splice(at, 0, reject);
    this.pass(shard);
  }

  /** Hands rejects to `take` from now on, those that wait first. */
  onReject(take: (reject: Reject) => void): void {
    this.#take = take;
    for (const shard of this.#waiting.keys()) this.#passNow(shard);
  }

  /** Hands on a shard's rejects before which nothing is kept; once the call is over, where they wait for records. */
  pass(shard: string): void {
    if (!this.#waiting.get(shard)?.length) return;
    if (this.#waitsForRecords) this.#passSoon(shard);
    else this.#passNow(shard);
  }

  #passNow(shard: string): void {
    const queue = this.#waiting.get(shard) ?? [];
    while (this.#take && queue[0] && !this.#isKeptBefore(queue[0])) this.#take(queue.shift()!);
  }

  // A source emits all events of a record in one call, and so does a step that kept them: of those it is handing on it no longer says that it keeps
  // them, though one may be a reject yet.
  #passSoon(shard: string): void {
    if (this.#arriving.has(shard)) return;
    this.#arriving.add(shard);
    queueMicrotask(() => {
      this.#arriving.delete(shard);
      this.#passNow(shard);
    });
  }

  #isKeptBefore({ shard, first }: Reject): boolean {
    const kept = this.#keepers.firstThatMayBeRejected(shard);
    return kept !== undefined && comparePositions(kept, first) <= 0;
  }
}
