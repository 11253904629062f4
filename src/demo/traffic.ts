import { PutRecordsCommand, type KinesisClient } from '@aws-sdk/client-kinesis';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { asyncScheduler } from 'rxjs';
import { pause } from '../sources/pause.ts';
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

/** One call every so often, and what it may hold. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html */
const CALL_EVERY_MS = 200;
const MAX_RECORDS_A_CALL = 500;

/** Sends a shop's visitors to a stream, at an even rate, until it is stopped. Resolves with how many records it sent. */
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
  for (let left = records; left.length > 0;) {
    const Records = left.map(({ data, partitionKey }) => ({ Data: data, PartitionKey: partitionKey }));
    const answer = await client.send(new PutRecordsCommand({ StreamName: stream, Records }));
    left = left.filter((_, i) => answer.Records?.[i]?.ErrorCode !== undefined);
    if (left.length > 0) await pause(asyncScheduler, CALL_EVERY_MS, stop);
  }
}

async function numberIn(file: string): Promise<number> {
  try {
    return Number(await readFile(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

async function writeNumber(file: string, number: number): Promise<void> {
  await writeFile(`${file}.new`, String(number));
  await rename(`${file}.new`, file);
}
