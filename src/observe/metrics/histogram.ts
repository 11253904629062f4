import type { Labels, Sample } from './prometheus.ts';

/** Counts values by how great they are, as a Prometheus histogram. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** How many values lie at or below each bound and above the one before; the last is for those above all. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds upper bounds, ascending; a value at one is below it */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = [...bounds, Number.POSITIVE_INFINITY].map(() => 0);
  }

  observe(value: number): void {
    const at = this.#bounds.findIndex((bound) => value <= bound);
    this.#counts[at < 0 ? this.#bounds.length : at]!++;
    this.#sum += value;
  }

  /** The bound at or below which so great a share of the values lies, the last one being infinite; nothing without a value. */
  quantile(share: number): number | undefined {
    let left = share * this.#counts.reduce((sum, count) => sum + count, 0);
    if (left === 0) return undefined;
    const at = this.#counts.findIndex((count) => (left -= count) <= 0);
    return this.#bounds[at] ?? Number.POSITIVE_INFINITY;
  }

  samples(labels: Labels): Sample[] {
    let count = 0;
    const buckets = [...this.#bounds, '+Inf'].map((bound, i): Sample => {
      count += this.#counts[i]!;
      return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: count };
    });
    return [...buckets, { suffix: '_sum', labels, value: this.#sum }, { suffix: '_count', labels, value: count }];
  }
}
