import type { EnrichedEvent } from './enriched-event.ts';
import { readEpochMs } from './fields/epoch-ms.ts';
import { fieldNumber } from './fields/field-number.ts';
import { formatTimestamp } from './fields/timestamp.ts';

const ETL_TSTAMP = fieldNumber('etl_tstamp');
const TAB = 9;

/** Arranges an event's line in the 131 columns of today. */
export function toRow(event: EnrichedEvent): Uint8Array {
  const { columns, columnOf } = event.layout;
  if (columns === columnOf.length) return event.bytes;
  const index = event.indexed();
  const { bytes } = index;
  const row = Buffer.alloc(event.bytes.length + columnOf.length + 'YYYY-MM-DD hh:mm:ss.SSS'.length, TAB);
  let at = 0;
  for (let field = 0; field < columnOf.length; field++, at++) {
    const column = columnOf[field]!;
    if (column < 0) continue;
    const start = index.start(column);
    const end = index.end(column);
    const epochMs = field === ETL_TSTAMP ? readEpochMs(bytes, start, end) : NaN;
    at += Number.isNaN(epochMs) ? bytes.copy(row, at, start, end) : row.write(formatTimestamp(epochMs), at, 'latin1');
  }
  return row.subarray(0, at - 1);
}
