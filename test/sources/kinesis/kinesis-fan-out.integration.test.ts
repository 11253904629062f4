import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { kinesis } from '../../../src/sources/kinesis.ts';
import { type Kinesis, filledStream, startKinesis } from '../../support/kinesis.ts';
import { readSource, textsByShard } from '../../support/read-source.ts';
import { sourceConformance } from '../conformance.ts';

let server: Kinesis;
let streams = 0;
let consumers = 0;

beforeAll(async () => {
  server = await startKinesis();
}, 30_000);

afterAll(() => server.stop());

vi.setConfig({ testTimeout: 60_000 });

// The server sends a subscription's first event after a second: so the tests wait side by side.
describe.concurrent('kinesis by fan-out, against a Kinesis API server', () => {
  sourceConformance(async (shards, maxRecords) => {
    const stream = `stream-${++streams}`;
    // A consumer for each reading: the server keeps a subscription for a second after it was ended.
    const fanOut = () =>
      kinesis({ stream, endpoint: server.endpoint, maxRecords, mode: 'fan-out', consumer: `consumer-${++consumers}` });
    return {
      source: { ...fanOut(), read: (context) => fanOut().read(context) },
      ...(await filledStream(server, stream, shards)),
    };
  });

  it('goes on in a next run with the consumer of the one before, though that was just reading', async () => {
    const { shards } = await filledStream(server, 'shop', [[['a', 'b'], ['c']]]);
    const source = kinesis({ stream: 'shop', endpoint: server.endpoint, mode: 'fan-out' });
    const first = readSource(source, { pipeline: 'warehouse', stopAfter: 2 });
    await first.completed;
    const { position } = first.events[1]!;
    expect(await source.check('warehouse')).toMatch(/1 open shard, .*, by fan-out as consumer warehouse \(active\)$/);

    const second = readSource(source, { pipeline: 'warehouse', acquire: async () => position, stopAfter: 1 });
    await second.completed;
    expect(textsByShard(second.events)).toEqual({ [shards[0]!]: ['c'] });
    expect(second.diagnostics).toContainEqual(
      expect.objectContaining({ type: 'source-retry', error: expect.objectContaining({ name: 'ResourceInUseException' }) }),
    );
  });
});
