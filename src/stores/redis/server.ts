import type { Standing } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import type { OpenCommandStore } from '../command-store.ts';
import { RedisClient, RedisError } from './client.ts';
import { clusterKeys, redisKeys } from './keys.ts';
import { OpenCluster } from './open-cluster.ts';
import { OpenRedis, standingsOf } from './open-redis.ts';

interface ServerOptions {
  readonly timeoutMs: number;
  readonly rememberScores: number;
  /** Nothing for good. */
  readonly keepRejectsMs: number | undefined;
}

/** A server, or a cluster: makes a client for whoever asks. */
export class RedisServer {
  readonly #url: string;
  readonly #options: ServerOptions;

  constructor(url: string, options: ServerOptions) {
    this.#url = url;
    this.#options = options;
  }

  async check(): Promise<string> {
    const client = await this.#connect();
    try {
      // Of all that a run does, this changes nothing, and a user or a server of another kind may refuse it.
      await client.call('EVAL', ['return 1', 0]);
      return `the ${client.isCluster ? 'cluster' : 'server'} answers, and runs scripts`;
    } finally {
      client.close();
    }
  }

  async stands(owner: Owner): Promise<readonly Standing[]> {
    const client = await this.#connect();
    try {
      const key = (client.isCluster ? clusterKeys : redisKeys).positions(owner);
      const fields = (await client.call('HGETALL', [key])) as readonly string[];
      return standingsOf(fields);
    } finally {
      client.close();
    }
  }

  async open(): Promise<OpenCommandStore> {
    const { rememberScores, keepRejectsMs } = this.#options;
    const client = await this.#connect();
    return client.isCluster
      ? new OpenCluster(client, { keepRejectsMs })
      : new OpenRedis(client, redisKeys, { rememberScores, keepRejectsMs });
  }

  /** One that connects when it is asked for something first. */
  client(): RedisClient {
    return new RedisClient(this.#url, this.#options);
  }

  async #connect(): Promise<RedisClient> {
    const client = this.client();
    await client.open();
    try {
      await checkServer(client);
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }
}

/** @throws {Error} when a server may throw positions away to make room, or is part of a cluster; nothing when it does not let us ask */
async function checkServer(client: RedisClient): Promise<void> {
  // Each node of a cluster has settings of its own, and positions of its slots.
  const infos = await client.callEach('INFO', ['all']).catch((error: Error) => {
    if (error instanceof RedisError) return [];
    throw error;
  });
  for (const info of infos.map(String)) {
    if (!client.isCluster && /^cluster_enabled:1/m.test(info))
      throw new Error(
        `${client.where}: is a node of a cluster; expected its URL to begin with redis-cluster:// (or rediss-cluster://)`,
      );
    const [, policy] = /^maxmemory_policy:(allkeys-\S+)/m.exec(info) ?? [];
    if (policy && !/^maxmemory:0\b/m.test(info))
      throw new Error(
        `${client.where}: expected a maxmemory-policy that evicts no key without expiry (noeviction, volatile-…), got ${policy}, which may evict positions`,
      );
  }
}
