import { PutRecordsCommand, type PutRecordsRequestEntry, type KinesisClient } from '@aws-sdk/client-kinesis';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { zstdCompressSync } from 'node:zlib';
import { asyncScheduler } from 'rxjs';
import { pause } from '../sources/waiting/pause.ts';
import { batchOf } from './batch.ts';
import { type ShopRecord, shop } from './shop.ts';

export interface TrafficOptions {
  readonly client: KinesisClient;
  readonly stream: string;
  /** Records a second. */
  readonly rate: number;
  /** Keeps the number of the next record, so that the shop goes on where it stopped. */
  readonly stateFile: string;
  readonly stop: AbortSignal;
  /** Hears of each record that was sent. */
  readonly sent?: (record: ShopRecord) => void;
}

const CALL_EVERY_MS = 200;
const MAX_RECORDS_A_CALL = 500;
/** The hash keys in the middle of each half of a stream: visitors go by halves, so that what each does keeps its order. */
const HASH_KEYS = [2n ** 126n, 3n * 2n ** 126n].map(String);

/**
 * Sends a shop's visitors to a stream, at an even rate, until it is stopped: those of each half of the hash keys together, in a compressed batch as
 * Snowplow's are. The server here goes through all records of a shard with each that it gets, so few large ones keep it fast for longer.
 * Resolves with how many records of the shop it sent.
 */
export async function sendTraffic({ client, stream, rate, stateFile, stop, sent: tell }: TrafficOptions): Promise<number> {
  const first = await numberIn(stateFile);
  const records = shop({ from: first, timeOf: () => Date.now() });
  const startedAt = performance.now();
  let sent = 0;
  while (!stop.aborted) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * rate) - sent;
    const batch = Array.from({ length: Math.min(due, MAX_RECORDS_A_CALL) }, () => records.next().value);
    if (batch.length > 0) await put(client, stream, batch, stop);
    sent += batch.length;
    if (tell) batch.forEach(tell);
    // Killed before this is written, the same records are sent again: repeats, which the pipeline drops.
    await writeNumber(stateFile, first + sent);
    if (due <= MAX_RECORDS_A_CALL) await pause(asyncScheduler, CALL_EVERY_MS, stop);
  }
  return sent;
}

/** Puts records until each is taken: the server may refuse some of a call. */
async function put(client: KinesisClient, stream: string, records: readonly ShopRecord[], stop: AbortSignal): Promise<void> {
  for (let left = [...Map.groupBy(records, hashKeyOf)].map(packed); left.length > 0;) {
    const answer = await client.send(new PutRecordsCommand({ StreamName: stream, Records: left }));
    left = left.filter((_, i) => answer.Records?.[i]?.ErrorCode !== undefined);
    if (left.length > 0) await pause(asyncScheduler, CALL_EVERY_MS, stop);
  }
}

function hashKeyOf({ partitionKey }: ShopRecord): string {
  return HASH_KEYS[Number.parseInt(partitionKey[0]!, 16) < 8 ? 0 : 1]!;
}

function packed([hashKey, records]: readonly [string, readonly ShopRecord[]]): PutRecordsRequestEntry {
  const Data = zstdCompressSync(batchOf(records.map(({ data }) => data)));
  return { Data, PartitionKey: records[0]!.partitionKey, ExplicitHashKey: hashKey };
}

async function numberIn(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '0';
    throw error;
  });
  if (!/^\d+$/.test(text))
    throw new Error(`expected the number of a record in ${file}, got ${JSON.stringify(text.slice(0, 20))}`);
  return Number(text);
}

async function writeNumber(file: string, number: number): Promise<void> {
  await writeFile(`${file}.new`, String(number));
  await rename(`${file}.new`, file);
}
