import { PASSWORD_SIGNS } from '../password-signs.ts';

/** What a URL of a Redis server or cluster says. */
export interface RedisUrl {
  readonly scheme: string;
  readonly isCluster: boolean;
  readonly user: string;
  readonly password: string;
  /** Host and port; of a cluster several, with commas. */
  readonly hosts: string;
  /** `/3`, of a server alone; empty when there is none. */
  readonly path: string;
}

/**
 * Reads `redis://user:password@host:port/database`, or `redis-cluster://user:password@host:port,host:port`; with `rediss` for TLS.
 *
 * @throws {TypeError} when it is none; the message does not show it
 */
export function parseRedisUrl(url: string): RedisUrl {
  // The client would take it for options of its own, which go before ours; other clients have other ones.
  if (/^rediss?(-cluster)?:\/\/[^?#]+\?[^@]*$/.test(url))
    throw new TypeError('redis: expected a URL without options behind a ?, which are those of other clients');
  const [, scheme, cluster, account, secret, hosts, path = ''] =
    /^(rediss?)(-cluster)?:\/\/(?:([^:@/?#]*):?([^@/?#]*)@)?([^@/?#\s]+)(\/\d*)?$/.exec(url) ?? [];
  const isHost = (host: string): boolean => URL.canParse(`redis://${host}`) && new URL(`redis://${host}`).hostname !== '';
  const isCluster = cluster !== undefined;
  const [user, password] = [account, secret].map(decoded);
  if (
    scheme === undefined ||
    user === undefined ||
    password === undefined ||
    !hosts ||
    !(isCluster ? hosts.split(',') : [hosts]).every(isHost) ||
    (isCluster && /\d/.test(path))
  )
    throw new TypeError(
      `redis: expected a URL like redis://user:password@host:6379/0 or redis-cluster://host:6379,host:6379, ${PASSWORD_SIGNS}`,
    );
  return { scheme: `${scheme}${cluster ?? ''}`, isCluster, user, password, hosts, path: path.length > 1 ? path : '' };
}

/** Nothing when it has a % that begins no byte. */
function decoded(text = ''): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
