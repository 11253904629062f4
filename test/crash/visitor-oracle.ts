import { type Sent, placeOf } from './oracle.ts';

/** What a nightly job puts into Redis for the realtime pipeline to look up. */
export interface Products {
  /** By sku: `similar:{sku}`, products with their likeness. */
  readonly similar: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** By sku: `brand:{sku}`. */
  readonly brands: ReadonlyMap<string, string>;
}

/** What a key holds: a list in its order, a sorted set by member, a set. */
export type Held = readonly string[] | ReadonlyMap<string, number> | ReadonlySet<string>;

/** What has to be in Redis in the end. */
export interface ExpectedVisitors {
  readonly keys: ReadonlyMap<string, Held>;
  /** The places of the records that have to be rejects. */
  readonly rejected: ReadonlySet<string>;
}

// Columns of an enriched event, counted from 0.
const [EVENT, USER, DOMAIN_USER, PATH, CATEGORY, ACTION, LABEL, ITEM_SKU] = [5, 12, 15, 35, 53, 54, 55, 68] as const;
const WEIGHTS = new Map([
  ['page_view', 1],
  ['product/view', 2],
  ['cart/add', 5],
  ['cart/remove', -3],
  ['transaction_item', 20],
]);
const WEEK_MS = 7 * 24 * 3600 * 1000;
const NOISE = /\[pool-\d-thread-\d\] INFO [\w.]+\.KinesisSource - Checkpointing shard shardId-\d{12}\n?/;

/**
 * Knows what pipelines/realtime.ts has to leave in Redis: goes through all records in the order of the stream, one by one, and does to Maps
 * what the README and docs/visitor-keys.md say. Of an event and its repeats the first one counts, at the time it arrived.
 *
 * @param arrivals when each record arrived, in milliseconds since 1970, by `shard:sequence`
 * @param rejects the places of the rejects that were found: a record that the enricher's log ran through may be among them
 */
export function visitorKeysOf(
  records: readonly Sent[],
  arrivals: ReadonlyMap<string, number>,
  { similar, brands }: Products,
  rejects: ReadonlySet<string>,
): ExpectedVisitors {
  const [viewed, bought] = [new Map<string, string[]>(), new Map<string, Set<string>>()];
  const scored = new Map<string, Map<string, number>>();
  const rejected = new Set<string>();
  const seen = new Set<string>();
  const add = (key: string, member: string, by: number): void => {
    const scores = scored.get(key) ?? new Map<string, number>();
    scored.set(key, scores.set(member, (scores.get(member) ?? 0) + by));
  };

  for (const record of records.toSorted(inOrderOfStream)) {
    if (record.truth === 'malformed' || record.truth === 'corrupt') rejected.add(placeOf(record));
    else if (record.truth === 'noise' && rejects.has(placeOf(record))) rejected.add(placeOf(record));
    if (rejected.has(placeOf(record)) || seen.has(record.eventId)) continue;
    seen.add(record.eventId);
    const columns = Buffer.from(record.text.replace(NOISE, ''), 'latin1').toString().split('\t');
    const action = columns[EVENT] === 'struct' ? `${columns[CATEGORY]}/${columns[ACTION]}` : columns[EVENT]!;
    const weight = WEIGHTS.get(action);
    if (weight === undefined) continue;
    let [sku, brand]: [string | undefined, string | undefined] = [undefined, undefined];
    if (action === 'page_view') sku = /^\/p\/([a-z]{2}-\d{4})$/.exec(columns[PATH]!)?.[1]!.toUpperCase();
    else if (action === 'transaction_item') sku = columns[ITEM_SKU];
    else
      try {
        ({ sku, brand } = JSON.parse(columns[LABEL]!) as { sku?: string; brand?: string });
      } catch {
        rejected.add(placeOf(record));
      }
    const user = columns[USER] || columns[DOMAIN_USER];
    if (!sku || !user) continue;

    const age = arrivals.get(`${record.shard}:${record.sequence}`)! - Date.UTC(2026, 9, 1);
    const score = Math.round(weight * (1000 * 2 ** (Math.floor(age / (WEEK_MS / 128)) / 128)));
    add(`interest:{${user}}`, sku, score);
    brand ??= brands.get(sku);
    if (brand !== undefined) add(`brands:{${user}}`, brand, score);
    const own = bought.get(`bought:{${user}}`) ?? new Set();
    if (action === 'transaction_item') {
      bought.set(`bought:{${user}}`, own.add(sku));
      scored.get(`recommended:{${user}}`)?.delete(sku);
    }
    const nearest = [...(similar.get(sku) ?? [])].toSorted(([, a], [, b]) => b - a).slice(0, 20);
    for (const [other, likeness] of nearest)
      if (!own.has(other)) add(`recommended:{${user}}`, other, Math.round(likeness * score));
    if (action.endsWith('view')) {
      const others = (viewed.get(`viewed:{${user}}`) ?? []).filter((one) => one !== sku);
      viewed.set(`viewed:{${user}}`, [sku, ...others].slice(0, 20));
    }
    for (const key of [`interest:{${user}}`, `brands:{${user}}`, `recommended:{${user}}`]) keepHighest(scored.get(key), 100);
  }
  const keys = new Map<string, Held>([...viewed, ...bought]);
  for (const [key, scores] of scored) if (scores.size > 0) keys.set(key, scores);
  return { keys, rejected };
}

/** Sequence numbers grow with time, also from a shard to its children. */
function inOrderOfStream(a: Sent, b: Sent): number {
  const [x, y] = [BigInt(a.sequence), BigInt(b.sequence)];
  return x === y ? a.subSequence - b.subSequence : x < y ? -1 : 1;
}

function keepHighest(scores: Map<string, number> | undefined, count: number): void {
  if (!scores || scores.size <= count) return;
  const lowestFirst = [...scores].toSorted(([a, x], [b, y]) => x - y || Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const [member] of lowestFirst.slice(0, scores.size - count)) scores.delete(member);
}
