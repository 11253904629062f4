import { Redis, type RedisOptions } from 'ioredis';
import type { Node } from './address.ts';
import { endOnError } from './end-on-error.ts';
import { overhear } from './overhear.ts';

/** How to talk to one. */
type NodeOptions = Omit<RedisOptions, 'replyMapping'>;

/**
 * Says of each of a cluster's nodes why it cannot be talked to, which the client of a cluster tells of none: it says that a connection is closed.
 */
export async function whyEach(nodes: readonly Node[], options: NodeOptions): Promise<string> {
  const all = await Promise.all(nodes.map(async (node) => `${node.host}:${node.port}: ${await whyNot(node, options)}`));
  return all.join('; ');
}

async function whyNot(node: Node, options: NodeOptions): Promise<string> {
  const redis = new Redis({ ...options, ...node, lazyConnect: true, retryStrategy: () => null });
  let lost: Error | undefined;
  const hear = (why: Error): void => void (lost = why);
  redis.on('error', hear);
  overhear(redis, hear);
  endOnError(redis);
  try {
    await redis.connect();
    const slots = await redis.cluster('SLOTS');
    return slots.length > 0 ? 'answers by now' : 'has no slots, and knows of nobody who has';
  } catch (error) {
    const { message, code } = (lost ?? error) as NodeJS.ErrnoException;
    return message === 'Connection is closed.' ? 'the server has closed it' : message.trimEnd() || String(code);
  } finally {
    redis.disconnect();
  }
}
