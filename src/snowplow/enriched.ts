import type { Format } from '../operators/decode.ts';
import { EnrichedEvent } from './enriched-event.ts';

/**
 * Snowplow's enriched events, a line of 98, 108, 125 or 131 columns each, for `decode`.
 *
 * Malformed are a line of any other number of columns (`column_count`), with a newline inside (`newline`), without a UUID as
 * event_id (`no_event_id`, `invalid_event_id`) or without a collector_tstamp (`no_collector_tstamp`,
 * `invalid_collector_tstamp`). Other fields are checked when they are read. One newline at the end is taken off.
 */
export const enriched: Format<EnrichedEvent> = {
  name: 'enriched',
  parse: (line) => EnrichedEvent.parse(line),
  lines: { passes: (index) => EnrichedEvent.isSound(index), make: (line) => EnrichedEvent.ofSound(line) },
};
