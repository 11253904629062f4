/** How much of the past is kept and drawn, and how much of it a rate is made of. */
const KEPT_MS = 120_000;
const RATE_MS = 10_000;
/** However many look at a page, it has no more points than this many milliseconds apart. */
const APART_MS = 900;

/** How many there had been at a time. */
interface Point {
  readonly atMs: number;
  readonly count: number;
}

/** How fast a count grows. It knows only what it is told when somebody looks, so it costs nothing when nobody does. */
export class Throughput {
  #points: Point[] = [];

  /** Takes note of a count. A clock that was set back begins anew. */
  note(atMs: number, count: number): void {
    const last = this.#points.at(-1);
    if (last && atMs < last.atMs) this.#points = [];
    else if (last && atMs - last.atMs < APART_MS) return;
    this.#points = [...this.#points.filter((point) => point.atMs >= atMs - KEPT_MS), { atMs, count }];
  }

  /** By the last ten seconds; nothing before the second look. */
  get perSecond(): number | undefined {
    const last = this.#points.at(-1);
    if (!last) return undefined;
    const before = this.#points.findLast(({ atMs }) => atMs <= last.atMs - RATE_MS) ?? this.#points[0]!;
    return before === last ? undefined : rate(before, last);
  }

  /** How fast it grew from one look to the next: `agoMs` is how long before the last one that was. */
  rates(): { readonly agoMs: number; readonly perSecond: number }[] {
    const lastMs = this.#points.at(-1)?.atMs ?? 0;
    return this.#points.slice(1).map((point, i) => ({ agoMs: lastMs - point.atMs, perSecond: rate(this.#points[i]!, point) }));
  }
}

function rate(from: Point, to: Point): number {
  return ((to.count - from.count) * 1000) / (to.atMs - from.atMs);
}
