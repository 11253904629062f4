import type { OpenReads, Read } from '../../operators/lookup-source.ts';
import type { RedisClient } from './client.ts';

/** Reads of a Redis server, each call of them one pipeline. */
export class RedisReads implements OpenReads {
  readonly #client: RedisClient;

  constructor(client: RedisClient) {
    this.#client = client;
  }

  read(reads: readonly Read<unknown>[], done: (answers: readonly unknown[], failure?: unknown) => void): void {
    this.#client.readAll(reads.map(({ name, key, args }) => [name, key, ...args])).then(
      (answers) => done(answers),
      (failure: unknown) => done([], failure),
    );
  }

  close(): void {
    this.#client.close();
  }
}
