import { asyncScheduler } from 'rxjs';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { WentBackError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import { SinkDriver } from '../../src/run/sink-driver.ts';
import { type CommandsOf, apply } from '../../src/sinks/apply.ts';
import { incrby } from '../../src/stores/commands.ts';
import { redis } from '../../src/stores/redis.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'no' } });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.client.flushall();
});

/** A sink as a run drives it, and what that tells: rejects, tries and what ends it. */
async function driven(
  url: string,
  commands: CommandsOf<Uint8Array>,
  rememberScores = 0,
): Promise<{ readonly driver: SinkDriver<Event<Uint8Array>>; readonly told: unknown[] }> {
  const sink = await apply<Uint8Array>(redis(url, { rememberScores }), commands).open({ pipeline: 'p', report: () => {} });
  const told: unknown[] = [];
  const driver = new SinkDriver<Event<Uint8Array>>({
    name: 'apply',
    describe: '',
    sink,
    retry: { firstDelayMs: 1 },
    signal: new AbortController().signal,
    scheduler: asyncScheduler,
    random: () => 0,
    beforeCommit: async () => {},
    fail: (error) => told.push(error),
    report(diagnostic) {
      if (diagnostic.type === 'rejected') told.push(diagnostic.position.sequence);
      if (diagnostic.type === 'sink-retry') told.push('retry');
    },
  });
  return { driver, told };
}

it.each([
  ['the answer of its call', 'drop-answer'],
  ['its call', 'reset-request'],
] as const)('a refused event is told of once, also when %s was lost', async (_, kind) => {
  const proxy = await startFaultProxy({ target: server.url, faults: [{ kind, on: 'EVALSHA', at: 1 }] });
  await server.client.set('text', 'x');
  const { driver, told } = await driven(proxy.url, (data) => {
    const key = Buffer.from(data).toString();
    if (key === 'odd') throw new Error('odd');
    return [incrby(key, 1)];
  });
  await driver.acquire('shard-1');
  const [first, ...others] = deliver(['n', 'text', 'odd', 'n', 'm']).events;
  for (const together of [[first!], others]) {
    for (const event of together) driver.push(event, () => {});
    await driver.stored();
  }
  await driver.close();
  await proxy.close();
  expect(told.map(String).toSorted()).toEqual(['2', '3', 'retry']);
});

it.each([0, 1_000])(
  'a failover that has lost what one shard had is noticed by the next call of another (%d scores remembered)',
  async (scores) => {
    const { client } = server;
    const { driver, told } = await driven(server.url, (_, { shard }) => [incrby(`n:${shard}`, 1)], scores);
    for (const shard of ['a', 'b']) await driver.acquire(shard);
    const push = async (shard: string, sequence: number): Promise<void> => {
      driver.push(deliver([{ shard, sequence, raw: 'x' }]).events[0]!, () => {});
      await driver.stored().catch(() => {});
    };
    await push('a', 1);
    await push('b', 1);
    const keys = await client.keys('*');
    const had = await Promise.all(keys.map(async (key) => [key, await client.dumpBuffer(key)] as const));
    await push('b', 2);
    // A replica takes over that has not seen the last call.
    await client.flushall();
    for (const [key, bytes] of had) await client.restore(key, 0, bytes, 'REPLACE');
    await push('a', 2);
    await driver.close();
    expect(told.at(-1)).toBeInstanceOf(WentBackError);
    expect(await client.get('n:b')).toBe('1');
  },
);

it.each([0, 1_000])(
  'runs of one pipeline at work on other shards, as of other files, do not make each call fail (%d scores remembered)',
  async (scores) => {
    const { client } = server;
    const shards = ['a', 'b'];
    const runs = await Promise.all(shards.map(() => driven(server.url, () => [incrby('n', 1)], scores)));
    for (const [i, { driver }] of runs.entries()) await driver.acquire(shards[i]!);
    for (let sequence = 1; sequence <= 10; sequence++)
      for (const [i, { driver }] of runs.entries()) {
        driver.push(deliver([{ shard: shards[i]!, sequence, raw: 'x' }]).events[0]!, () => {});
        await driver.stored();
      }
    for (const { driver } of runs) await driver.close();
    expect(await client.get('n')).toBe('20');
    // Each has met the other once.
    expect(runs.map(({ told }) => told)).toEqual([['retry'], ['retry']]);
  },
);
