import type { Duration } from 'date-fns';
import { durationMs } from '../duration.ts';
import type { LookupSource } from '../operators/lookup-source.ts';
import type { CommandStore } from './command-store.ts';
import type { IdentityServer } from './identities/block-server.ts';
import { RedisReads } from './redis/reads.ts';
import type { RedisServer } from './redis/server.ts';
import { parseRedisUrl } from './redis/url.ts';

export interface RedisOptions {
  /** How long the server may be silent while it is to answer, in milliseconds, before it counts as gone. @default 10_000 */
  readonly timeoutMs?: number;
  /**
   * About how many scores of sorted sets are remembered at most, 40 bytes each, a set like four more (one whose key, or member in `without`, is
   * long like one more for 64 characters), so that what they become can be sent instead of what `rank` adds to them, which takes the server half
   * as long. Beside them are the texts of up to twice as many members, but no more than 500,000, of 64 bytes on average: when there are more,
   * all is forgotten and learned anew. A set is then told its expiry again when a hundredth of it is over. Only for sets of up to 500 members
   * that nobody else adds to or takes from, nor to the ones that `without` names; they may expire, be evicted or deleted. A set that has another
   * size than it should have is noticed, and its call made anew without what was remembered; a score that somebody else changed is not, and is
   * overwritten. Not in a cluster.
   * @default 0
   */
  readonly rememberScores?: number;
  /** How long a reject is kept, an hour at least; then its hash vanishes, and leaves the list of rejects as others come. @default for good */
  readonly keepRejects?: Duration;
}

const HOUR_MS = 3_600_000;

/**
 * A Redis server, 7 or later: each batch is one call of a script that checks the epoch, moves the positions and runs the commands, so that
 * they are there together or not at all. What a server that failed over has lost, it has lost with the positions, and the run goes back.
 *
 * Keys of its own, which nobody may evict (rejects that are kept for a time a server with a `volatile-…` policy may: it is told of):
 * - `millrace:positions:<pipeline>:<sink>`, a hash: by shard, `<epoch> <position>`;
 * - `millrace:last-call:<pipeline>:<sink>`, text: the run whose call came last, and its number;
 * - `millrace:rejects:<pipeline>`, a sorted set of the keys of rejects, by arrival in milliseconds;
 * - `millrace:reject:<pipeline>:<sink>:<shard>:<position>:<step>`, a hash: `step`, `code`, `reason`, `path`, `arrived_at`, `raw` (the record's bytes) and, of
 *   a command that was refused, `command` (JSON). One whose run was killed in that very moment has a `command` and no `raw`.
 *   It stays for good, or for `keepRejects`.
 *
 * Of a Redis Cluster, `redis-cluster://host:port,host:port` (some of its nodes), all keys of one command have to lie in one slot, or it is
 * refused: give them one tag, `viewed:{user}`. Each slot that a batch touches gets a call of its own, all at once, which skips what the slot has; then the shards'
 * positions are moved. So every event is applied once in each slot, whatever is killed whenever, if the same event always gives the same
 * commands; but a reader may see some slots of a batch before others. Own keys there: `millrace:positions:{<pipeline>}:<sink>`, rejects likewise, and
 * in each slot `millrace:slot:{<number>}:<pipeline>:<sink>`, a hash: by shard, the position up to which this slot has everything (and, for a moment, why it refused a command). A pipeline
 * that is to begin anew needs another name of its sink, or these keys deleted. What a node that failed over has lost of a slot stays lost.
 *
 * @param url `redis://user:password@host:port/database`, `redis-cluster://user:password@host:port,host:port`, or `rediss…` for TLS
 * @throws {TypeError} when it is a URL of another kind; the message does not show it
 * @throws {RangeError} when rejects are to be kept for less than an hour: what a run that was killed had refused, the next one asks for
 */
export function redis(
  url: string,
  { timeoutMs = 10_000, rememberScores = 0, keepRejects }: RedisOptions = {},
): CommandStore & LookupSource & IdentityServer {
  const keepRejectsMs = keepRejects && durationMs(keepRejects, { who: 'redis', name: 'keepRejects' });
  if (keepRejectsMs !== undefined && keepRejectsMs < HOUR_MS)
    throw new RangeError(`redis: expected to keep rejects for an hour or longer, got ${keepRejectsMs / 60_000} minutes`);
  const { scheme, hosts, path } = parseRedisUrl(url);
  // Who declares a server and asks nothing of it need not load its client.
  const server = async (): Promise<RedisServer> => {
    const { RedisServer } = await import('./redis/server.ts');
    return new RedisServer(url, { timeoutMs, rememberScores, keepRejectsMs });
  };
  return {
    describe: `${scheme}://${hosts}${path}`,
    check: async () => (await server()).check(),
    stands: async (owner) => (await server()).stands(owner),
    open: async ({ report }) => (await server()).open(report),
    checkIdentities: async () => (await server()).check(),
    openIdentities: async (log) => (await server()).openIdentities(log),
    openReads: () => new RedisReads(async () => (await server()).client()),
  };
}
