import type { Random } from '../../src/demo/random.ts';
import type { ShopRecord } from '../../src/demo/shop.ts';
import { aggregate, compressedBatch } from '../support/aggregates.ts';
import type { Sent } from './oracle.ts';

/** Visitors share so many hash keys, spread evenly, so that each one's records follow each other through splits and merges. */
const KEYS = 16;
const MOST_TOGETHER = 8;

/** One record of the stream, and what is in it. */
export interface Parcel {
  readonly key: number;
  readonly data: Uint8Array;
  readonly holds: readonly Pick<Sent, 'truth' | 'eventId' | 'text' | 'subSequence'>[];
}

/** Packs records as producers do: each by itself, aggregated, or in a compressed batch; now and then what is packed is damaged or holds an event twice. */
export function pack(records: readonly ShopRecord[], random: Random): Parcel[] {
  const parcels: Parcel[] = [];
  for (const [key, own] of Map.groupBy(records, keyOf))
    for (let from = 0; from < own.length;) {
      const together = own.slice(from, from + 1 + random.below(MOST_TOGETHER));
      from += together.length;
      const dice = random.below(100);
      if (dice < 40) parcels.push(...together.map(single));
      else {
        const twice = random.chance(0.1) ? together.find(({ truth }) => truth === 'event') : undefined;
        const all = twice ? [...together, { ...twice, truth: 'repeat' } as const] : together;
        const data = all.map((record) => record.data);
        if (dice < 70) parcels.push(several(key, all, aggregated(key, data)));
        else parcels.push(several(key, all, compressedBatch(data, dice < 85 ? 'gzip' : 'zstd')));
        if (random.chance(0.03)) parcels.push(corrupt(key, aggregated(key, data), random));
      }
    }
  return parcels;
}

/** A hash key, which stays within one shard through all splits. */
export function hashKey(key: number): string {
  return String(((2n * BigInt(key) + 1n) * 2n ** 128n) / BigInt(2 * KEYS));
}

function keyOf({ partitionKey }: ShopRecord): number {
  return Number.parseInt(partitionKey.slice(0, 2), 16) % KEYS;
}

/** Packs a record by itself. */
export function single(record: ShopRecord): Parcel {
  return { key: keyOf(record), data: record.data, holds: [held(record, 0)] };
}

function several(key: number, records: readonly ShopRecord[], data: Uint8Array): Parcel {
  return { key, data, holds: records.map((record, i) => held(record, i + 1)) };
}

function aggregated(key: number, all: readonly Uint8Array[]): Buffer {
  return aggregate(all.map((data) => ({ data, partitionKey: `key ${key}`, explicitHashKey: hashKey(key) })));
}

function corrupt(key: number, data: Buffer, random: Random): Parcel {
  const at = data.length - 1 - random.below(Math.min(1000, data.length - 4));
  data[at]! ^= 1 + random.below(255);
  return { key, data, holds: [{ truth: 'corrupt', eventId: `damaged ${random.hex8()}`, text: latin1(data), subSequence: 0 }] };
}

function held({ truth, eventId, data }: ShopRecord, subSequence: number): Parcel['holds'][number] {
  return { truth, eventId, text: latin1(data), subSequence };
}

function latin1(data: Uint8Array): string {
  return Buffer.from(data).toString('latin1');
}
