import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinesis } from '../../../src/sources/kinesis.ts';
import { aggregate, compressedBatch } from '../../support/aggregates.ts';
import { type Kinesis, filledStream, startKinesis } from '../../support/kinesis.ts';
import { readSource, textsByShard } from '../../support/read-source.ts';
import { reshardingConformance, sourceConformance } from '../conformance.ts';

let server: Kinesis;
let streams = 0;

beforeAll(async () => {
  server = await startKinesis();
}, 30_000);

afterAll(() => server.stop());

describe.each(['lean', 'stock'] as const)('kinesis, against a Kinesis API server, in the %s protocol', (protocol) => {
  sourceConformance(async (shards, maxRecords) => {
    const name = `stream-${++streams}`;
    return {
      source: kinesis({ stream: name, endpoint: server.endpoint, maxRecords, protocol }),
      ...(await filledStream(server, name, shards)),
    };
  });
});

describe('kinesis, against a Kinesis API server that reshards', () => {
  reshardingConformance(async (records, [l, r]) => {
    const stream = await server.createStream(`split-${++streams}`, 1);
    const [parent] = (await stream.shards()) as [string];
    await stream.put(records, parent);
    await stream.split(parent);
    const [left, right] = (await stream.shards()) as [string, string];
    await stream.put([l], left);
    await stream.put([r], right);
    return { source: kinesis({ stream: stream.name, endpoint: server.endpoint }), parent, halves: [left, right] };
  });

  const texts = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}-${i}`);

  it('reads closed parents before their children, through a split, a split of a child and a merge', async () => {
    const stream = await server.createStream('resharded', 1);
    const [parent] = (await stream.shards()) as [string];
    await stream.put(texts('parent', 20), parent);
    await stream.split(parent);
    const [left, right] = (await stream.shards()) as [string, string];
    await stream.put(texts('left', 5), left);
    await stream.put(texts('right', 5), right);
    await stream.split(right);
    const [, inner, outer] = (await stream.shards()) as [string, string, string];
    await stream.put(texts('inner', 5), inner);
    await stream.put(texts('outer', 5), outer);
    await stream.merge(left, inner);
    const [merged] = (await stream.shards()) as [string, string];
    await stream.put(texts('merged', 5), merged);

    const source = kinesis({ stream: stream.name, endpoint: server.endpoint, maxRecords: 3 });
    const { completed, events, acquired } = readSource(source, { stopAfter: 45 });
    await completed;
    expect(textsByShard(events)).toEqual({
      [parent]: texts('parent', 20),
      [left]: texts('left', 5),
      [right]: texts('right', 5),
      [inner]: texts('inner', 5),
      [outer]: texts('outer', 5),
      [merged]: texts('merged', 5),
    });
    const order = [...new Set(events.map(({ shard }) => shard))];
    const before = (a: string, b: string) => expect(order.indexOf(a)).toBeLessThan(order.indexOf(b));
    before(parent, left);
    before(parent, right);
    before(right, inner);
    before(right, outer);
    before(left, merged);
    before(inner, merged);
    expect([...acquired.values()].every(({ from }) => from === 'TRIM_HORIZON')).toBe(true);
  });

  it('reads nothing older than the time at which it began, also in children of a parent that was closed before', async () => {
    const stream = await server.createStream('resharded-before', 1);
    const [parent] = (await stream.shards()) as [string];
    await stream.put(texts('parent', 3), parent);
    await stream.split(parent);
    const [left] = (await stream.shards()) as [string];
    await stream.put(texts('old', 3), left);
    await sleep(3);
    const start = new Date();
    await sleep(3);
    await stream.put(texts('new', 3), left);
    const { completed, events } = readSource(kinesis({ stream: stream.name, endpoint: server.endpoint }), {
      start,
      stopAfter: 3,
    });
    await completed;
    expect(textsByShard(events)).toEqual({ [left]: texts('new', 3) });
  });

  it('follows a split that comes while it reads', async () => {
    const stream = await server.createStream('resharding', 1);
    const [parent] = (await stream.shards()) as [string];
    await stream.put(['before'], parent);
    const { completed, events } = readSource(kinesis({ stream: stream.name, endpoint: server.endpoint }), {
      start: new Date(Date.now() - 60_000),
      stopAfter: 4,
    });
    await expect.poll(() => events.length).toBe(1);
    await stream.put(['last'], parent);
    await stream.split(parent);
    const [left, right] = (await stream.shards()) as [string, string];
    await stream.put(['l'], left);
    await stream.put(['r'], right);
    await completed;
    expect(textsByShard(events)).toEqual({ [parent]: ['before', 'last'], [left]: ['l'], [right]: ['r'] });
  });
});

describe('kinesis, against a Kinesis API server with packed records', () => {
  const middle = 2n ** 127n;
  const of = (texts: readonly string[], hashKey?: bigint) =>
    texts.map((data) => ({ data, explicitHashKey: hashKey?.toString() }));

  it('drops an aggregate that spans the shards of a split, but not in their parent, and reads what its producer sends again', async () => {
    const stream = await server.createStream('packed', 1);
    const [parent] = (await stream.shards()) as [string];
    const spanning = (name: string) => aggregate([...of([`${name} low`], 0n), ...of([`${name} high`], middle)]);
    await stream.put([spanning('before'), aggregate(of(['by partition key']))], parent);
    await stream.split(parent);
    const [left, right] = (await stream.shards()) as [string, string];
    await stream.put([spanning('after'), aggregate(of(['after low'], 0n))], left);
    await stream.put([compressedBatch(['after high', 'more'], 'zstd'), spanning('again')], right);
    const source = kinesis({ stream: stream.name, endpoint: server.endpoint });
    const { completed, events, ledger } = readSource(source, { stopAfter: 6 });
    await completed;
    expect(textsByShard(events)).toEqual({
      [parent]: ['before low', 'before high', 'by partition key'],
      [left]: ['after low'],
      [right]: ['after high', 'more'],
    });
    expect(ledger.counts()).toMatchObject({ read: 8, dropped: { 'other-shard': 2 } });
  });

  it('goes on inside a record, behind the part at which it stands', async () => {
    const stream = await server.createStream('packed-resumed', 1);
    const [shard] = (await stream.shards()) as [string];
    const packed = aggregate(['b', compressedBatch(['c', 'd'], 'gzip'), 'e']);
    const [, sequence] = (await stream.put(['a', packed, 'f'], shard)) as [string, string];
    const source = kinesis({ stream: stream.name, endpoint: server.endpoint });
    const texts = ['b', 'c', 'd', 'e', 'f'];
    for (const subSequence of texts.keys()) {
      const left = texts.slice(subSequence);
      // At 0 stands a run that took the record as a whole.
      const expected = subSequence === 0 ? ['f'] : left;
      const { completed, events } = readSource(source, {
        acquire: async () => ({ shard, sequence, subSequence }),
        stopAfter: expected.length,
      });
      await completed;
      expect(textsByShard(events)).toEqual({ [shard]: expected });
    }
  });
});
