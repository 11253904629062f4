import { type Event, type ProductAction, commands, decay } from '../src/index.ts';

/** A product action, with the products that are like its own. */
export interface Action extends ProductAction {
  readonly similar: readonly (readonly [sku: string, likeness: number])[];
}

const faded = decay({ halfLife: { weeks: 1 } });
const expire = { days: 90 };
const last20 = { keep: 20, expire };
const best100 = { keep: 100, expire };

/**
 * What an action changes for its visitor. A page reads these keys; the braces keep those of one user together in a cluster (of an id that begins
 * with one, with a backslash before it):
 *
 * - `viewed:{user}`, a list: the last 20 products, newest first, each once;
 * - `interest:{user}` and `brands:{user}`, sorted sets: products and brands by what she did with them, older actions counting less;
 * - `recommended:{user}`, a sorted set: products that are like those, but for what she bought;
 * - `bought:{user}`, a set.
 */
export function visitorChanges(did: Action, { arrivedAtMs }: Event<unknown>): commands.Command[] {
  const { user, sku, brand, action, weight, similar } = did;
  const score = faded(weight, arrivedAtMs);
  const tag = tagOf(user);
  const [recommended, bought] = [`recommended:${tag}`, `bought:${tag}`];
  const changes = [commands.rank(`interest:${tag}`, [[sku, score]], best100)];
  // One that is looked up may be empty, which names nothing.
  if (brand) changes.push(commands.rank(`brands:${tag}`, [[brand, score]], best100));
  if (action.endsWith('view')) changes.push(commands.recent(`viewed:${tag}`, sku, last20));
  if (action === 'transaction_item')
    changes.push(commands.sadd(bought, sku), commands.expire(bought, expire), commands.zrem(recommended, sku));
  changes.push(commands.rank(recommended, commands.shares(similar, score), { ...best100, without: bought }));
  return changes;
}

/** Braces with nothing between them are no tag to a cluster: an id that begins with `}`, or with backslashes and that, gets a backslash more. */
function tagOf(user: string): string {
  return `{${/^\\*\}/.test(user) ? '\\' : ''}${user}}`;
}
