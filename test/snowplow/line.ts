import { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import type { FieldName } from '../../src/snowplow/fields/field-types.ts';
import { fields } from '../../src/snowplow/fields/fields.ts';
import { layoutOf } from '../../src/snowplow/fields/layouts.ts';

export type Texts = Partial<Record<FieldName, string>>;

export const anId = 'c6ef3124-b53a-4b13-a233-0088f79dcbcb';

/** Writes a line with these fields in a layout; an event_id and a collector_tstamp are there unless given otherwise. */
export function lineOf(texts: Texts = {}, columns = 131): Buffer {
  const given: Texts = { event_id: anId, collector_tstamp: '2026-11-22 09:00:00.123', ...texts };
  const line = Array.from({ length: columns }, () => '');
  fields.forEach(({ name }, field) => {
    const column = layoutOf(columns)!.columnOf[field]!;
    if (column >= 0) line[column] = given[name] ?? '';
  });
  return Buffer.from(line.join('\t'));
}

/** Parses a line that is no Malformed. */
export function parsed(line: Uint8Array): EnrichedEvent {
  const event = EnrichedEvent.parse(line);
  if (!(event instanceof EnrichedEvent)) throw new Error(`expected an event, got ${event.code}: ${event.reason}`);
  return event;
}

export const eventOf = (texts?: Texts, columns?: number): EnrichedEvent => parsed(lineOf(texts, columns));
