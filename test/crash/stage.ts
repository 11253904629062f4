import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { expect } from 'vitest';
import type { ShopRecord } from '../../src/demo/shop.ts';
import type { KinesisStream } from '../support/kinesis.ts';
import { faultsOf, oracleOf } from './oracle.ts';

/** What a database and an archive hold in the end. */
export interface Found {
  /** The event_id of each row. */
  readonly ids: readonly string[];
  /** The bytes of each reject, as text. */
  readonly rejects: readonly string[];
  readonly archived: readonly string[];
}

/** Proves that the stores hold what the oracle says, each once. */
export function proveOnce(records: readonly ShopRecord[], { ids, rejects, archived }: Found): void {
  const expected = oracleOf(records, rejects);
  expect(rejects.toSorted()).toEqual(expected.rejected);
  expect(ids.toSorted()).toEqual([...expected.stored.keys()].toSorted());
  expect(faultsOf('archive', archived, expected)).toEqual([]);
}

/** Sends records a hundred at a time, each visitor's to one shard, while others work: 5,000 in some twenty seconds. */
export async function sendSlowly(stream: KinesisStream, records: readonly ShopRecord[]): Promise<void> {
  const shards = await stream.shards();
  for (let from = 0; from < records.length; from += 100) {
    const byShard = Map.groupBy(
      records.slice(from, from + 100),
      ({ partitionKey }) => shards[partitionKey.charCodeAt(0) % shards.length]!,
    );
    for (const [shard, own] of byShard) {
      const lines = own.map(({ data }) => data);
      await stream.put(lines, shard);
    }
    await sleep(300);
  }
}

export async function foundInPostgres(url: string): Promise<Omit<Found, 'archived'>> {
  const client = new pg.Client(url);
  await client.connect();
  const rows = await client.query<{ id: string }>('select event_id as id from snowplow_events');
  const rejects = await client.query<{ raw: Buffer }>('select raw from millrace.rejects');
  await client.end();
  return { ids: rows.rows.map(({ id }) => id), rejects: rejects.rows.map(({ raw }) => raw.toString()) };
}

export async function linesInDirectory(folder: string): Promise<string[]> {
  const objects = globSync('snowplow/**/*.tsv.gz', { cwd: folder });
  const lines = await Promise.all(objects.map(async (object) => linesOf(await readFile(join(folder, object)))));
  return lines.flat();
}

/** The lines of an object, each of which ends with a newline. */
export function linesOf(gzipped: Uint8Array): string[] {
  const text = gunzipSync(gzipped).toString();
  if (text !== '' && !text.endsWith('\n')) throw new Error(`split: an object ends within a line: ${text.slice(-80)}`);
  return text.split('\n').slice(0, -1);
}
