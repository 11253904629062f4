import type { Item } from '../event.ts';
import { comparePositions } from '../position.ts';

/** How many events one call to a command store has at most: while it runs, the store does nothing else. */
export const MAX_CALL_EVENTS = 500;
/** How many bytes it has at most, but for a single event with more. */
export const MAX_CALL_BYTES = 512 * 1024;

/** Says whether items are of one record: those have one position, and must not be parted by a call. */
export function isSameRecord(a: Item, b: Item): boolean {
  return a.shard === b.shard && comparePositions(a.last, b.first) === 0;
}
