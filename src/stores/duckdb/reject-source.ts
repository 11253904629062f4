import type { Position } from '../../position.ts';
import type { SourceRecord } from '../../records.ts';
import type { OpenRejects, RejectsOf } from '../reject-source.ts';
import type { DuckdbThread } from './thread.ts';

/** Reads a file's table of rejects, in the thread that has the file. */
export class DuckdbRejects implements OpenRejects {
  readonly #thread: DuckdbThread;
  readonly #store: number;

  constructor(thread: DuckdbThread, store: number) {
    this.#thread = thread;
    this.#store = store;
  }

  async shards(of: RejectsOf): Promise<ReadonlyMap<string, number>> {
    return (await this.#thread.call({ method: 'rejectedShards', store: this.#store, args: [of] })) as ReadonlyMap<string, number>;
  }

  async records(of: RejectsOf, shard: string, after: Position | undefined, limit: number): Promise<readonly SourceRecord[]> {
    const args: [RejectsOf, string, Position | undefined, number] = [of, shard, after, limit];
    return (await this.#thread.call({ method: 'rejectedRecords', store: this.#store, args })) as readonly SourceRecord[];
  }

  async close(): Promise<void> {
    try {
      await this.#thread.call({ method: 'close', store: this.#store, args: [] });
    } finally {
      await this.#thread.release();
    }
  }
}
