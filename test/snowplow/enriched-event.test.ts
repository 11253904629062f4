import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import { FieldError } from '../../src/snowplow/fields/field-error.ts';
import { fields } from '../../src/snowplow/fields/fields.ts';
import type { SelfDescribing } from '../../src/snowplow/self-describing.ts';
import { anId, eventOf, lineOf, parsed } from './line.ts';

const naughty = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll(/[\t\n]/g, ' '));

describe('an enriched event', () => {
  it('has a typed getter for each of the 131 fields', () => {
    expect(fields).toHaveLength(131);
    const event = eventOf();
    for (const { name } of fields) expect(name in event).toBe(true);
    expectTypeOf(event.event_id).toEqualTypeOf<string>();
    expectTypeOf(event.collector_tstamp).toEqualTypeOf<Date>();
    expectTypeOf(event.app_id).toEqualTypeOf<string | undefined>();
    expectTypeOf(event.txn_id).toEqualTypeOf<number | undefined>();
    expectTypeOf(event.se_value).toEqualTypeOf<number | undefined>();
    expectTypeOf(event.br_cookies).toEqualTypeOf<boolean | undefined>();
    expectTypeOf(event.etl_tstamp).toEqualTypeOf<Date | undefined>();
    expectTypeOf(event.contexts).toEqualTypeOf<SelfDescribing<readonly SelfDescribing[]> | undefined>();
    expectTypeOf(event.unstruct_event).toEqualTypeOf<SelfDescribing<SelfDescribing> | undefined>();
  });

  it('reads each type of field', () => {
    const contexts = { schema: 'iglu:com.example/contexts/jsonschema/1-0-0', data: [{ schema: 'iglu:a/b/c/1-0-0', data: {} }] };
    const event = eventOf({
      app_id: 'Gemüse & Söhne 🥕',
      txn_id: '421337',
      domain_sessionidx: '-5',
      geo_latitude: '-37.443604',
      se_value: '1.5e3',
      br_cookies: '1',
      dvce_ismobile: '0',
      true_tstamp: '2014-02-28 23:59:59',
      derived_tstamp: '2026-11-22 09:00:00.123456789',
      contexts: JSON.stringify(contexts),
    });
    expect(event.event_id).toBe(anId);
    expect(event.collector_tstamp).toEqual(new Date('2026-11-22T09:00:00.123Z'));
    expect(event.app_id).toBe('Gemüse & Söhne 🥕');
    expect(event.txn_id).toBe(421_337);
    expect(event.domain_sessionidx).toBe(-5);
    expect(event.geo_latitude).toBe(-37.443604);
    expect(event.se_value).toBe(1500);
    expect(event.br_cookies).toBe(true);
    expect(event.dvce_ismobile).toBe(false);
    expect(event.true_tstamp).toEqual(new Date('2014-02-28T23:59:59Z'));
    expect(event.derived_tstamp).toEqual(new Date('2026-11-22T09:00:00.123Z'));
    expect(event.contexts).toEqual(contexts);
  });

  it('reads an empty field as undefined, and its text as empty', () => {
    const event = eventOf();
    for (const { name } of fields) {
      if (name === 'event_id' || name === 'collector_tstamp') continue;
      expect(event[name]).toBeUndefined();
      expect(event.text(name)).toBe('');
      expect(event.bytesOf(name)).toHaveLength(0);
    }
  });

  it('agrees with a split at the tabs, whatever stands between them', () => {
    fc.assert(
      fc.property(fc.array(naughty, { minLength: 131, maxLength: 131 }), (columns) => {
        const line = Buffer.from(columns.with(3, '2026-11-22 09:00:00').with(6, anId).join('\t'));
        const texts = line.toString().split('\t');
        const event = parsed(line);
        fields.forEach(({ name, type }, column) => {
          expect(event.text(name)).toBe(texts[column]);
          expect(Buffer.from(event.bytesOf(name)).toString()).toBe(texts[column]);
          if (type === 'string') expect(event[name] ?? '').toBe(texts[column]);
        });
      }),
      { numRuns: 50 },
    );
  });

  it('is read right when another event was read in between', () => {
    const [a, b] = [eventOf({ app_id: 'a', true_tstamp: '2026-01-01 00:00:00' }), eventOf({ app_id: 'another' })];
    expect([a.app_id, b.app_id, a.true_tstamp, b.true_tstamp, a.app_id]).toEqual([
      'a',
      'another',
      new Date('2026-01-01T00:00:00Z'),
      undefined,
      'a',
    ]);
    expect(EnrichedEvent.parse(Buffer.from('broken'))).not.toBeInstanceOf(EnrichedEvent);
    expect(b.app_id).toBe('another');
  });

  it('may be longer than any event before', () => {
    const label = 'é'.repeat(200_000);
    const event = eventOf({ se_label: label, true_tstamp: '2026-01-01 00:00:00' });
    expect(event.se_label).toBe(label);
    expect(event.true_tstamp).toEqual(new Date('2026-01-01T00:00:00Z'));
  });

  it.each([
    ['txn_id', '12abc', 'invalid_integer'],
    ['txn_id', '-', 'invalid_integer'],
    ['txn_id', '2147483648', 'invalid_integer'],
    ['txn_id', '9999999999999999999999', 'invalid_integer'],
    ['txn_id', ' 1', 'invalid_integer'],
    ['se_value', '12,5', 'invalid_number'],
    ['se_value', '0x10', 'invalid_number'],
    ['se_value', '1e999', 'invalid_number'],
    ['se_value', 'NaN', 'invalid_number'],
    ['br_cookies', 'true', 'invalid_boolean'],
    ['br_cookies', '2', 'invalid_boolean'],
    ['br_cookies', '00', 'invalid_boolean'],
    ['br_cookies', '10', 'invalid_boolean'],
    ['true_tstamp', '2026-02-29 00:00:00', 'invalid_timestamp'],
    ['contexts', '{"schema":', 'invalid_json'],
    ['contexts', '[]', 'invalid_json'],
    ['contexts', 'null', 'invalid_json'],
    ['contexts', '{"data":[]}', 'invalid_json'],
    ['contexts', '{"schema":"iglu:a/b/c/1-0-0","data":[{}]}', 'invalid_json'],
    ['contexts', '{"schema":"iglu:a/b/c/1-0-0","data":{}}', 'invalid_json'],
    ['unstruct_event', '{"schema":"iglu:a/b/c/1-0-0","data":{}}', 'invalid_json'],
  ] as const)('throws a TypeError that names the field when %s is %s', (name, text, code) => {
    const event = eventOf({ [name]: text });
    const read = (): unknown => event[name];
    expect(read).toThrow(TypeError);
    expect(read).toThrow(FieldError);
    expect(read).toThrow(
      expect.objectContaining({ code, path: name, message: expect.stringMatching(`^${name}: expected .+, got`) }),
    );
  });

  it('says of a very long text at once that it is no number', () => {
    const event = eventOf({ se_value: `${'1'.repeat(300_000)}x` });
    expect(() => event.se_value).toThrow(FieldError);
  });

  it.each([
    ['1.0E-5', 0.00001],
    ['-2.5e+3', -2500],
    ['+.25', 0.25],
    ['5.', 5],
    ['007', 7],
  ])('takes %s for a number', (text, number) => {
    expect(eventOf({ se_value: text }).se_value).toBe(number);
  });

  it('takes the least and the greatest integer', () => {
    expect(eventOf({ txn_id: '-2147483648' }).txn_id).toBe(-(2 ** 31));
    expect(eventOf({ txn_id: '+2147483647' }).txn_id).toBe(2 ** 31 - 1);
    expect(Object.is(eventOf({ txn_id: '-0' }).txn_id, 0)).toBe(true);
  });
});

describe('a line that is no event', () => {
  it.each([
    ['two columns', 'a\tb', 'column_count', 'expected 98, 108, 125 or 131 columns, got 2'],
    ['nothing', '', 'column_count', 'expected 98, 108, 125 or 131 columns, got 1'],
    ['132 columns', `${lineOf().toString()}\t`, 'column_count', 'expected 98, 108, 125 or 131 columns, got 132'],
    ['1,000 columns', '\t'.repeat(999), 'column_count', 'expected 98, 108, 125 or 131 columns, got 1000'],
    [
      'two lines',
      Buffer.concat([lineOf(), Buffer.from('\n'), lineOf()]),
      'newline',
      'expected one line, got a newline inside the event',
    ],
    ['no event_id', lineOf({ event_id: '' }), 'no_event_id', 'expected a UUID in event_id, got none'],
    ['another event_id', lineOf({ event_id: 'abc' }), 'invalid_event_id', 'event_id: expected a UUID, got "abc"'],
    ['an event_id beyond ASCII', lineOf({ event_id: 'é' }), 'invalid_event_id', 'event_id: expected a UUID, got "é"'],
    [
      'no collector_tstamp',
      lineOf({ collector_tstamp: '' }),
      'no_collector_tstamp',
      'expected a timestamp YYYY-MM-DD hh:mm:ss[.fraction] in collector_tstamp, got none',
    ],
    [
      'an hour that is none',
      lineOf({ collector_tstamp: '2026-11-22 24:00:00' }),
      'invalid_collector_tstamp',
      'collector_tstamp: expected a timestamp YYYY-MM-DD hh:mm:ss[.fraction], got "2026-11-22 24:00:00"',
    ],
  ])('is told why: %s', (_, line, code, reason) => {
    expect(EnrichedEvent.parse(Buffer.from(line))).toMatchObject({ code, reason });
  });

  it('is not made one by the newline at its end, which does not belong to it', () => {
    const line = lineOf({ true_tstamp: '2026-01-01 00:00:00' });
    for (const newline of ['\n', '\r\n']) {
      const event = parsed(Buffer.concat([line, Buffer.from(newline)]));
      expect(Buffer.from(event.bytes).equals(line)).toBe(true);
      expect(event.true_tstamp).toEqual(new Date('2026-01-01T00:00:00Z'));
    }
  });

  it('never makes the parser throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 140 }), (bytes, tabs) => {
        EnrichedEvent.parse(Buffer.concat([bytes, Buffer.alloc(tabs, 9), bytes]));
      }),
    );
  });
});
