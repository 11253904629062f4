import type { Duration } from 'date-fns';
import { durationMs } from './duration.ts';

export interface DecayOptions {
  /** After so long, a score counts half. */
  readonly halfLife: Duration;
  /** When a score counts as it is; scores of one sorted set need the same. @default 2026-01-01 */
  readonly since?: Date;
}

/** Beyond this many half-lives a score would leave what a double holds. */
const MAX_HALF_LIVES = 1000;

/**
 * Gives scores that fade: what is given later weighs more, twice as much after each half-life, so that the ranks in a sorted set
 * are those of decayed sums and nothing that was stored has to be touched again. Forward decay: Cormode and others, 2009,
 * https://doi.org/10.1109/ICDE.2009.65
 *
 * A set's score of today is its stored score divided by `decay({ … })(1, Date.now())`.
 *
 * @throws {RangeError} at a time more than a thousand half-lives after `since`
 */
export function decay({
  halfLife,
  since = new Date('2026-01-01T00:00:00Z'),
}: DecayOptions): (weight: number, atMs: number) => number {
  const halfLifeMs = durationMs(halfLife, { who: 'decay', name: 'halfLife' });
  const sinceMs = since.getTime();
  return (weight, atMs) => {
    const halfLives = (atMs - sinceMs) / halfLifeMs;
    if (halfLives > MAX_HALF_LIVES)
      throw new RangeError(
        `decay: expected a time within ${MAX_HALF_LIVES} half-lives of ${since.toISOString()}, got ${new Date(atMs).toISOString()}`,
      );
    return weight * 2 ** halfLives;
  };
}
