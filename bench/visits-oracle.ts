import type { Redis } from 'ioredis';
import { type Action, visitorChanges } from '../pipelines/visitor-keys.ts';
import type { Event, commands } from '../src/index.ts';
import { ARRIVED_AT_MS } from './visits.ts';

/** What a key holds: a list's members in their order, or the members of a set with their scores, which are 0 in a plain one. */
type Value = string[] | Map<string, number>;

/** Of the same sums, made in another order, the last digits may differ. */
const TOLERANCE = 1e-9;
const KEYS = /^(?:viewed|interest|brands|recommended|bought):/;

/**
 * Works out what Redis should hold after these lines, one event after the other and in this process: no batches, no merging, no script.
 *
 * @param weights how much each action counts
 */
export async function expectedOf(
  lines: readonly Buffer[],
  weights: Readonly<Record<string, number>>,
  client: Redis,
): Promise<Map<string, Value>> {
  const held = new Map<string, Value>();
  for await (const command of changesOf(lines, weights, client)) change(held, command);
  return held;
}

/** What these lines change, in their order. */
export async function* changesOf(
  lines: readonly Buffer[],
  weights: Readonly<Record<string, number>>,
  client: Redis,
): AsyncGenerator<commands.Command, void> {
  const seen = new Set<string>();
  const lookups = new Map<string, Pick<Action, 'similar' | 'brand'>>();
  for (const line of lines) {
    const fields = line.toString().split('\t');
    if (seen.has(fields[6]!)) continue;
    seen.add(fields[6]!);
    const did = actionOf(fields);
    const weight = did && weights[did.action];
    if (!did?.user || !did.sku || weight === undefined) continue;
    let looked = lookups.get(did.sku);
    if (!looked) lookups.set(did.sku, (looked = await lookedUp(client, did.sku)));
    const action = { ...did, ...looked, brand: did.brand ?? looked.brand, weight } as Action;
    yield* visitorChanges(action, { arrivedAtMs: ARRIVED_AT_MS } as Event<unknown>);
  }
}

/** Counts the keys that are not as they should be, by kind, and says of one what is wrong; a key without expiry counts too. */
export async function differences(client: Redis, expected: ReadonlyMap<string, Value>): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  const keys = (await client.keys('*')).filter((key) => KEYS.test(key));
  const names = [...new Set([...keys, ...expected.keys()])];
  for (let at = 0; at < names.length; at += 1000) {
    const some = names.slice(at, at + 1000);
    const pipe = client.pipeline();
    for (const key of some) {
      if (key.startsWith('viewed')) pipe.lrange(key, 0, -1);
      else if (key.startsWith('bought')) pipe.smembers(key);
      else pipe.zrevrange(key, 0, -1, 'WITHSCORES');
      pipe.pttl(key);
    }
    const answers = (await pipe.exec())!.map(([, answer]) => answer);
    for (const [i, key] of some.entries()) {
      const isSame = isAs(key, expected.get(key) ?? [], (answers[2 * i] as string[][] | string[]).flat());
      const isEmpty = valuesOf(expected.get(key)) === 0;
      if (isSame && (isEmpty || Number(answers[2 * i + 1]) > 0)) continue;
      const kind = key.slice(0, key.indexOf(':'));
      found[kind] = (found[kind] ?? 0) + 1;
    }
  }
  return found;
}

function valuesOf(value: Value | undefined): number {
  return value === undefined ? 0 : Array.isArray(value) ? value.length : value.size;
}

function isAs(key: string, expected: Value, got: readonly string[]): boolean {
  if (Array.isArray(expected)) return expected.join() === got.join();
  if (key.startsWith('bought')) return got.length === expected.size && got.every((member) => expected.has(member));
  for (let i = 0; i < got.length; i += 2) {
    const score = expected.get(got[i]!);
    if (score === undefined || Math.abs(score - Number(got[i + 1])) > TOLERANCE * Math.max(1, Math.abs(score)) * 1e3)
      return false;
  }
  return got.length === 2 * expected.size;
}

function actionOf(fields: readonly string[]): Partial<Action> & { readonly action: string } {
  const user = fields[12] || fields[15] || fields[17]!;
  switch (fields[5]) {
    case 'page_view':
      return { user, action: 'page_view', sku: /^\/p\/([a-z]{2}-\d{4})$/.exec(fields[35]!)?.[1]!.toUpperCase() ?? '' };
    case 'transaction_item':
      return { user, action: 'transaction_item', sku: fields[68]! };
    default:
      return { user, action: `${fields[53]}/${fields[54]}`, ...labelOf(fields[55]!) };
  }
}

function labelOf(text: string): Partial<Pick<Action, 'sku' | 'brand'>> {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const { sku, brand } = value as { sku?: string; brand?: string };
    return { ...(typeof sku === 'string' && { sku }), brand: typeof brand === 'string' ? brand : undefined };
  } catch {
    return {};
  }
}

async function lookedUp(client: Redis, sku: string): Promise<Pick<Action, 'similar' | 'brand'>> {
  const flat = await client.zrevrange(`similar:${sku}`, 0, 19, 'WITHSCORES');
  const similar = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, Number(flat[2 * i + 1])] as const);
  return { similar, brand: (await client.get(`brand:${sku}`)) ?? undefined };
}

/** Does to a key what a command says. */
function change(held: Map<string, Value>, { name, key, args }: commands.Command): void {
  const texts = args.map(String);
  if (name === 'recent') {
    const list = (held.get(key) as string[] | undefined) ?? [];
    const member = texts[2]!;
    held.set(key, [member, ...list.filter((other) => other !== member)].slice(0, Number(args[0])));
    return;
  }
  let scores = held.get(key) as Map<string, number> | undefined;
  if (!scores) held.set(key, (scores = new Map()));
  switch (name) {
    case 'rank': {
      const without = held.get(texts[2]!) as Map<string, number> | undefined;
      const { members, by } = args[3] as commands.Scores;
      for (const [i, member] of members.entries())
        if (!without?.has(member)) scores.set(member, (scores.get(member) ?? 0) + by[i]!);
      if (scores.size > Number(args[0])) cut(scores, Number(args[0]));
      return;
    }
    case 'SADD':
      for (const member of texts) scores.set(member, 0);
      return;
    case 'ZREM':
      for (const member of texts) scores.delete(member);
      return;
    case 'PEXPIRE':
      return;
    default:
      throw new Error(`bench: expected a command of visitorChanges, got ${name}`);
  }
}

function cut(scores: Map<string, number>, keep: number): void {
  const sorted = [...scores].toSorted(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
  for (const [member] of sorted.slice(0, -keep)) scores.delete(member);
}
