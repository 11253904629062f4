import type { Redis } from 'ioredis';

/**
 * Ends each connection that has failed. Over TLS, bytes that cannot be read are an error of a stream that stays open; the client listens for one error, and
 * for the next, as its own of a server that is silent, nobody would: that ends the process.
 */
export function endOnError(redis: Redis): void {
  redis.on('connect', () => {
    const { stream } = redis;
    stream.on('error', () => stream.destroy());
  });
}
