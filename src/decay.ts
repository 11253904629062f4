import type { Duration } from 'date-fns';
import { durationMs } from './duration.ts';

export interface DecayOptions {
  /** After so long, a score counts half. Scores of one sorted set need the same. */
  readonly halfLife: Duration;
  /** When a weight of 1 is a thousand points; a time that has passed. The same holds of it. @default 2026-10-01 */
  readonly since?: Date;
}

/** What a weight of 1 is at `since`. */
const POINTS = 1000;
/** So often within a half-life a score grows, each time by half a percent. */
const STEPS = 128;
/** Beyond this many half-lives a score would leave what a double holds. */
const MAX_HALF_LIVES = 900;

/**
 * Gives scores that fade: what is given later weighs more, twice as much after each half-life, so that the ranks in a sorted set
 * are those of decayed sums and nothing that was stored has to be touched again. Forward decay: Cormode and others, 2009,
 * https://doi.org/10.1109/ICDE.2009.65
 *
 * Scores are whole numbers of points: Redis keeps those in a third of the room, and in less than half of the time. Time counts in steps, of
 * which a half-life has 128, so that what happens within one weighs the same. Sums are exact for about 30 half-lives after `since`, and of a
 * double's precision from then on; after 40, Redis keeps them as text, which is slow and no less right. What came ten half-lives before
 * `since` weighs nothing.
 *
 * A set's score of today is its stored score divided by `decay({ … })(1, Date.now())`.
 *
 * @throws {RangeError} at a time more than 900 half-lives after `since`
 */
export function decay({
  halfLife,
  since = new Date('2026-10-01T00:00:00Z'),
}: DecayOptions): (weight: number, atMs: number) => number {
  const stepMs = durationMs(halfLife, { who: 'decay', name: 'halfLife' }) / STEPS;
  const sinceMs = since.getTime();
  let [step, points] = [0, POINTS];
  return (weight, atMs) => {
    const at = Math.floor((atMs - sinceMs) / stepMs);
    if (at !== step) {
      if (at > MAX_HALF_LIVES * STEPS)
        throw new RangeError(
          `decay: expected a time within ${MAX_HALF_LIVES} half-lives of ${since.toISOString()}, got ${new Date(atMs).toISOString()}`,
        );
      [step, points] = [at, POINTS * 2 ** (at / STEPS)];
    }
    return Math.round(weight * points);
  };
}
