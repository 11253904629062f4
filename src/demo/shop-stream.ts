import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ResourceNotFoundException,
} from '@aws-sdk/client-kinesis';
import { asyncScheduler } from 'rxjs';
import { pause } from '../sources/waiting/pause.ts';

const SHARDS = 2;
const LOOK_EVERY_MS = 50;

/** Makes the stream when it is not there, and waits until it is active. */
export async function ensureStream(client: KinesisClient, name: string): Promise<void> {
  const describe = new DescribeStreamSummaryCommand({ StreamName: name });
  for (;;) {
    try {
      const { StreamDescriptionSummary } = await client.send(describe);
      if (StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return;
      await pause(asyncScheduler, LOOK_EVERY_MS, new AbortController().signal);
    } catch (error) {
      if (!(error instanceof ResourceNotFoundException)) throw error;
      await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: SHARDS }));
    }
  }
}
