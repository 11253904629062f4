import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { label } from '../../src/snowplow/label.ts';
import { type Texts, eventOf } from './line.ts';

const product = z.object({ sku: z.string(), price: z.number().positive() });
const check = label({
  'product/view': product,
  'cart/*': z.object({ items: z.array(product) }),
  'cart/empty': z.object({}),
  'com.example/search': z.object({ term: z.string() }),
  'iglu:com.example/search/jsonschema/2-0-0': z.object({ terms: z.array(z.string()) }),
});

const struct = (category: string, action: string, text: unknown, more: Texts = {}): Texts => ({
  se_category: category,
  se_action: action,
  se_label: typeof text === 'string' ? text : JSON.stringify(text),
  ...more,
});

describe('label', () => {
  it('lets events without a label pass', () => {
    expect(check(eventOf())).toBeUndefined();
    expect(check(eventOf({ se_category: 'product', se_action: 'view' }))).toBeUndefined();
  });

  it.each([98, 108, 125, 131])('checks a label by category and action, in %d columns', (columns) => {
    expect(check(eventOf(struct('product', 'view', { sku: 'a', price: 1 }), columns))).toBeUndefined();
    expect(check(eventOf(struct('product', 'view', { sku: 'a', price: '1' }), columns))).toMatchObject({
      code: 'invalid_type',
      path: 'se_label.price',
    });
  });

  it('prefers the action to the star', () => {
    expect(check(eventOf(struct('cart', 'empty', {})))).toBeUndefined();
    expect(check(eventOf(struct('cart', 'add', {})))).toMatchObject({ code: 'invalid_type', path: 'se_label.items' });
  });

  it('tells the path into arrays, and how many more issues there are', () => {
    const issue = check(
      eventOf(
        struct('cart', 'add', {
          items: [
            { sku: 'a', price: 1 },
            { sku: 1, price: -1 },
          ],
        }),
      ),
    );
    expect(issue).toEqual({
      code: 'invalid_type',
      path: 'se_label.items.1.sku',
      reason: 'Invalid input: expected string, received number (and 1 more issues)',
    });
  });

  it('checks the data of a self-describing label by its name, whatever its category and action', () => {
    const of = (version: string, data: unknown): unknown =>
      check(eventOf(struct('product', 'view', { schema: `iglu:com.example/search/jsonschema/${version}`, data })));
    expect(of('1-0-0', { term: 'hat' })).toBeUndefined();
    expect(of('1-0-3', { terms: ['hat'] })).toMatchObject({ code: 'invalid_type', path: 'se_label.data.term' });
    expect(of('2-0-0', { terms: ['hat'] })).toBeUndefined();
    expect(of('2-0-0', { term: 'hat' })).toMatchObject({ code: 'invalid_type', path: 'se_label.data.terms' });
  });

  it('knows a self-describing label also behind blanks, of which enrich makes four of a tab', () => {
    const text = JSON.stringify({ schema: 'iglu:com.example/search/jsonschema/1-0-0', data: {} });
    expect(check(eventOf(struct('other', 'view', `    ${text}`)))).toMatchObject({ path: 'se_label.data.term' });
    expect(check(eventOf(struct('other', 'view', ' {"a":')))).toMatchObject({ code: 'invalid_json' });
    expect(check(eventOf(struct('other', 'view', '   ')))).toBeUndefined();
  });

  it('checks a self-describing label of an unknown name by category and action, as a whole', () => {
    const text = { schema: 'iglu:com.example/other/jsonschema/1-0-0', data: {} };
    expect(check(eventOf(struct('product', 'view', text)))).toMatchObject({ path: 'se_label.sku' });
    expect(check(eventOf(struct('other', 'view', text)))).toBeUndefined();
  });

  it('lets a label pass of which no schema is known, or rejects it as the option says', () => {
    const strict = label({ 'product/view': product }, { unknown: 'reject' });
    for (const text of ['{"a":1}', 'Buy now', '[1]', '42']) {
      expect(check(eventOf(struct('button', 'press', text)))).toBeUndefined();
      expect(strict(eventOf(struct('button', 'press', text)))).toEqual({
        code: 'unknown_label',
        reason: 'expected a label with a schema, got one of button/press',
        path: 'se_label',
      });
    }
  });

  it('does not take the keys that every object has for schemas', () => {
    expect(check(eventOf(struct('__proto__', 'constructor', '{"schema":"constructor","data":1}')))).toBeUndefined();
  });

  it.each([
    ['product', '{"sku":"a","pri'],
    ['product', 'a hat'],
    ['unknown', '{"sku":"a","pri'],
  ])('tells broken JSON of a %s label: %s', (category, text) => {
    expect(check(eventOf(struct(category, 'view', text)))).toMatchObject({
      code: 'invalid_json',
      path: 'se_label',
      reason: expect.stringMatching(/^expected JSON, got .*SyntaxError/),
    });
  });

  it('says so when a broken label has exactly the 255 characters to which enrich cut it', () => {
    const text = `{"sku":"${'ü'.repeat(300)}"}`;
    expect(check(eventOf(struct('product', 'view', text.slice(0, 255))))?.reason).toMatch(/255 characters/);
    expect(check(eventOf(struct('product', 'view', text.slice(0, 254))))?.reason).not.toMatch(/255 characters/);
  });

  it('gives back what went in, backslashes, quotes and all letters, as zod saw it', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (text) => {
        let seen: unknown;
        const look = label({ 'a/*': z.custom((value) => ((seen = value), true)) });
        // JSON writes control characters as escapes, so there is no tab in it.
        expect(look(eventOf(struct('a', 'b', text)))).toBeUndefined();
        expect(seen).toEqual(JSON.parse(text));
      }),
    );
  });

  it('reads a label once, whatever is found in it; of another kind it is another label', () => {
    let looks = 0;
    const look = label({
      'a/*': z.object({ n: z.number() }).refine(({ n }) => (looks++, n > 0)),
      'b/*': z.object({ n: z.string() }),
    });
    const says = (category: string, text: string): string | undefined => look(eventOf(struct(category, 'x', text)))?.code;
    expect([says('a', '{"n":1}'), says('a', '{"n":1}'), says('a', '{"n":2}'), looks]).toEqual([
      undefined,
      undefined,
      undefined,
      2,
    ]);
    expect([says('a', '{"n":-1}'), says('a', '{"n":-1}'), looks]).toEqual(['custom', 'custom', 3]);
    expect([says('b', '{"n":1}'), says('b', '{"n":1}')]).toEqual(['invalid_type', 'invalid_type']);
  });

  it('does not remember what is long, as a text of the visitor in it may be', () => {
    let looks = 0;
    const look = label({
      'a/*': z
        .object({ n: z.string() })
        .refine(({ n }) => (looks++, n === ''), { error: ({ input }) => `got ${JSON.stringify(input)}` }),
    });
    const says = (n: string): string | undefined => look(eventOf(struct('a', 'x', JSON.stringify({ n }))))?.reason;
    const long = 'x'.repeat(1000);
    expect([says(long), says(long), looks]).toEqual([`got {"n":"${long}"}`, `got {"n":"${long}"}`, 2]);
    expect([says('x'), says('x'), looks]).toEqual(['got {"n":"x"}', 'got {"n":"x"}', 3]);
  });

  it('finds wrong what is wrong among more labels than are remembered', () => {
    const look = label({ 'a/*': z.object({ n: z.number().nonnegative() }) });
    for (const round of [1, 2])
      for (let n = -20_000; n < 20_000; n++)
        expect(look(eventOf(struct('a', 'x', `{"n":${n}}`)))?.code, `${n} in round ${round}`).toBe(
          n < 0 ? 'too_small' : undefined,
        );
  });

  it('finds a label wrong that is nested deeper than its schema can follow', () => {
    const any = label({ 'product/*': z.record(z.string(), z.json()) });
    const nested = `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
    expect(any(eventOf(struct('product', 'view', nested)))).toMatchObject({ code: 'too_deep', path: 'se_label' });
  });

  it('refuses a key without a slash', () => {
    expect(() => label({ product })).toThrow(/^label: expected keys 'category\/action'/);
  });
});
