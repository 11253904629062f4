import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reject, lastByShard } from '../../src/event.ts';
import type { Resume } from '../../src/position.ts';
import { rejectsIntoRedis } from '../../src/sinks/rejects-into-redis.ts';
import type { OpenSink } from '../../src/sinks/sink.ts';
import { redis } from '../../src/stores/redis.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { sinkConformance } from './conformance.ts';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.stop());

const why = { step: 'decode', code: 'column_count', reason: 'expected 131 columns, got 3', path: 'data' };

async function keys(): Promise<string[]> {
  const lists = (await server.client.keys('millrace:rejects:*')).map((list) => server.client.zrange(list, 0, '-1'));
  return (await Promise.all(lists)).flat();
}

sinkConformance('rejectsIntoRedis', async () => {
  await server.client.flushall();
  return {
    declare: (name) => rejectsIntoRedis(redis(server.url), name === undefined ? {} : { name }),
    items: (events) => events.map((event) => new Reject(event, why)),
    stored: async () => Promise.all((await keys()).map(async (key) => (await server.client.hget(key, 'raw')) ?? '')),
    close: async () => {},
  };
});

test('rejectsIntoRedis keeps a reject with its reason, its bytes and its arrival, where a person finds it', async () => {
  await server.client.flushall();
  const sink = await rejectsIntoRedis(redis(server.url)).open({ pipeline: 'realtime', report: () => {} });
  await sink.acquire('a');
  const raw = Uint8Array.of(0xff, 0x00, 0x41);
  const [event] = deliver([{ shard: 'a', sequence: 7, arrivedAtMs: Date.UTC(2026, 10, 22), raw }]).events;
  await sink.commit({ items: [new Reject(event!, why)], positions: new Map([['a', event!.position]]) }, []);
  await sink.close();
  expect(await keys()).toEqual(['millrace:reject:realtime:rejects:a:7:0:decode']);
  const kept = await server.client.hgetallBuffer('millrace:reject:realtime:rejects:a:7:0:decode');
  expect(Buffer.from(raw).equals(kept['raw']!)).toBe(true);
  expect(kept['reason']!.toString()).toBe(why.reason);
  expect(kept['arrived_at']!.toString()).toBe('2026-11-22T00:00:00.000Z');
  expect(await server.client.hget('millrace:positions:realtime:rejects', 'a')).toBe('1 7:0');
});

test.each([
  [
    'its key is taken',
    'millrace:reject:realtime:rejects:a:7:0:decode',
    /^redis \S+: WRONGTYPE .*: HSET millrace:reject:realtime:/,
  ],
  [
    'the list of them is something else',
    'millrace:rejects:realtime',
    /^redis \S+: WRONGTYPE .*: ZADD millrace:rejects:realtime$/,
  ],
])('rejectsIntoRedis moves no position past a reject that is not kept, when %s', async (_, taken, message) => {
  await server.client.flushall();
  const sink = await rejectsIntoRedis(redis(server.url)).open({ pipeline: 'realtime', report: () => {} });
  await sink.acquire('a');
  await server.client.set(taken, 'x');
  const items = deliver([{ shard: 'a', sequence: 7, raw: 'x' }]).events.map((event) => new Reject(event, why));
  const commit = () => sink.commit({ items, positions: new Map([['a', items[0]!.last]]) }, []);
  await expect(commit()).rejects.toThrow(message);
  expect(await sink.positions(['a'])).toEqual(new Map());
  await server.client.del(taken);
  await commit();
  await sink.close();
  expect(await keys()).toEqual(['millrace:reject:realtime:rejects:a:7:0:decode']);
});

describe('a batch of many rejects', () => {
  const commit = async (rejects: readonly Reject[]): Promise<OpenSink<Reject>> => {
    await server.client.flushall();
    await server.client.config('RESETSTAT');
    const sink = await rejectsIntoRedis(redis(server.url)).open({ pipeline: 'realtime', report: () => {} });
    await sink.acquire('a');
    const positions = new Map<string, Resume>([['a', { ...rejects.at(-1)!.last, sequence: '9000' }]]);
    await sink.commit({ items: rejects, positions }, []);
    return sink;
  };
  const rejectsOf = (count: number, raw = 'x'): Reject[] =>
    deliver(Array.from({ length: count }, (_, i) => ({ shard: 'a', sequence: i + 1, raw }))).events.map(
      (event) => new Reject(event, why),
    );
  const calls = async (): Promise<number> => {
    const stats = [...(await server.client.info('commandstats')).matchAll(/^cmdstat_evalsha:calls=(\d+)/gm)];
    return Number(stats[0]?.[1]);
  };

  test('is several calls of five hundred', async () => {
    const sink = await commit(rejectsOf(1200));
    expect([await calls(), (await keys()).length]).toEqual([3, 1200]);
    expect(await sink.positions(['a'])).toEqual(new Map([['a', { shard: 'a', sequence: '9000', subSequence: 0 }]]));
    await sink.close();
  });

  test('is several calls of half a megabyte', async () => {
    await (await commit(rejectsOf(10, 'x'.repeat(200_000)))).close();
    expect([await calls(), (await keys()).length]).toEqual([4, 10]);
  });

  test('is never cut between those of one record', async () => {
    const rejects = rejectsOf(1000);
    const twins = [1, 2, 3].map((i) => new Reject(rejects[499]!.event, { ...why, step: `step ${i}` }));
    await (await commit(rejects.toSpliced(500, 0, ...twins))).close();
    expect([await calls(), (await keys()).length]).toEqual([2, 1003]);
  });

  test('that fails midway stands where it came to', async () => {
    const proxy = await startFaultProxy({ target: server.url, faults: [{ kind: 'reset-request', on: 'EVALSHA', at: 1 }] });
    await server.client.flushall();
    const sink = await rejectsIntoRedis(redis(proxy.url)).open({ pipeline: 'realtime', report: () => {} });
    await sink.acquire('a');
    const items = rejectsOf(1200);
    await expect(sink.commit({ items, positions: lastByShard(items) }, [])).rejects.toThrow(/no connection/);
    expect(await sink.positions(['a'])).toEqual(new Map([['a', items[499]!.last]]));
    await sink.commit({ items: items.slice(500), positions: lastByShard(items) }, []);
    await sink.close();
    await proxy.close();
    expect(await keys()).toHaveLength(1200);
  });
});

describe('rejects that are kept for a time', () => {
  const storing = async (...batches: readonly (readonly number[])[]): Promise<void> => {
    const store = redis(server.url, { keepRejects: { days: 30 } });
    const sink = await rejectsIntoRedis(store).open({ pipeline: 'realtime', report: () => {} });
    await sink.acquire('a');
    for (const sequences of batches) {
      const records = sequences.map((sequence) => ({ shard: 'a', sequence, arrivedAtMs: sequence, raw: 'x' }));
      const items = deliver(records).events.map((event) => new Reject(event, why));
      await sink.commit({ items, positions: lastByShard(items) }, []);
    }
    await sink.close();
  };
  const keyOf = (sequence: number): string => `millrace:reject:realtime:rejects:a:${sequence}:0:decode`;

  test('vanish after it', async () => {
    await server.client.flushall();
    await storing([1]);
    expect(await server.client.pttl(keyOf(1))).toBeGreaterThan(30 * 86_400_000 - 60_000);
    expect(await server.client.pttl('millrace:rejects:realtime')).toBe(-1);
  });

  test('leave the list as others come, the oldest first, and as many as come', async () => {
    await server.client.flushall();
    await storing([1, 2, 3, 4, 5, 6]);
    await server.client.del(...[1, 2, 3, 4, 6].map(keyOf));
    await storing([7]);
    expect(await keys()).toEqual([5, 6, 7].map(keyOf));
    await server.client.del(keyOf(5));
    await storing([8]);
    expect(await keys()).toEqual([7, 8].map(keyOf));
  });

  test('are for an hour at least: what a run that was killed had refused, the next one asks for', () => {
    expect(() => redis(server.url, { keepRejects: { minutes: 59 } })).toThrow(
      'redis: expected to keep rejects for an hour or longer, got 59 minutes',
    );
  });

  test('are for good otherwise', async () => {
    await server.client.flushall();
    const sink = await rejectsIntoRedis(redis(server.url)).open({ pipeline: 'realtime', report: () => {} });
    await sink.acquire('a');
    for (const sequence of [1, 2]) {
      const items = deliver([{ shard: 'a', sequence, raw: 'x' }]).events.map((event) => new Reject(event, why));
      await sink.commit({ items, positions: lastByShard(items) }, []);
    }
    await sink.close();
    expect(await server.client.pttl(keyOf(1))).toBe(-1);
    expect(await keys()).toEqual([1, 2].map(keyOf));
  });
});
