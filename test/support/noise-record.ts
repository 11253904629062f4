import { fields } from '../../src/snowplow/fields/fields.ts';
import { layoutOf } from '../../src/snowplow/fields/layouts.ts';

/** A small generator of random numbers; the same seed gives the same numbers. */
export class NoiseRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1. */
  next(): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0, below a limit. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  digits(count: number): string {
    return Array.from({ length: count }, () => this.below(10)).join('');
  }

  uuid(): string {
    const hex = Array.from({ length: 32 }, () => this.below(16).toString(16)).join('');
    return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20)].join('-');
  }
}

const APPS = ['shop', 'shop', 'shop-mobile', '24shop'];
const NAMES = [
  'Größe L',
  'ショッピングカート',
  'naïve café',
  '[Sale] pool-1-thread-1',
  'Checkpointing shard',
  '🛒 cart',
  '10.0.0.12',
  'at home',
];

/**
 * Makes one enriched event as its line, without a newline: of a layout's columns, in UTF-8, with JSON, brackets and words that
 * look like noise in it.
 *
 * @param address the visitor's, by which the collector chose the shard
 */
export function makeRecord(random: NoiseRandom, columns: number, sizeBytes: number, address: string): Buffer {
  const layout = layoutOf(columns)!;
  const line = Array.from({ length: columns }, () => '');
  const minute = String(random.below(60)).padStart(2, '0');
  const label = {
    sku: random.digits(8),
    name: random.pick(NAMES),
    price: random.below(10_000) / 100,
    tags: ['[new]', `[${random.pick(NAMES)}]`],
  };
  const values: Readonly<Record<string, string>> = {
    app_id: random.pick(APPS),
    platform: 'web',
    // raw milliseconds until release 67
    etl_tstamp: columns < 131 ? `14170${random.digits(8)}` : `2015-11-26 17:${minute}:00.000`,
    collector_tstamp: `2014-11-26 17:${minute}:${random.digits(1)}0.${random.digits(3)}`,
    dvce_created_tstamp: `2014-11-26 17:${minute}:00.000`,
    event: random.pick(['page_view', 'struct', 'page_ping', 'transaction']),
    event_vendor: 'com.snowplowanalytics',
    event_id: random.uuid(),
    name_tracker: 'cf',
    v_tracker: 'js-2.2.0',
    v_collector: 'ssc-0.2.0-kinesis',
    v_etl: 'kinesis-0.2.0-common-0.9.0',
    user_ipaddress: address,
    user_fingerprint: random.digits(10),
    domain_userid: random.uuid().slice(0, 16),
    domain_sessionidx: String(1 + random.below(40)),
    network_userid: random.uuid(),
    geo_country: 'DE',
    geo_city: random.pick(['Köln', 'Berlin', 'San José', '東京']),
    geo_latitude: `5${random.digits(1)}.${random.digits(4)}`,
    geo_longitude: `1${random.digits(1)}.${random.digits(4)}`,
    page_url: `http://www.shop.example/product/${random.digits(6)}?q=${random.digits(3)}`,
    page_title: `${random.pick(NAMES)} - ${random.pick(NAMES)} [${random.digits(2)}]`,
    page_urlscheme: 'http',
    page_urlhost: 'www.shop.example',
    page_urlport: '80',
    page_urlpath: `/product/${random.digits(6)}`,
    se_category: 'cart',
    se_action: 'add',
    se_label: JSON.stringify(label),
    useragent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/39.0.2171.65 Safari/537.36',
    br_name: 'Chrome',
    br_lang: 'de',
    br_viewwidth: String(800 + random.below(1000)),
    os_name: 'Linux',
    os_timezone: 'Europe/Berlin',
    dvce_type: 'Computer',
    dvce_ismobile: '0',
    doc_charset: 'UTF-8',
    doc_width: String(800 + random.below(1000)),
    doc_height: random.below(20) === 0 ? '' : String(400 + random.below(9000)),
    derived_tstamp: `2015-05-08 17:${minute}:00.000`,
    true_tstamp: random.below(2) === 0 ? '' : `2015-11-26 17:${minute}:00.000`,
  };
  fields.forEach(({ name }, i) => {
    const column = layout.columnOf[i]!;
    if (column >= 0) line[column] = values[name] ?? '';
  });
  const missing = sizeBytes * (0.9 + random.next() / 5) - Buffer.byteLength(line.join('\t'));
  // The layout of 98 columns has none for contexts; a label was as long as it pleased.
  const roomy = fields.findIndex(({ name }) => name === (columns === 98 ? 'se_label' : 'contexts'));
  if (missing > 0) line[layout.columnOf[roomy]!] = makeJson(random, missing);
  return Buffer.from(line.join('\t'));
}

function makeJson(random: NoiseRandom, sizeBytes: number): string {
  let json = '{"schema":"iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0","data":[';
  while (json.length < sizeBytes) {
    const item = {
      sku: random.digits(12),
      name: random.pick(NAMES),
      price: random.below(100_000),
      at: [random.below(100), random.below(100)],
    };
    json += `${JSON.stringify(item)},`;
  }
  return `${json}{}]}`;
}

/** Makes the line of an event that the enricher refused. */
export function makeBadRow(random: NoiseRandom): Buffer {
  const line = Buffer.from(random.digits(200)).toString('base64');
  return Buffer.from(
    JSON.stringify({ line, errors: ['Field [ti_pr]: cannot convert ["1,5"] to Double', 'No "e" in {payload}'] }),
  );
}
