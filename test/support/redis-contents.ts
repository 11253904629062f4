import type { Redis } from 'ioredis';

/** All that a key holds. */
export async function contentsOf(client: Redis, key: string): Promise<unknown> {
  switch (await client.type(key)) {
    case 'string':
      return client.get(key);
    case 'hash':
      return client.hgetall(key);
    case 'list':
      return client.lrange(key, 0, -1);
    case 'set':
      return (await client.smembers(key)).sort();
    default:
      return client.zrange(key, '0', '-1', 'WITHSCORES');
  }
}
