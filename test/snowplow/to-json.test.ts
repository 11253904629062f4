import { describe, expect, it } from 'vitest';
import { FieldError } from '../../src/snowplow/fields/field-error.ts';
import { fields } from '../../src/snowplow/fields/fields.ts';
import { anId, eventOf } from './line.ts';

const contexts = (...data: (readonly [string, unknown])[]): string =>
  JSON.stringify({
    schema: 'iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1',
    data: data.map(([schema, value]) => ({ schema, data: value })),
  });

const unstruct = (schema: string, data: unknown): string =>
  JSON.stringify({ schema: 'iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0', data: { schema, data } });

const required = { event_id: anId, collector_tstamp: '2026-11-22T09:00:00.123Z' };

describe('toJSON', () => {
  it('leaves empty fields out', () => {
    expect(eventOf().toJSON()).toEqual(required);
  });

  it('keeps empty fields as null when asked to, but not the JSON ones, which have no key of their own', () => {
    const json = eventOf().toJSON({ nulls: 'keep' });
    const names = fields.filter(({ type }) => type !== 'json').map(({ name }) => name);
    expect(Object.keys(json)).toEqual(names);
    expect(names).toHaveLength(128);
    expect(json).toMatchObject({ ...required, app_id: null, se_value: null, br_cookies: null, true_tstamp: null });
    expect(json).not.toHaveProperty('geo_location');
  });

  it('is what JSON.stringify writes', () => {
    expect(JSON.parse(JSON.stringify({ event: eventOf({ app_id: 'shop' }) }))).toEqual({
      event: { app_id: 'shop', ...required },
    });
  });

  it('writes numbers as numbers, se_value too, and 0 and 1 as booleans', () => {
    const json = eventOf({ txn_id: '7', se_value: '12.50', tr_total: '99', br_cookies: '1', br_features_pdf: '0' }).toJSON();
    expect(json).toMatchObject({ txn_id: 7, se_value: 12.5, tr_total: 99, br_cookies: true, br_features_pdf: false });
  });

  it('writes timestamps with T and Z, and the digits they came with', () => {
    const json = eventOf({ derived_tstamp: '2026-11-22 09:00:00', true_tstamp: '2026-11-22 09:00:00.123456789' }).toJSON();
    expect(json).toMatchObject({ derived_tstamp: '2026-11-22T09:00:00Z', true_tstamp: '2026-11-22T09:00:00.123456789Z' });
  });

  it('writes epoch milliseconds of old events as a timestamp', () => {
    expect(eventOf({ etl_tstamp: '1417023480123' }, 108).toJSON()).toMatchObject({ etl_tstamp: '2014-11-26T17:38:00.123Z' });
  });

  it('adds geo_location when both its parts are there', () => {
    expect(eventOf({ geo_latitude: '37.443604', geo_longitude: '-122.4124' }).toJSON()).toMatchObject({
      geo_latitude: 37.443604,
      geo_longitude: -122.4124,
      geo_location: '37.443604,-122.4124',
    });
    expect(eventOf({ geo_latitude: '0', geo_longitude: '0' }).toJSON()).toMatchObject({ geo_location: '0,0' });
    expect(eventOf({ geo_latitude: '37.4' }).toJSON()).not.toHaveProperty('geo_location');
    expect(eventOf({ geo_longitude: '37.4' }).toJSON()).not.toHaveProperty('geo_location');
  });

  it('explodes contexts by vendor, name and model, those of one kind in one array', () => {
    const json = eventOf({
      contexts: contexts(
        ['iglu:org.schema/WebPage/jsonschema/1-0-0', { genre: 'blog' }],
        ['iglu:org.w3/PerformanceTiming/jsonschema/1-0-0', { navigationStart: 1 }],
        ['iglu:org.schema/WebPage/jsonschema/1-2-3', { genre: 'shop' }],
        ['iglu:org.schema/WebPage/jsonschema/2-0-0', { kind: 'shop' }],
      ),
      derived_contexts: contexts(['iglu:com.snowplowanalytics.snowplow/ua_parser_context/jsonschema/1-0-0', { osFamily: 'iOS' }]),
    }).toJSON();
    expect(json).toEqual({
      ...required,
      contexts_org_schema_web_page_1: [{ genre: 'blog' }, { genre: 'shop' }],
      contexts_org_schema_web_page_2: [{ kind: 'shop' }],
      contexts_org_w3_performance_timing_1: [{ navigationStart: 1 }],
      contexts_com_snowplowanalytics_snowplow_ua_parser_context_1: [{ osFamily: 'iOS' }],
    });
  });

  it('keeps contexts of one kind from both context fields', () => {
    const schema = 'iglu:com.example/thing/jsonschema/1-0-0';
    const json = eventOf({ contexts: contexts([schema, 1]), derived_contexts: contexts([schema, 2]) }).toJSON();
    expect(json['contexts_com_example_thing_1']).toEqual([1, 2]);
  });

  it('writes nothing for a context field that holds no context', () => {
    expect(eventOf({ contexts: contexts() }).toJSON()).toEqual(required);
  });

  it('explodes an unstructured event into one object', () => {
    const schema = 'iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1';
    expect(eventOf({ unstruct_event: unstruct(schema, { targetUrl: 'https://example.com' }) }).toJSON()).toEqual({
      ...required,
      unstruct_event_com_snowplowanalytics_snowplow_link_click_1: { targetUrl: 'https://example.com' },
    });
  });

  it.each([
    ['com.snowplowanalytics.snowplow/geolocation_context', 'com_snowplowanalytics_snowplow_geolocation_context'],
    ['org.w3/PerformanceTiming', 'org_w3_performance_timing'],
    ['com.my-vendor.shop/HTMLElement', 'com_my_vendor_shop_htmlelement'],
    ['com.Acme/cart-Item', 'com_acme_cart_item'],
    ['com.acme/iOSApp9Start', 'com_acme_i_osapp9_start'],
    ['com.acme/a_B', 'com_acme_a_b'],
    ['com.acme/sign.up', 'com_acme_sign_up'],
  ])('names a schema %s as %s', (schema, key) => {
    const json = eventOf({ unstruct_event: unstruct(`iglu:${schema}/jsonschema/12-3-4`, {}) }).toJSON();
    expect(Object.keys(json)).toContain(`unstruct_event_${key}_12`);
  });

  it.each(['com.acme/name/jsonschema/1-0-0', 'iglu:com.acme/name/jsonschema', 'iglu:com.acme/name/jsonschema/1.0.0', ''])(
    'throws when a schema is called %o',
    (schema) => {
      expect(() => eventOf({ contexts: contexts([schema, {}]) }).toJSON()).toThrow(FieldError);
      expect(() => eventOf({ contexts: contexts([schema, {}]) }).toJSON()).toThrow(/^contexts: expected a schema iglu:/);
    },
  );

  it('throws when a field holds what its type does not allow', () => {
    expect(() => eventOf({ page_urlport: 'https' }).toJSON()).toThrow(/^page_urlport: /);
  });

  it.each([98, 108, 125])('writes an event of %d columns by the names of today', (columns) => {
    const json = eventOf({ se_label: '{}', event: 'struct', doc_height: '415' }, columns).toJSON();
    expect(json).toEqual({ ...required, se_label: '{}', event: 'struct', doc_height: 415 });
  });
});
