import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KinesisLocal, type KinesisLocalOptions, startKinesisLocal } from '../../src/demo/kinesis-local.ts';
import { kinesisClient } from '../../src/sources/kinesis/client.ts';

/** AWS takes 500 records and 5 MiB in one PutRecords. */
const RECORDS_A_CALL = 500;
const BYTES_A_CALL = 4 * 1024 * 1024;

export interface Kinesis extends KinesisLocal {
  readonly client: KinesisClient;
  /** Makes a stream and waits until it is active. */
  createStream(name: string, shardCount: number): Promise<KinesisStream>;
}

export interface KinesisStream {
  readonly name: string;
  /** The ids of its open shards, in the order of their hash keys. */
  shards(): Promise<string[]>;
  /** Puts records into a shard (all shards by turns when left out), in order, 500 at a time. Resolves with the sequence numbers. */
  put(records: readonly (string | Uint8Array)[], shard?: string): Promise<string[]>;
  /** Splits a shard in the middle of its hash keys. */
  split(shard: string): Promise<void>;
  merge(shard: string, adjacent: string): Promise<void>;
}

/** Starts a Kinesis API server of one's own; `stop` ends server and client. */
export async function startKinesis(options?: KinesisLocalOptions): Promise<Kinesis> {
  const server = await startKinesisLocal(options);
  const client = kinesisClient({ endpoint: server.endpoint });
  return {
    ...server,
    client,
    async createStream(name, shardCount) {
      await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shardCount }));
      await isActive(client, name);
      return streamOf(client, name);
    },
    async stop() {
      client.destroy();
      await server.stop();
    },
  };
}

/** A stream that is there already, in whatever server the client speaks to. */
export function streamOf(client: KinesisClient, name: string): KinesisStream {
  const openShards = async () => {
    const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: name }));
    return Shards.filter(({ SequenceNumberRange }) => SequenceNumberRange?.EndingSequenceNumber === undefined)
      .map(({ ShardId, HashKeyRange }) => ({
        id: ShardId!,
        from: BigInt(HashKeyRange!.StartingHashKey!),
        to: BigInt(HashKeyRange!.EndingHashKey!),
      }))
      .sort((a, b) => (a.from < b.from ? -1 : 1));
  };
  const shardNamed = async (id: string) => (await openShards()).find((shard) => shard.id === id)!;
  return {
    name,
    shards: async () => (await openShards()).map(({ id }) => id),
    async put(records, shard) {
      const targets = shard === undefined ? await openShards() : [await shardNamed(shard)];
      const sequences: string[] = [];
      for (let done = 0; done < records.length;) {
        let count = 0;
        for (let bytes = 0; count < RECORDS_A_CALL && done + count < records.length; count++)
          if ((bytes += records[done + count]!.length) > BYTES_A_CALL && count > 0) break;
        const answer = await client.send(
          new PutRecordsCommand({
            StreamName: name,
            Records: records.slice(done, done + count).map((record, i) => ({
              Data: typeof record === 'string' ? Buffer.from(record) : record,
              PartitionKey: 'any',
              ExplicitHashKey: String(targets[(done + i) % targets.length]!.from),
            })),
          }),
        );
        if (answer.FailedRecordCount) throw new Error(`put: ${answer.FailedRecordCount} records of ${count} were refused`);
        sequences.push(...answer.Records!.map(({ SequenceNumber }) => SequenceNumber!));
        done += count;
      }
      return sequences;
    },
    async split(shard) {
      const { from, to } = await shardNamed(shard);
      const NewStartingHashKey = String((from + to) / 2n);
      await client.send(new SplitShardCommand({ StreamName: name, ShardToSplit: shard, NewStartingHashKey }));
      await isActive(client, name);
    },
    async merge(shard, adjacent) {
      await client.send(new MergeShardsCommand({ StreamName: name, ShardToMerge: shard, AdjacentShardToMerge: adjacent }));
      await isActive(client, name);
    },
  };
}

/**
 * Makes a stream with these batches of records in each of its shards, one batch of each after the other.
 *
 * Resolves with its shards, and for each batch with a time before which it had not arrived, and all batches before it had.
 */
export async function filledStream(
  server: Kinesis,
  name: string,
  shards: readonly (readonly (readonly string[])[])[],
): Promise<{ readonly shards: string[]; readonly times: Date[] }> {
  const stream = await server.createStream(name, shards.length);
  const names = await stream.shards();
  const times: Date[] = [];
  for (const batch of shards[0]!.keys()) {
    await sleep(3);
    times.push(new Date());
    await sleep(3);
    for (const [i, batches] of shards.entries()) await stream.put(batches[batch]!, names[i]);
  }
  return { shards: names, times };
}

async function isActive(client: KinesisClient, name: string): Promise<void> {
  for (;;) {
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName: name }));
    if (StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return;
    await sleep(10);
  }
}
