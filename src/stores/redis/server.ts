import type { Report } from '../../diagnostic.ts';
import type { Standing } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import type { OpenCommandStore } from '../command-store.ts';
import type { BlockServer } from '../identities/block-server.ts';
import { checkServer } from './check-server.ts';
import { RedisClient } from './client.ts';
import { RedisIdentityBlocks } from './identity-blocks.ts';
import { clusterKeys, redisKeys } from './keys.ts';
import { OpenCluster } from './open-cluster.ts';
import { OpenRedis } from './open-redis.ts';
import { standingsOf } from './positions.ts';

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
    const { client, policy } = await this.#connect();
    try {
      // Of all that a run does, this changes nothing, and a user or a server of another kind may refuse it.
      await client.call('EVAL', ['return 1', 0]);
      const warning = policy ? `; by its maxmemory-policy, ${policy}, it may evict rejects before their time` : '';
      return `the ${client.isCluster ? 'cluster' : 'server'} answers, and runs scripts${warning}`;
    } finally {
      client.close();
    }
  }

  async stands(owner: Owner): Promise<readonly Standing[]> {
    const { client } = await this.#connect(false);
    try {
      const key = (client.isCluster ? clusterKeys : redisKeys).positions(owner);
      const fields = (await client.call('HGETALL', [key])) as readonly string[];
      return standingsOf(fields);
    } finally {
      client.close();
    }
  }

  async open(report: Report): Promise<OpenCommandStore> {
    const { rememberScores, keepRejectsMs } = this.#options;
    const { client, policy } = await this.#connect();
    if (policy) report({ type: 'may-evict-rejects', store: client.where, policy });
    return client.isCluster
      ? new OpenCluster(client, { keepRejectsMs })
      : new OpenRedis(client, redisKeys, { rememberScores, keepRejectsMs });
  }

  async openIdentities(log: string): Promise<BlockServer> {
    const { client } = await this.#connect();
    return new RedisIdentityBlocks(client, log);
  }

  /** One that connects when it is asked for something first. */
  client(): RedisClient {
    return new RedisClient(this.#url, this.#options);
  }

  /** Connects, and tells by which policy rejects that are kept for a time may be evicted, if any. */
  async #connect(takesWrites = true): Promise<{ readonly client: RedisClient; readonly policy: string | undefined }> {
    const client = this.client();
    await client.open();
    try {
      const policy = await checkServer(client, takesWrites);
      return { client, policy: this.#options.keepRejectsMs === undefined ? undefined : policy };
    } catch (error) {
      client.close();
      throw error;
    }
  }
}
