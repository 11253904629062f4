import { readTimestamp } from './timestamp.ts';

const TAB = 9;

/**
 * Reads from a line of the enriched format when the enricher had made it: its third field, `etl_tstamp`. What the source of a line does not tell,
 * this does: `lines({ files, arrivedAt: enrichedAt })`.
 *
 * @returns nothing when no such time stands there
 */
export function enrichedAt(line: Uint8Array): Date | undefined {
  const start = line.indexOf(TAB, line.indexOf(TAB) + 1) + 1;
  const end = line.indexOf(TAB, start);
  const ms = start > 0 && end > start ? readTimestamp(line, start, end) : NaN;
  return Number.isNaN(ms) ? undefined : new Date(ms);
}
