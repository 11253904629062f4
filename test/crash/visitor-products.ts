import { catalogue } from '../../src/demo/shop/catalogue.ts';
import type { Random } from '../../src/demo/random.ts';
import type { Products } from './visitor-oracle.ts';

/** Each product of the shop is like some of it and many others, but for one that is like nothing, and one that nobody knows the brand of. */
export function productsOf(random: Random): Products {
  const others = Array.from({ length: 300 }, (_, i) => `XX-${1000 + i}`);
  const similar = catalogue.slice(1).map(({ sku }) => {
    const all = [...catalogue.map((product) => product.sku).filter((one) => one !== sku), ...others];
    return [sku, new Map(Array.from({ length: 30 }, () => [random.pick(all), random.below(1_000_000) / 1_000_000]))] as const;
  });
  return { similar: new Map(similar), brands: new Map(catalogue.slice(0, -1).map(({ sku, brand }) => [sku, brand])) };
}
