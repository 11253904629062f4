import type { Redis } from 'ioredis';
import { catalogue } from '../src/demo/shop/catalogue.ts';
import { Random } from '../src/demo/random.ts';
import { shop } from '../src/demo/shop.ts';

/** When all lines arrive, so that a score does not hang on how fast they are read. */
export const ARRIVED_AT_MS = Date.UTC(2026, 10, 22, 9);

/** The demo's shop sells 24 products; a real one sells many, a few of them often. */
const DEPARTMENTS = 400;
const SIMILAR = 20;
/** The visits of so many records happen side by side, 40 visitors in each. */
const EPISODE = 2000;

/** Lines of a busy shop, each whole: `count` of them, of thousands of visitors at once, who view and buy some of 9,600 products. */
export function visits(count: number): Buffer[] {
  const lines = Array.from<Buffer>({ length: count });
  const episodes = Math.ceil(count / EPISODE);
  let i = 0;
  for (const { data, partitionKey } of shop({ people: 100_000, shares: { noise: 0, malformed: 0 } }).take(episodes * EPISODE)) {
    // The k-th records of all episodes come one after the other: what one visitor does keeps its order.
    const at = (i % EPISODE) * episodes + Math.floor(i / EPISODE);
    i++;
    if (at < count) lines[at] = moved(data, departmentOf(partitionKey));
  }
  return lines;
}

/** Fills what the pipeline looks up: for each product those that are like it, and its brand. */
export async function fillLookups(client: Redis): Promise<void> {
  const random = new Random(1, 0, 2);
  for (let department = 0; department < DEPARTMENTS; department++) {
    const pipe = client.pipeline();
    for (const { sku, brand } of catalogue) {
      const similar: (string | number)[] = [];
      for (let i = 0; i < SIMILAR; i++)
        similar.push(
          (1 + random.below(1000)) / 1000,
          skuIn(random.pick(catalogue).sku, (department + random.below(3)) % DEPARTMENTS),
        );
      pipe.zadd(`similar:${skuIn(sku, department)}`, ...similar);
      pipe.set(`brand:${skuIn(sku, department)}`, brand);
    }
    await pipe.exec();
  }
}

/** The same visit in another department: its products have other numbers. */
function moved(line: Uint8Array, department: number): Buffer {
  return Buffer.from(
    Buffer.from(line)
      .toString()
      .replace(/\b(?:KI|GA|BO|TO|ki|ga|bo|to)-[1-4]0[0-2]\d\b/g, (sku) => skuIn(sku, department)),
  );
}

/** The last two digits tell products of a kind apart, of which there are no more than eight. */
function skuIn(sku: string, department: number): string {
  return sku.slice(0, 3) + String(1000 + department * 10 + Number(sku.slice(-1))).padStart(4, '0');
}

/** Few departments have most of the visitors. */
function departmentOf(visitor: string): number {
  return Math.floor(DEPARTMENTS * (Number.parseInt(visitor.slice(0, 6), 16) / 0x1000000) ** 3);
}
