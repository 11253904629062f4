/** @throws {RangeError} when one of these settings is not a whole number above zero */
export function checkCounts(who: string, settings: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(settings))
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${who}: expected ${name} of 1 or more, got ${value}`);
}
