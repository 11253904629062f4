import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { parseRedisUrl } from './url.ts';

/** Where a server listens. */
export interface Node {
  readonly host: string;
  readonly port: number;
  /** Where it speaks TLS. */
  readonly tls?: ConnectionOptions;
}

/** Which servers a URL of ours names: the one, or some of a cluster's. */
export interface Address {
  /** Host and port, as messages name them. */
  readonly where: string;
  readonly nodes: readonly Node[];
  readonly isCluster: boolean;
  readonly isTls: boolean;
  readonly account: { readonly username?: string; readonly password?: string };
}

export function addressOf(url: string): Address {
  const { scheme, user, password, hosts, isCluster } = parseRedisUrl(url);
  const isTls = scheme.startsWith('rediss');
  const nodes = hosts.split(',').map((host) => {
    const { hostname, port } = new URL(`redis://${host}`);
    // A URL has an IPv6 address in brackets, which no resolver knows.
    return nodeAt(hostname.replace(/^\[|\]$/g, ''), Number(port || 6379), isTls);
  });
  const account = { ...(user && { username: user }), ...(password && { password }) };
  return { where: `${isCluster ? 'redis-cluster' : 'redis'} ${hosts}`, nodes, isCluster, isTls, account };
}

/** A node of a cluster that others have named: `host:port`. */
export function nodeOf(key: string, isTls: boolean): Node {
  const at = key.lastIndexOf(':');
  return nodeAt(key.slice(0, at), Number(key.slice(at + 1)), isTls);
}

/** Many servers behind one address tell by the name that is asked for which of them is meant, or which certificate to show; the client says none by itself. */
function nodeAt(host: string, port: number, isTls: boolean): Node {
  return { host, port, ...(isTls && { tls: isIP(host) ? {} : { servername: host } }) };
}
