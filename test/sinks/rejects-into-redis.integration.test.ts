import { afterAll, beforeAll, expect, test } from 'vitest';
import { Reject } from '../../src/event.ts';
import { rejectsIntoRedis } from '../../src/sinks/rejects-into-redis.ts';
import { redis } from '../../src/stores/redis.ts';
import { deliver } from '../../src/testing/deliver.ts';
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
