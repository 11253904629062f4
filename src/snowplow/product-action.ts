import type { Event } from '../event.ts';
import type { EnrichedEvent } from './enriched-event.ts';
import { beginsAsObject } from './begins-as-object.ts';
import { fieldNumber } from './fields/field-number.ts';
import { isSelfDescribing } from './self-describing.ts';
import { TextMemo } from './text-memo.ts';

/** What a visitor did with a product. */
export interface ProductAction {
  /** user_id, else domain_userid, else network_userid, unless that is the one which the collector gives to all who are anonymous. */
  readonly user: string;
  readonly sku: string;
  /** Where the event tells it. */
  readonly brand: string | undefined;
  /** `category/action` of a structured event, `page_view`, or `transaction_item`. */
  readonly action: string;
  readonly weight: number;
}

export interface ProductActionOptions {
  /** The path of a product's page; its first group is the sku. @default page views are no product actions */
  readonly page?: RegExp;
  /** Makes a sku of what the path has. @default as it is */
  readonly skuOf?: (text: string) => string;
  /** What each action says of the visitor's interest in the product; of others nothing is told. */
  readonly weights: Readonly<Record<string, number>>;
}

const LABEL = fieldNumber('se_label');
/** The network_userid of whoever asked not to be known (`SP-Anonymous`). https://docs.snowplow.io/docs/events/anonymous-tracking */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * Reads what an event says of a visitor and a product: from the JSON label of a structured event (`{ sku, brand… }`, also inside a
 * self-describing one), from the view of a product's page, from an item of a transaction. Nothing for every other event, and for one
 * that does not say who did it. For `transform`, with `filter(isProductAction)` behind it.
 *
 * @throws {SyntaxError} for a label that begins as JSON and is none
 */
export function productAction({
  page,
  skuOf = (text) => text,
  weights,
}: ProductActionOptions): (event: EnrichedEvent) => ProductAction | undefined {
  const weightOf = new Map(Object.entries(weights));
  const productOfLabel = labelReader();
  return function productAction(event) {
    const kind = event.event;
    const action = kind === 'struct' ? `${event.se_category ?? ''}/${event.se_action ?? ''}` : kind;
    const weight = action === undefined ? undefined : weightOf.get(action);
    if (action === undefined || weight === undefined) return undefined;
    const product = productOf(kind, event);
    const user = product && (event.user_id ?? event.domain_userid ?? event.network_userid);
    return user === undefined || user === NOBODY ? undefined : { user, ...product!, action, weight };
  };

  function productOf(kind: string | undefined, event: EnrichedEvent): Product | undefined {
    switch (kind) {
      case 'struct':
        return productOfLabel(event);
      case 'page_view': {
        // With the flag g or y it would go on where it ended in the page before.
        if (page) page.lastIndex = 0;
        const text = page?.exec(event.page_urlpath ?? '')?.[1];
        const sku = text && skuOf(text);
        return sku ? { sku, brand: undefined } : undefined;
      }
      case 'transaction_item': {
        const sku = event.ti_sku;
        return sku === undefined ? undefined : { sku, brand: undefined };
      }
      default:
        return undefined;
    }
  }
}

/** Tells the product actions from all other events. For `filter`. */
export function isProductAction(event: Event<ProductAction | undefined>): event is Event<ProductAction> {
  return event.data !== undefined;
}

type Product = Pick<ProductAction, 'sku' | 'brand'>;

/** Reads labels, of which most have come before: those are found by 128 bits of their hash. */
function labelReader(): (event: EnrichedEvent) => Product | undefined {
  const known = new TextMemo<Product>();
  const hash = new Uint32Array(4);
  return (event) => {
    const index = event.indexed();
    const column = event.layout.columnOf[LABEL]!;
    if (!beginsAsObject(index.bytes, index.start(column), index.end(column))) return undefined;
    index.hash(column, column, hash);
    let product = known.get(hash);
    if (!product) {
      product = productIn(event.text('se_label'));
      if (product) known.set(hash, product, product.sku.length + (product.brand?.length ?? 0));
    }
    return product;
  };
}

function productIn(label: string): Product | undefined {
  const value = JSON.parse(label) as Record<string, unknown>;
  const { sku, brand } = ((isSelfDescribing(value) ? value.data : value) ?? {}) as Record<string, unknown>;
  return isText(sku) ? { sku, brand: isText(brand) ? brand : undefined } : undefined;
}

/** An empty one names nothing. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
