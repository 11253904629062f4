import { describe, expect, it, vi } from 'vitest';
import { productAction } from '../../src/snowplow/product-action.ts';
import { type Texts, eventOf } from './line.ts';

const weights = { 'product/view': 1, 'cart/add': 5, page_view: 2, transaction_item: 20 };
const read = productAction({ page: /^\/p\/([a-z]{2}-\d{4})$/, skuOf: (text) => text.toUpperCase(), weights });
const who = { domain_userid: 'd1' };
const struct = (label: string, action = 'add'): Texts => ({
  ...who,
  event: 'struct',
  se_category: 'cart',
  se_action: action,
  se_label: label,
});

describe('productAction', () => {
  it('reads product, brand and action from the label of a structured event', () => {
    expect(read(eventOf(struct('{"sku":"KI-1001","brand":"Nordlicht","price":3}')))).toEqual({
      user: 'd1',
      sku: 'KI-1001',
      brand: 'Nordlicht',
      action: 'cart/add',
      weight: 5,
    });
  });

  it('reads each of many labels as if it were the first, also when it comes again', () => {
    const skus = Array.from({ length: 40_000 }, (_, i) => `KI-${i}`);
    const misread = [...skus, ...skus].filter((sku) => {
      const action = read(eventOf(struct(`{"sku":"${sku}","brand":"of ${sku}"}`)));
      return action?.sku !== sku || action.brand !== `of ${sku}`;
    });
    expect(misread).toEqual([]);
  });

  it('does not remember a product that is long: a visitor may have made it up', () => {
    const parse = vi.spyOn(JSON, 'parse');
    const says = (sku: string): string | undefined => read(eventOf(struct(JSON.stringify({ sku }))))?.sku;
    const long = 'x'.repeat(1000);
    expect([says('KI-7'), says('KI-7'), says(long), says(long)]).toEqual(['KI-7', 'KI-7', long, long]);
    expect(parse).toHaveBeenCalledTimes(3);
    parse.mockRestore();
  });

  // Enrich makes four blanks of a tab, as a template may have in front.
  it('reads a label that is JSON behind blanks', () => {
    expect(read(eventOf(struct('    {"sku":"KI-1001"} ')))).toMatchObject({ sku: 'KI-1001' });
    expect(() => read(eventOf(struct(' \r{"sku":')))).toThrow(SyntaxError);
  });

  it('reads a self-describing label', () => {
    const label = '{"schema":"iglu:com.example/x/jsonschema/1-0-0","data":{"sku":"KI-1001"}}';
    expect(read(eventOf(struct(label)))).toMatchObject({ sku: 'KI-1001', brand: undefined });
  });

  it('reads the product from the path of its page, and from an item of a transaction', () => {
    expect(read(eventOf({ ...who, event: 'page_view', page_urlpath: '/p/ki-1001' }))).toMatchObject({
      sku: 'KI-1001',
      action: 'page_view',
      weight: 2,
    });
    expect(read(eventOf({ ...who, event: 'transaction_item', ti_sku: 'GA-2001' }))).toMatchObject({ sku: 'GA-2001', weight: 20 });
  });

  it('reads each page anew, whatever flags the expression has', () => {
    for (const flags of ['', 'g', 'y']) {
      const sku = productAction({ page: new RegExp('^/p/(.*)', flags), weights });
      const viewed = [1, 2, 3].map((n) => sku(eventOf({ ...who, event: 'page_view', page_urlpath: `/p/${n}` }))?.sku);
      expect(viewed, flags).toEqual(['1', '2', '3']);
    }
  });

  it('knows a user by the first of her three ids that is there', () => {
    const item = { event: 'transaction_item', ti_sku: 'a' };
    expect(read(eventOf({ ...item, user_id: 'u', domain_userid: 'd', network_userid: 'n' }))?.user).toBe('u');
    expect(read(eventOf({ ...item, domain_userid: 'd', network_userid: 'n' }))?.user).toBe('d');
    expect(read(eventOf({ ...item, network_userid: 'n' }))?.user).toBe('n');
    expect(read(eventOf(item))).toBeUndefined();
  });

  it('takes the id that the collector gives to all who are anonymous for no user', () => {
    const item = { event: 'transaction_item', ti_sku: 'a', network_userid: '00000000-0000-0000-0000-000000000000' };
    expect(read(eventOf(item))).toBeUndefined();
    expect(read(eventOf({ ...item, domain_userid: 'd' }))?.user).toBe('d');
  });

  it('takes an empty brand for none, as its product may have one elsewhere', () => {
    expect(read(eventOf(struct('{"sku":"a","brand":""}')))).toMatchObject({ sku: 'a', brand: undefined });
  });

  it.each([
    ['of another kind', { ...who, event: 'page_ping' }],
    ['of another page', { ...who, event: 'page_view', page_urlpath: '/checkout' }],
    ['without a path', { ...who, event: 'page_view' }],
    ['whose action has no weight', struct('{"sku":"a"}', 'remove')],
    ['whose label is plain text', struct('Newsletter')],
    ['whose label is blank', struct('  ')],
    ['whose label has no sku', struct('{"term":"x"}')],
    ['whose sku is no text', struct('{"sku":5}')],
    ['whose sku is empty', struct('{"sku":""}')],
    ['without a label', { ...who, event: 'struct', se_category: 'cart', se_action: 'add' }],
    ['with an item without a sku', { ...who, event: 'transaction_item' }],
  ])('says nothing of an event %s', (_, texts: Texts) => {
    expect(read(eventOf(texts))).toBeUndefined();
  });

  it('takes an empty text in the path for no product', () => {
    const any = productAction({ page: /^\/p\/(.*)$/, skuOf: (text) => text.trim(), weights });
    const skuOf = (path: string): string | undefined => any(eventOf({ ...who, event: 'page_view', page_urlpath: path }))?.sku;
    expect([skuOf('/p/a'), skuOf('/p/'), skuOf('/p/ ')]).toEqual(['a', undefined, undefined]);
  });

  it('takes views of pages for nothing when no page was told', () => {
    expect(productAction({ weights })(eventOf({ ...who, event: 'page_view', page_urlpath: '/p/ki-1001' }))).toBeUndefined();
  });

  it('throws on a label that is broken JSON, for a step that makes it a reject', () => {
    for (let i = 0; i < 2; i++) expect(() => read(eventOf(struct('{"sku":')))).toThrow(SyntaxError);
  });
});
