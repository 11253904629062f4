import type { Redis } from 'ioredis';

/** Hears what a server says before it closes a connection, as that it has too many, which its client keeps to itself. */
export function overhear(redis: Redis, hear: (refusal: Error) => void): void {
  const hello = redis.hello.bind(redis) as (...args: unknown[]) => Promise<unknown>;
  const heard = async (...args: unknown[]): Promise<unknown> => {
    try {
      return await hello(...args);
    } catch (error) {
      const { name, message } = error as Error;
      // Not the client's own words for a connection that was closed; and with a server that does not know its greeting it goes on.
      if (name === 'ReplyError' && !GOES_ON.test(message)) hear(error as Error);
      throw error;
    }
  };
  redis.hello = heard as Redis['hello'];
}

/** A server, or a proxy, that speaks an older protocol only. */
const GOES_ON = /^NOPROTO|unknown command/i;
