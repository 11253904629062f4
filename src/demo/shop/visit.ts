import { type Product, catalogue, searchTerms } from './catalogue.ts';
import type { Page } from './page.ts';
import type { Random } from '../random.ts';

/** What a visitor did, as far as its columns are not those of her page, her device or the time. */
export interface Action {
  readonly event: 'page_view' | 'page_ping' | 'struct' | 'unstruct' | 'transaction' | 'transaction_item';
  readonly page: Page;
  /** se_category and se_action. */
  readonly kind?: readonly [string, string];
  readonly label?: string;
  readonly property?: string;
  readonly value?: number;
  readonly unstruct?: string;
  /** The columns from tr_orderid to pp_yoffset_max (59 to 76). */
  readonly commerce?: string;
  /** The columns from tr_currency to base_currency (108 to 114). */
  readonly currency?: string;
}

type Entrance = Pick<Page, 'medium' | 'source' | 'referrer'>;

interface Line {
  readonly product: Product;
  readonly quantity: number;
}

/** One visitor's way through the shop: what she does next follows from where she is and what is in her cart. */
export class Visit {
  readonly #random: Random;
  readonly #address: string;
  readonly #todo: Action[] = [];
  #page: Page;
  #product: Product | undefined;
  #cart: Line[] = [];
  #scrolled = 0;
  #left: number;

  /** @param address the columns tr_city, tr_state and tr_country of her orders */
  constructor(random: Random, address: string) {
    this.#random = random;
    this.#address = address;
    this.#left = 4 + random.below(30);
    const entrance = random.pick(entrances);
    this.#page = { ...entrance, id: random.uuid(), path: '/', title: 'The Good Things — shop' };
    if (random.chance(0.5)) this.#view(random.pick(catalogue), entrance);
    else this.#todo.push({ event: 'page_view', page: this.#page });
  }

  /** True when she has left the shop. */
  get isOver(): boolean {
    return this.#left <= 0 && this.#todo.length === 0;
  }

  next(): Action {
    this.#left--;
    if (this.#todo.length === 0) this.#decide();
    return this.#todo.shift()!;
  }

  #decide(): void {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 30) this.#scroll();
    else if (dice < 60) this.#view(random.pick(catalogue));
    else if (dice < 66) this.#open('/c/' + random.pick(catalogue).category.join('/'), 'Browse');
    else if (dice < 72) this.#search(random.pick(searchTerms));
    else if (dice < 84 && this.#product) this.#add(this.#product);
    else if (dice < 87 && this.#cart.length > 0) this.#remove();
    else if (dice < 91) this.#follow(random.pick(catalogue));
    else if (dice < 93)
      this.#todo.push({ event: 'struct', page: this.#page, kind: ['button', 'press'], label: 'Newsletter "yes"' });
    else if (dice < 95) this.#todo.push({ event: 'unstruct', page: this.#page, unstruct: linkClick });
    else if (this.#cart.length > 0) this.#order();
    else this.#scroll();
  }

  #open(path: string, title: string, query = '', from: Entrance = this.#here()): void {
    this.#scrolled = 0;
    this.#page = { ...from, id: this.#random.uuid(), path, query, title };
    this.#todo.push({ event: 'page_view', page: this.#page });
  }

  #here(): Entrance {
    return { medium: 'internal', source: '', referrer: this.#page.path };
  }

  #view(product: Product, from?: Entrance): void {
    this.#open(`/p/${product.slug}`, `${product.name} — ${product.brand}`, '', from);
    this.#product = product;
    const label = JSON.stringify(labelOf(product));
    this.#todo.push({
      event: 'struct',
      page: this.#page,
      kind: ['product', 'view'],
      label,
      property: product.sku,
      value: product.price,
    });
  }

  #search(term: string): void {
    this.#open('/search', `Results for ${term}`, `q=${encodeURIComponent(term)}`);
    this.#todo.push({
      event: 'struct',
      page: this.#page,
      kind: ['search', 'results'],
      label: JSON.stringify({ term, results: this.#random.below(40) }),
    });
  }

  #add(product: Product): void {
    const quantity = 1 + this.#random.below(3);
    this.#cart.push({ product, quantity });
    this.#change('add', { product, quantity });
  }

  #remove(): void {
    this.#change('remove', this.#cart.pop()!);
  }

  #change(action: string, { product, quantity }: Line): void {
    this.#todo.push({
      event: 'struct',
      page: this.#page,
      kind: ['cart', action],
      label: JSON.stringify({ ...labelOf(product), quantity }),
      property: product.sku,
      value: quantity,
    });
  }

  #follow(product: Product): void {
    const label = {
      schema: 'iglu:com.example.shop/recommendation_click/jsonschema/1-0-0',
      data: {
        sku: product.sku,
        position: this.#random.below(8),
        recommender: this.#random.pick(['viewed-together', 'best-sellers']),
      },
    };
    this.#todo.push({ event: 'struct', page: this.#page, kind: ['recommendation', 'click'], label: JSON.stringify(label) });
    this.#view(product);
  }

  #scroll(): void {
    const from = this.#scrolled;
    this.#scrolled += 100 + this.#random.below(900);
    this.#todo.push({ event: 'page_ping', page: this.#page, commerce: `${'\t'.repeat(14)}0\t0\t${from}\t${this.#scrolled}` });
  }

  #order(): void {
    const id = `${2_000_000 + this.#random.below(8_000_000)}`;
    const total = this.#cart.reduce((sum, { product, quantity }) => sum + product.price * quantity, 0);
    const [sum, tax, shipping] = [total.toFixed(2), (total * 0.19).toFixed(2), total > 50 ? '0.00' : '4.90'];
    this.#open('/checkout/thanks', 'Thank you!');
    this.#todo.push({
      event: 'transaction',
      page: this.#page,
      commerce: `${id}\tshop\t${sum}\t${tax}\t${shipping}\t${this.#address}${'\t'.repeat(10)}`,
      currency: `EUR\t${sum}\t${tax}\t${shipping}\t\t\tEUR`,
    });
    for (const { product, quantity } of this.#cart) {
      const { sku, name, category, price } = product;
      this.#todo.push({
        event: 'transaction_item',
        page: this.#page,
        commerce: `${'\t'.repeat(8)}${id}\t${sku}\t${name}\t${category[0]}\t${price}\t${quantity}\t\t\t\t`,
        currency: `\t\t\t\tEUR\t${price}\tEUR`,
      });
    }
    this.#cart = [];
  }
}

const entrances: readonly Entrance[] = [
  { medium: '', source: '', referrer: '' },
  { medium: 'search', source: 'Google', referrer: 'www.google.com' },
  { medium: 'social', source: 'Instagram', referrer: 'l.instagram.com' },
  { medium: 'email', source: 'Newsletter', referrer: 'mail.example.com' },
];

const linkClick = JSON.stringify({
  schema: 'iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0',
  data: {
    schema: 'iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1',
    data: { targetUrl: 'https://maps.example.com/?q=our%20shop', elementId: 'find-us', elementContent: 'Find “us”' },
  },
});

function labelOf({ sku, name, brand, category, price, description }: Product): Record<string, unknown> {
  return { sku, name, brand, category, price, currency: 'EUR', description };
}
