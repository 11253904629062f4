import type { EnrichedEvent } from './enriched-event.ts';
import { FieldError } from './fields/field-error.ts';
import { fields } from './fields/fields.ts';
import type { SelfDescribing } from './self-describing.ts';

export interface ToJsonOptions {
  /**
   * Whether empty fields are left out, as the Python, Go and JavaScript SDKs do, or kept as null, as the Scala SDK does.
   *
   * @default 'omit'
   */
  readonly nulls?: 'omit' | 'keep';
}

/**
 * Turns an event into JSON as the Snowplow analytics SDKs do.
 *
 * Timestamps become `2026-11-22T09:00:00.123Z` with the digits they came with, `se_value` is a number (as in the Scala SDK),
 * `geo_location` is added when latitude and longitude are there. In place of `contexts` and `derived_contexts` stands an
 * array for each kind of context, `contexts_com_example_cart_item_1`, and in place of `unstruct_event` an object,
 * `unstruct_event_com_example_sign_up_1`. Where both context fields hold one kind, its array holds both.
 *
 * @throws {FieldError} when a field holds what its type does not allow
 */
export function toJson(event: EnrichedEvent, { nulls = 'omit' }: ToJsonOptions = {}): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const { name, type } of fields) {
    if (name === 'unstruct_event') {
      const inner = event.unstruct_event?.data;
      if (inner) json[keyOf('unstruct_event', inner, name)] = inner.data;
    } else if (type === 'json') {
      for (const context of event[name]?.data ?? []) {
        const key = keyOf('contexts', context, name);
        const kept = json[key];
        if (Array.isArray(kept)) kept.push(context.data);
        else json[key] = [context.data];
      }
    } else {
      const value = event[name];
      if (value !== undefined) json[name] = value instanceof Date ? isoText(event.text(name), value) : value;
      else if (nulls === 'keep') json[name] = null;
    }
  }
  if (event.geo_latitude !== undefined && event.geo_longitude !== undefined)
    json['geo_location'] = `${event.text('geo_latitude')},${event.text('geo_longitude')}`;
  return json;
}

// A Date knows milliseconds; enrich writes up to nine digits of a fraction.
function isoText(text: string, date: Date): string {
  return text.includes(' ') ? `${text.replace(' ', 'T')}Z` : date.toISOString();
}

function keyOf(prefix: string, { schema }: SelfDescribing, field: string): string {
  const [, vendor, name, model] = /^iglu:([\w.-]+)\/([\w.-]+)\/[\w-]+\/(\d+)-\d+-\d+$/.exec(schema) ?? [];
  if (vendor === undefined || name === undefined || model === undefined)
    throw new FieldError(field, 'invalid_json', 'a schema iglu:vendor/name/format/1-0-0', schema);
  const snake = name.replaceAll(/[.-]/g, '_').replaceAll(/([^A-Z_])([A-Z])/g, '$1_$2');
  return `${prefix}_${vendor.replaceAll(/[.-]/g, '_')}_${snake}_${model}`.toLowerCase();
}
