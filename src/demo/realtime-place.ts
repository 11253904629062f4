import { RedisClient } from '../stores/redis/client.ts';
import { Follower } from './follow.ts';
import { fillCatalogue } from './likeness.ts';
import { startRedisServer } from './redis-server.ts';

const TIMEOUT_MS = 10_000;

/** A Redis server with what a realtime pipeline looks up in it, and somebody who watches one visitor there. */
export interface RealtimePlace {
  readonly url: string;
  readonly follower: Follower;
  stop(): Promise<void>;
}

/** Opens it; without a redis-server there is none, and the reason is told. */
export async function openRealtimePlace(directory: string): Promise<RealtimePlace | undefined> {
  let server: Awaited<ReturnType<typeof startRedisServer>>;
  try {
    server = await startRedisServer(directory);
  } catch (error) {
    process.stderr.write(`The warehouse runs alone: ${(error as Error).message}\n`);
    return undefined;
  }
  const client = new RedisClient(server.url, { timeoutMs: TIMEOUT_MS });
  await client.open();
  await fillCatalogue(client);
  const follower = new Follower(client);
  return {
    url: server.url,
    follower,
    async stop() {
      follower.stop();
      client.close();
      await server.stop();
    },
  };
}
