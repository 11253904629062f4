import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import { kinesis } from '../../src/sources/kinesis.ts';
import { type Kinesis, startKinesis } from '../support/kinesis.ts';
import { sourceConformance } from './conformance.ts';

let server: Kinesis;
let streams = 0;

beforeAll(async () => {
  server = await startKinesis();
}, 30_000);

afterAll(() => server.stop());

describe('kinesis, against a Kinesis API server', () => {
  sourceConformance(async (shards, maxRecords) => {
    const stream = await server.createStream(`stream-${++streams}`, shards.length);
    const names = await stream.shards();
    const times: Date[] = [];
    for (const batch of shards[0]!.keys()) {
      await sleep(3);
      times.push(new Date());
      await sleep(3);
      for (const [i, batches] of shards.entries()) await stream.put(batches[batch]!, names[i]);
    }
    return { source: kinesis({ stream: stream.name, endpoint: server.endpoint, maxRecords }), shards: names, times };
  });
});
