import { afterAll, beforeAll, expect, it } from 'vitest';
import { faultOf } from '../../../src/fault.ts';
import type { Read } from '../../../src/operators/lookup-source.ts';
import { get, hgetall, highest, smembers } from '../../../src/stores/reads.ts';
import { redis } from '../../../src/stores/redis.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
  const { client } = server;
  await client.set('text', 'é');
  await client.hset('hash', { a: '1', b: '2' });
  await client.sadd('set', 'x', 'y');
  await client.zadd('sorted', 1, 'one', 2.5, 'two', -3, 'three');
});

afterAll(() => server.stop());

/** What a server answers to reads, understood; the failure of the whole call is thrown. */
function answersTo(url: string, ...all: readonly Read<unknown>[]): Promise<unknown[]> {
  const open = redis(url).openReads();
  return new Promise<unknown[]>((resolve, reject) => {
    open.read(all, (answers, failure) => {
      if (failure !== undefined) return reject(failure as Error);
      resolve(answers.map((answer, i) => (answer instanceof Error ? answer : all[i]!.understand(answer))));
    });
  }).finally(() => open.close());
}

it('reads text, hashes, sets and the highest of a sorted set in one call', async () => {
  expect(await answersTo(server.url, get('text'), hgetall('hash'), smembers('set'), highest('sorted', 2))).toEqual([
    'é',
    new Map([
      ['a', '1'],
      ['b', '2'],
    ]),
    new Set(['x', 'y']),
    [
      ['two', 2.5],
      ['one', 1],
    ],
  ]);
});

it('reads scores as they are, also infinite ones', async () => {
  await server.client.zadd('infinite', '+inf', 'first', 1e21, 'second', '-inf', 'last');
  expect(await answersTo(server.url, highest('infinite', 3))).toEqual([
    [
      ['first', Infinity],
      ['second', 1e21],
      ['last', -Infinity],
    ],
  ]);
});

it('reads one member at least', () => {
  for (const count of [0, -1, 1.5, NaN])
    expect(() => highest('sorted', count)).toThrow(new RangeError(`highest: expected a count of 1 or more, got ${count}`));
});

it('takes the absence of a key for an answer', async () => {
  expect(await answersTo(server.url, get('no'), hgetall('no'), smembers('no'), highest('no', 2))).toEqual([
    undefined,
    new Map(),
    new Set(),
    [],
  ]);
});

it('tells of a key of another kind in its place, and answers the others', async () => {
  const [wrong, right] = await answersTo(server.url, get('hash'), get('text'));
  expect((wrong as Error).message).toContain('WRONGTYPE');
  expect(right).toBe('é');
});

it('fails as a whole, for a reason that passes, when the connection is lost between two answers', async () => {
  const proxy = await startFaultProxy({ target: server.url, faults: [{ kind: 'drop-answer', on: 'SMEMBERS' }] });
  const failure = await answersTo(proxy.url, get('text'), smembers('set'), get('text')).catch((error: unknown) => error as Error);
  expect(failure).toMatchObject({ message: expect.stringMatching(/^redis \S+: no connection: /) });
  expect(faultOf(failure)).toBe('transient');
  await proxy.close();
});

it('fails as a whole, for a reason that passes, when nobody answers', async () => {
  const open = redis('redis://127.0.0.1:1').openReads();
  const failure = await new Promise((resolve) => open.read([get('text')], (_, why) => resolve(why)));
  open.close();
  expect(failure).toMatchObject({
    name: 'LostConnectionError',
    isTransient: true,
    message: expect.stringMatching(/redis 127\.0\.0\.1:1: no connection/),
  });
});
