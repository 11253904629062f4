import { readEpochMs } from './fields/epoch-ms.ts';
import { readTimestamp } from './fields/timestamp.ts';

const TAB = 9;
/** Of milliseconds since 1970, from 2001 to 2286. A number of another length is no time. */
const EPOCH_MS_DIGITS = 13;

/**
 * Reads from a line of the enriched format when the enricher had made it: its third field, `etl_tstamp`, be it in milliseconds since 1970 as
 * versions 0.2.0 to 0.5.0 of kinesis-enrich wrote it. What the source of a line does not tell, this does: `lines({ files, arrivedAt: enrichedAt })`.
 *
 * @returns nothing when no such time stands there, or one before 1970, at which no enricher ran: the year 0 Postgres could not store with a reject
 */
export function enrichedAt(line: Uint8Array): Date | undefined {
  const start = line.indexOf(TAB, line.indexOf(TAB) + 1) + 1;
  const end = line.indexOf(TAB, start);
  const read = end - start === EPOCH_MS_DIGITS ? readEpochMs : readTimestamp;
  const ms = start > 0 && end > start ? read(line, start, end) : NaN;
  return ms >= 0 ? new Date(ms) : undefined;
}
