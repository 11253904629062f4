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

  shards(of: RejectsOf): Promise<ReadonlyMap<string, number>> {
    return this.#thread.ask(this.#store, 'rejectedShards', of);
  }

  records(of: RejectsOf, shard: string, after: Position | undefined, limit: number): Promise<readonly SourceRecord[]> {
    return this.#thread.ask(this.#store, 'rejectedRecords', of, shard, after, limit);
  }

  close(): Promise<void> {
    return this.#thread.close(this.#store);
  }
}
