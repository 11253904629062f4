/** How many events one call to a command store has at most: while it runs, the store does nothing else. */
export const MAX_CALL_EVENTS = 500;
/** How many bytes it has at most, but for a single event with more. */
export const MAX_CALL_BYTES = 512 * 1024;
