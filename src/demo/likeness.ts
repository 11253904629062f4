import type { RedisClient } from '../stores/redis/client.ts';
import { type Product, catalogue } from './shop/catalogue.ts';

/** Less is no likeness. */
const LEAST = 0.3;

/** Does what a shop's nightly job would: says of each product in `similar:{sku}` which others are like it, and in `brand:{sku}` whose it is. */
export async function fillCatalogue(redis: RedisClient): Promise<void> {
  const commands = catalogue.flatMap((product) => {
    const like = catalogue
      .filter((other) => other !== product)
      .map((other) => [likeness(product, other).toFixed(3), other.sku] as const)
      .filter(([score]) => Number(score) >= LEAST);
    return [
      ['SET', `brand:${product.sku}`, product.brand],
      ['ZADD', `similar:${product.sku}`, ...like.flat()],
    ] as const;
  });
  await redis.callAll(commands);
}

/** From 0 to 1. */
function likeness(a: Product, b: Product): number {
  const [department, shelf] = [0, 1].map((i) => (a.category[i] === b.category[i] ? 1 : 0)) as [number, number];
  const brand = a.brand === b.brand ? 1 : 0;
  const price = Math.min(a.price, b.price) / Math.max(a.price, b.price);
  return 0.35 * department + 0.25 * shelf + 0.25 * brand + 0.15 * price;
}
