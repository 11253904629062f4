import { afterAll, beforeAll } from 'vitest';
import { redis } from '../../../src/stores/redis.ts';
import { type RedisCluster, startRedisCluster } from '../../support/redis-cluster.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { type IdentityServerFixture, identitiesConformance } from '../identities.conformance.ts';

let server: RedisServer;
let cluster: RedisCluster;
beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});
afterAll(() => Promise.all([server.stop(), cluster.stop()]));

type Write = (key: string, command: string, ...args: string[]) => Promise<unknown>;

function fixture(url: string, write: Write): IdentityServerFixture {
  const blocksOf = (log: string): string => `millrace:identities:{${log}}:blocks`;
  return {
    url,
    declare: (at) => redis(at),
    loseLast: async (log) => {
      await write(blocksOf(log), 'RPOP');
      await write(`millrace:identities:{${log}}`, 'HINCRBY', 'last', '-1');
    },
    standAt: async (log, last) =>
      void (await write(`millrace:identities:{${log}}`, 'HSET', 'first', String(last + 1), 'last', String(last))),
    loseSecond: async (log) => void (await write(blocksOf(log), 'RPOP')),
    close: async () => {},
  };
}

identitiesConformance('redis', async () => {
  await server.client.flushall();
  return fixture(server.url, (key, command, ...args) => server.client.call(command, key, ...args));
});

identitiesConformance('a Redis cluster', async () => {
  await cluster.flush();
  return fixture(cluster.url, (key, command, ...args) => cluster.read(command, key, ...args));
});
