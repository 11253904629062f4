import { DeleteStreamCommand } from '@aws-sdk/client-kinesis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinesis } from '../../../src/sources/kinesis.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { hurried } from '../../support/hurried.ts';
import { type Kinesis, startKinesis } from '../../support/kinesis.ts';
import { readSource, textsByShard } from '../../support/read-source.ts';

let server: Kinesis;

beforeAll(async () => {
  server = await startKinesis();
}, 30_000);

afterAll(() => server.stop());

const texts = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}-${i}`);

/** Deletes a stream and makes it again; sequence numbers count seconds. */
async function makeAgain(name: string, records: readonly string[]): Promise<void> {
  await server.client.send(new DeleteStreamCommand({ StreamName: name }));
  await sleep(1_100);
  await (await server.createStream(name, 1)).put(records);
}

describe('kinesis, against a Kinesis API server behind a faulty network', () => {
  it.each([1, 2, 3])(
    'reads each record once and in order, whatever comes between (seed %i)',
    async (seed) => {
      const stream = await server.createStream(`faulty-${seed}`, 2);
      const [left, right] = (await stream.shards()) as [string, string];
      await stream.put(texts('left', 40), left);
      await stream.put(texts('right', 40), right);
      const rates = {
        delay: 0.05,
        'reset-request': 0.08,
        'reset-answer': 0.08,
        'drop-answer': 0.08,
        silence: 0.02,
        ProvisionedThroughputExceededException: 0.08,
        LimitExceededException: 0.08,
        KMSThrottlingException: 0.05,
        ExpiredIteratorException: 0.08,
        InternalFailure: 0.08,
      };
      const proxy = await startFaultProxy({ target: server.endpoint, faults: { seed, rates } });
      const requestTimeout = { seconds: 0.3 };
      const source = kinesis({ stream: stream.name, endpoint: proxy.url, maxRecords: 2, requestTimeout });
      const { completed, events, diagnostics } = readSource(source, { scheduler: hurried(50), stopAfter: 80 });
      await completed;
      await proxy.close();
      expect(textsByShard(events)).toEqual({ [left]: texts('left', 40), [right]: texts('right', 40) });
      const resets = ['reset-request', 'reset-answer', 'drop-answer'] as const;
      const errors = diagnostics.flatMap((one) => (one.type === 'source-retry' ? (one.error as { code?: string }) : []));
      expect(errors.filter(({ code }) => code === 'ECONNRESET')).toHaveLength(
        resets.reduce((sum, kind) => sum + (proxy.injected[kind] ?? 0), 0),
      );
      expect(Object.keys(proxy.injected).length).toBeGreaterThan(6);
      expect(errors.length).toBeGreaterThan(30);
    },
    30_000,
  );
});

describe('kinesis, against a stream that was deleted and made again', () => {
  it('ends with an error when it is resumed in it', async () => {
    const stream = await server.createStream('made-again', 1);
    const [shard] = (await stream.shards()) as [string];
    const [sequence] = (await stream.put(['old'])) as [string];
    const position = { shard, sequence, subSequence: 0 };
    await makeAgain(stream.name, ['new']);
    const source = kinesis({ stream: stream.name, endpoint: server.endpoint });
    const { completed, events } = readSource(source, { acquire: async () => position });
    await expect(completed).rejects.toThrow(/begins at \d+.*made again under the same name/);
    expect(events).toEqual([]);
  });

  it('ends with an error when it is reading it', async () => {
    const stream = await server.createStream('made-again-meanwhile', 1);
    await stream.put(['old']);
    // It looks again only once the other stream is there.
    const source = kinesis({ stream: stream.name, endpoint: server.endpoint, pollEveryMs: 3_000 });
    const { completed, events } = readSource(source);
    const failed = expect(completed).rejects.toThrow(/made again under the same name/);
    await expect.poll(() => events.length).toBe(1);
    await makeAgain(stream.name, ['new']);
    await failed;
    expect(events).toHaveLength(1);
  });

  it('ends with an error when it has been deleted', async () => {
    const stream = await server.createStream('deleted', 1);
    await stream.put(['old']);
    const { completed, events } = readSource(kinesis({ stream: stream.name, endpoint: server.endpoint }));
    const failed = expect(completed).rejects.toThrow(/Create the stream/);
    await expect.poll(() => events.length).toBe(1);
    await server.client.send(new DeleteStreamCommand({ StreamName: stream.name }));
    await failed;
  });
});
