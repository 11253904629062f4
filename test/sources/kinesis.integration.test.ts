import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinesis } from '../../src/sources/kinesis.ts';
import { type Kinesis, startKinesis } from '../support/kinesis.ts';
import { readSource, textsByShard } from '../support/read-source.ts';
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

describe('kinesis, against a Kinesis API server that reshards', () => {
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
