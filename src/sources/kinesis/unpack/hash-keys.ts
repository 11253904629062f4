import { hash } from 'node:crypto';
import type { Shard } from '../../shards/shard-set.ts';

const ALL = { first: '0'.repeat(32), last: 'f'.repeat(32) };

/** Tells whether a record belongs to a shard by its hash key. Keys are compared as 32 hexadecimal digits, as MD5 gives them. */
export class HashKeyRange {
  /** True when there is no other shard: nothing has to be looked up. */
  readonly isAll: boolean;
  readonly #first: string;
  readonly #last: string;

  constructor(keys: Shard['hashKeys']) {
    this.#first = keys ? hexOf(keys.first) : ALL.first;
    this.#last = keys ? hexOf(keys.last) : ALL.last;
    this.isAll = this.#first === ALL.first && this.#last === ALL.last;
  }

  /**
   * Whether records with this partition key belong here. Their hash key is its MD5.
   * https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html#partition-key
   */
  hasPartitionKey(key: Uint8Array): boolean {
    return this.#has(hash('md5', key, 'hex'));
  }

  /** Whether this hash key, in decimal digits, lies in the shard; nothing when it is none. */
  hasHashKey(key: string): boolean | undefined {
    if (!/^\d{1,39}$/.test(key)) return undefined;
    const hex = hexOf(key);
    return hex.length > 32 ? undefined : this.#has(hex);
  }

  #has(hex: string): boolean {
    return hex >= this.#first && hex <= this.#last;
  }
}

function hexOf(decimal: string): string {
  return BigInt(decimal).toString(16).padStart(32, '0');
}
