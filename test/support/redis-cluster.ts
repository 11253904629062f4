import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, startRedis } from './redis.ts';

export interface RedisCluster {
  readonly url: string;
  readonly nodes: readonly RedisServer[];
  /** The node that has a slot. */
  nodeOf(slot: number): Promise<RedisServer>;
  /** Empties all nodes. */
  flush(): Promise<void>;
  /** Runs a read on the node that has its key. */
  read(name: string, key: string, ...args: string[]): Promise<unknown>;
  /** Begins to move a slot to another node; what is given back ends it. */
  migrate(slot: number): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** Starts a cluster of three nodes on loopback, without replicas. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const settings = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000', appendonly: 'no' };
  const started = await Promise.allSettled([startRedis({ settings }), startRedis({ settings }), startRedis({ settings })]);
  const nodes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed) {
    await Promise.all(nodes.map((node) => node.stop()));
    throw failed.reason;
  }
  const ids: string[] = [];
  for (const [i, { client }] of nodes.entries()) {
    await client.call('CLUSTER', 'ADDSLOTSRANGE', String(edge(i)), String(edge(i + 1) - 1));
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    await client.call('CLUSTER', 'MEET', '127.0.0.1', String(nodes[0]!.port), String(nodes[0]!.busPort));
    ids.push(String(await client.call('CLUSTER', 'MYID')));
  }
  const isReady = async ({ client }: RedisServer): Promise<boolean> =>
    /cluster_state:ok[^]*cluster_known_nodes:3/.test(String(await client.call('CLUSTER', 'INFO')));
  for (const node of nodes) while (!(await isReady(node))) await sleep(20);

  const ownerOf = async (slot: number): Promise<number> => {
    const ranges = (await nodes[0]!.client.call('CLUSTER', 'SLOTS')) as [number, number, [string, number, string]][];
    const [, , [, , id]] = ranges.find(([first, last]) => slot >= first && slot <= last)!;
    return ids.indexOf(id);
  };
  const nodeOf = async (slot: number): Promise<RedisServer> => nodes[await ownerOf(slot)]!;
  return {
    url: `redis-cluster://127.0.0.1:${nodes[0]!.port},127.0.0.1:${nodes[1]!.port}`,
    nodes,
    nodeOf,
    async flush() {
      for (const { client } of nodes) await client.flushall();
    },
    async read(name, key, ...args) {
      const slot = Number(await nodes[0]!.client.call('CLUSTER', 'KEYSLOT', key));
      return (await nodeOf(slot)).client.call(name, key, ...args);
    },
    async migrate(slot) {
      const from = await ownerOf(slot);
      const to = (from + 1) % nodes.length;
      const [source, target] = [nodes[from]!, nodes[to]!];
      await target.client.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', ids[from]!);
      await source.client.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', ids[to]!);
      return async () => {
        for (;;) {
          const keys = (await source.client.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '100')) as string[];
          if (keys.length === 0) break;
          await source.client.call('MIGRATE', '127.0.0.1', String(target.port), '', '0', '5000', 'KEYS', ...keys);
        }
        for (const { client } of [target, source, ...nodes])
          await client.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', ids[to]!);
      };
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** Where a node's slots begin. */
function edge(i: number): number {
  return Math.floor((SLOTS * i) / 3);
}
