import type { OpenReads, Read } from '../../operators/lookup-source.ts';
import type { RedisClient } from './client.ts';

/** Reads of a Redis server, each call of them one pipeline. */
export class RedisReads implements OpenReads {
  readonly #connect: () => Promise<RedisClient>;
  #client: Promise<RedisClient> | undefined;

  /** @param connect makes the client; called once, by the first read */
  constructor(connect: () => Promise<RedisClient>) {
    this.#connect = connect;
  }

  read(reads: readonly Read<unknown>[], done: (answers: readonly unknown[], failure?: unknown) => void): void {
    this.#client ??= this.#connect();
    this.#client
      .then((client) => client.readAll(reads.map(({ name, key, args }) => [name, key, ...args])))
      .then(
        (answers) => done(answers),
        (failure: unknown) => done([], failure),
      );
  }

  close(): void {
    this.#client?.then(
      (client) => client.close(),
      () => {},
    );
  }
}
