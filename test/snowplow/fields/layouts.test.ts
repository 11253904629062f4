import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldName } from '../../../src/snowplow/fields/field-types.ts';
import { fields } from '../../../src/snowplow/fields/fields.ts';
import { layoutOf, layouts } from '../../../src/snowplow/fields/layouts.ts';
import { eventOf, lineOf } from '../line.ts';

/** The fields of release 0.9.0 that are not where, or not what, one expects: column and name. */
const of98: readonly (readonly [number, FieldName])[] = [
  [0, 'app_id'],
  [2, 'collector_tstamp'],
  [4, 'event'],
  [5, 'event_vendor'],
  [6, 'event_id'],
  [8, 'v_tracker'],
  [22, 'geo_longitude'],
  [23, 'page_title'],
  [24, 'page_urlscheme'],
  [43, 'mkt_campaign'],
  [44, 'se_category'],
  [46, 'se_label'],
  [48, 'se_value'],
  [49, 'tr_orderid'],
  [67, 'useragent'],
  [97, 'doc_height'],
];

const text = fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.replaceAll(/[\t\n]/g, ' '));
const widths = [98, 108, 125, 131] as const;

describe('the layouts', () => {
  it.each(widths)('use each of %d columns for one field', (columns) => {
    const used = [...layoutOf(columns)!.columnOf].filter((column) => column >= 0);
    expect(used.toSorted((a, b) => a - b)).toEqual(Array.from({ length: columns }, (_, column) => column));
  });

  it('are known by their number of columns alone', () => {
    expect(layouts.map(({ columns }) => columns)).toEqual([131, 125, 108, 98]);
    for (const columns of [0, 1, 97, 99, 107, 126, 130, 132]) expect(layoutOf(columns)).toBeUndefined();
  });

  it.each(of98)('have in column %d of 98 the field %s', (column, name) => {
    const texts = lineOf({}, 98).toString().split('\t');
    texts[column] = name === 'event_id' || name === 'collector_tstamp' ? texts[column]! : '1';
    expect(texts.join('\t')).toBe(lineOf({ [name]: texts[column] }, 98).toString());
  });

  it.each(widths)('keep in %d columns the text of each field they have', (columns) => {
    const { columnOf } = layoutOf(columns)!;
    fields.forEach(({ name, type }, field) => {
      if (type !== 'string' || name === 'event_id') return;
      expect(eventOf({ [name]: `the ${name}` }, columns)[name]).toBe(columnOf[field]! < 0 ? undefined : `the ${name}`);
    });
  });
});

describe('toRow', () => {
  it('gives the very same bytes of an event of 131 columns', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...fields.map(({ name }) => name)), text), (texts) => {
        const { event_id: _, collector_tstamp: __, ...others } = texts;
        const event = eventOf(others);
        expect(event.toRow()).toBe(event.bytes);
      }),
    );
  });

  it.each([98, 108, 125])('puts each field of %d columns into its column of 131', (columns) => {
    fc.assert(
      fc.property(fc.array(text, { minLength: columns, maxLength: columns }), (values) => {
        const { columnOf } = layoutOf(columns)!;
        const texts: Partial<Record<FieldName, string>> = {};
        fields.forEach(({ name }, field) => {
          const isKept = name === 'event_id' || name === 'collector_tstamp' || name === 'etl_tstamp';
          if (!isKept && columnOf[field]! >= 0) texts[name] = values[columnOf[field]!]!;
        });
        const event = eventOf(texts, columns);
        expect(Buffer.from(event.toRow()).toString()).toBe(lineOf(texts).toString());
        expect(Buffer.from(event.bytes).toString()).toBe(lineOf(texts, columns).toString());
      }),
      { numRuns: 30 },
    );
  });

  it.each([98, 108, 125])('has nothing in a field that came after %d columns', (columns) => {
    const event = eventOf({ app_id: 'shop', doc_height: '415' }, columns);
    for (const { name } of fields.filter((_, field) => layoutOf(columns)!.columnOf[field]! < 0)) {
      expect([event[name], event.text(name), event.bytesOf(name).length], name).toEqual([undefined, '', 0]);
    }
  });

  it.each([108, 125])('makes a timestamp of the epoch milliseconds that stood in %d columns', (columns) => {
    const event = eventOf({ etl_tstamp: '1417023480123', doc_height: '415' }, columns);
    expect(Buffer.from(event.toRow()).toString()).toBe(
      lineOf({ etl_tstamp: '2014-11-26 17:38:00.123', doc_height: '415' }).toString(),
    );
    expect(event.etl_tstamp).toEqual(new Date('2014-11-26T17:38:00.123Z'));
    expect(event.text('etl_tstamp')).toBe('1417023480123');
  });

  it('leaves an etl_tstamp as it is that is a timestamp already, or neither', () => {
    for (const etl of ['2015-07-13 10:00:00.000', '', 'soon'])
      expect(Buffer.from(eventOf({ etl_tstamp: etl }, 125).toRow()).toString()).toBe(lineOf({ etl_tstamp: etl }).toString());
  });

  it('gives an event_vendor of 98 columns the column it has today', () => {
    const row = Buffer.from(eventOf({ event_vendor: 'com.snowplowanalytics' }, 98).toRow())
      .toString()
      .split('\t');
    expect(row).toHaveLength(131);
    expect(row[125]).toBe('com.snowplowanalytics');
  });
});
