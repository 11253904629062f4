import { warehouse } from '../../pipelines/warehouse.ts';
import { shop } from '../../src/demo/shop.ts';
import { run } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import type { Source } from '../../src/sources/source.ts';

/** Ten records a minute: a repeat comes within the hour in which it is known for one. */
const EVERY_MS = 6_000;
const RECORDS_PER_DELIVERY = 50;

/** No record comes within a moment of the full minute, so that it arrives in the minute of its collector_tstamp. */
const START_MS = Date.UTC(2026, 10, 22, 8, 30, 3);

/** Where the warehouse has its places, as its settings. */
export interface WarehousePlaces {
  readonly DATABASE_URL: string;
  readonly ARCHIVE_URL: string;
  readonly S3_ENDPOINT?: string;
  readonly STATE_FILE: string;
}

/** Two shards of a shop's traffic from 08:30 on, ten records a minute, with all mishaps in it. */
export function shopTraffic(count: number, seed = 1): Source<Uint8Array> {
  const records = shop({ seed, timeOf: (number) => START_MS + number * EVERY_MS, shares: { repeat: 0.05 } })
    .take(count)
    .toArray();
  const scenes = (half: number): { data: Uint8Array; arrivedAtMs: number }[][] => {
    // A visitor's records, repeats among them, go to one shard.
    const own = records.filter(({ partitionKey }) => Buffer.from(partitionKey).reduce((sum, byte) => sum + byte) % 2 === half);
    return Array.from({ length: Math.ceil(own.length / RECORDS_PER_DELIVERY) }, (_, i) =>
      own
        .slice(i * RECORDS_PER_DELIVERY, (i + 1) * RECORDS_PER_DELIVERY)
        .map(({ data, number }) => ({ data, arrivedAtMs: START_MS + number * EVERY_MS })),
    );
  };
  return scripted({ 'shardId-000000000000': scenes(0), 'shardId-000000000001': scenes(1) });
}

/** Runs the warehouse pipeline on a shop's traffic. Only its stream is a script. */
export async function runWarehouse(places: WarehousePlaces, count: number, seed = 1): Promise<void> {
  const settings = { KINESIS_STREAM: 'shop', KINESIS_MODE: 'polling', TABLE: 'snowplow_events', WINDOW: { minutes: 1 } } as const;
  await run({ ...warehouse.pipeline({ ...settings, ...places }), source: shopTraffic(count, seed) });
}
