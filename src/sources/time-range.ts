/** A stretch of time in whole minutes: `since` is in, `until` is the first instant after. */
export interface TimeRange {
  readonly since: Date;
  readonly until: Date;
}

const MINUTE_MS = 60_000;

/**
 * Sees that a range is one.
 *
 * @throws {RangeError} when it is empty, or does not begin and end with a minute
 */
export function checkRange(who: string, { since, until }: TimeRange): void {
  for (const [name, time] of Object.entries({ since, until }))
    if (Number.isNaN(time.getTime()) || time.getTime() % MINUTE_MS !== 0)
      throw new RangeError(
        `${who}: expected ${name} at a whole minute, got ${Number.isNaN(time.getTime()) ? 'no time' : time.toISOString()}`,
      );
  if (since >= until)
    throw new RangeError(`${who}: expected until after since, got ${since.toISOString()} and ${until.toISOString()}`);
}

/** Writes a range for people and as a part of names: `2026-11-22T09:00Z/2026-11-22T10:00Z`. */
export function formatRange({ since, until }: TimeRange): string {
  return [since, until].map((time) => `${time.toISOString().slice(0, 'yyyy-mm-ddThh:mm'.length)}Z`).join('/');
}
