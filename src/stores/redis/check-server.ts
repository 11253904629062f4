import { type RedisClient, RedisError } from './client.ts';

/** Scripts go by what this version does with errors in them. */
const OLDEST = 7;

/** How a replica says so of itself. */
const IS_READ_ONLY = [/^role:slave/m, /^slave_read_only:1/m];
const NAME_THE_MASTER = 'expected the master, by an address that follows it when it fails over';

/**
 * Sees that a server, or each master of a cluster, will do what a run asks of it, as far as it lets us ask.
 *
 * @returns the `maxmemory-policy` by which it may evict keys that have an expiry; nothing when it may not
 * @param takesWrites whether it is to store anything, which a replica does not
 * @throws {Error} when it is too old, may throw positions away to make room, is part of a cluster, a Sentinel or a replica, or forbids scripts what they need
 */
export async function checkServer(client: RedisClient, takesWrites: boolean): Promise<string | undefined> {
  let evicts: string | undefined;
  // Each node of a cluster has settings of its own, and positions of its slots.
  const infos = await client.callEach('INFO', ['all']).catch(unlessRefused);
  for (const info of (infos ?? []).map(String)) {
    if (/^redis_mode:sentinel/m.test(info))
      throw new Error(`${client.where}: is a Sentinel, which keeps no keys; ${NAME_THE_MASTER}`);
    // It passes in the middle of a failover, where a run that goes back with its store may be opening it.
    if (takesWrites && !client.isCluster && IS_READ_ONLY.every((line) => line.test(info)))
      throw Object.assign(new Error(`${client.where}: is a replica, which only lets read; ${NAME_THE_MASTER}`), {
        isTransient: true,
      });
    if (!client.isCluster && /^cluster_enabled:1/m.test(info))
      throw new Error(
        `${client.where}: is a node of a cluster; expected its URL to begin with redis-cluster:// (or rediss-cluster://)`,
      );
    const [, version = ''] = /^redis_version:(\S+)/m.exec(info) ?? [];
    if (Number.parseInt(version) < OLDEST)
      throw new Error(`${client.where}: expected a Redis server of version ${OLDEST} or later, got ${version}`);
    const [, policy = ''] = /^maxmemory_policy:(\S+)/m.exec(info) ?? [];
    if (/^maxmemory:0\b/m.test(info)) continue;
    if (policy.startsWith('allkeys-'))
      throw new Error(
        `${client.where}: expected a maxmemory-policy that evicts no key without expiry (noeviction, volatile-…), got ${policy}, which may evict positions`,
      );
    if (policy.startsWith('volatile-')) evicts = policy;
  }
  if (infos?.some((info) => /^dragonfly_version:/m.test(String(info)))) await checkScripts(client);
  return evicts;
}

/**
 * A script of a batch names none of the keys of its commands beforehand, and where that is forbidden each event would be a reject.
 * https://www.dragonflydb.io/docs/managing-dragonfly/scripting#allowing-undeclared-keys
 */
async function checkScripts(client: RedisClient): Promise<void> {
  try {
    await client.call('EVAL', ["return redis.call('EXISTS', ARGV[1])", 0, 'millrace:undeclared']);
  } catch (error) {
    if (/undeclared key/.test((error as Error).message))
      throw new Error(
        `${client.where}: expected a server whose scripts may use keys that are not among their arguments (of Dragonfly: --default_lua_flags=allow-undeclared-keys)`,
        { cause: error },
      );
    unlessRefused(error);
  }
}

/** Who may not ask is not told; a connection that is lost is another matter. */
function unlessRefused(error: unknown): undefined {
  if (!(error instanceof RedisError)) throw error;
}
