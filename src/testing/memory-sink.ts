import { FencedError } from '../errors.ts';
import type { Item } from '../event.ts';
import type { Resume } from '../position.ts';
import type { Batch, OpenSink, Sink } from '../sinks/sink.ts';

/** A store in memory that several runs may open, one after the other or at once. */
export interface MemorySink<T extends Item> extends Sink<T> {
  /** All that is stored, in the order of its commits. */
  readonly stored: T[];
  /** By shard, where the sink stands. */
  readonly positions: Map<string, Resume>;
  /** Called before each commit with what it is to store; what it throws (or waits for) happens to the commit. */
  beforeCommit: (batch: Batch<T>) => void | Promise<void>;
  /** Called when a commit has taken place: what it throws makes its outcome unknown to the run. */
  afterCommit: (batch: Batch<T>) => void | Promise<void>;
}

/** A sink that keeps items in memory, exactly once, with positions and epochs as a real store has them: for tests of pipelines. */
export function memorySink<T extends Item>(name = 'memory'): MemorySink<T> {
  const epochs = new Map<string, number>();
  const sink: MemorySink<T> = {
    name,
    describe: `${name}: in memory`,
    stored: [],
    positions: new Map(),
    stands: async () =>
      [...new Set([...epochs.keys(), ...sink.positions.keys()])].map((shard) => ({
        shard,
        epoch: epochs.get(shard) ?? 0,
        resume: sink.positions.get(shard),
      })),
    beforeCommit: () => {},
    afterCommit: () => {},
    open: async () => opened(sink, epochs),
  };
  return sink;
}

function opened<T extends Item>(sink: MemorySink<T>, epochs: Map<string, number>): OpenSink<T> {
  const own = new Map<string, number>();
  const guard = (shards: Iterable<string>): void => {
    for (const shard of shards) {
      const epoch = own.get(shard);
      if (epoch === undefined || epoch !== epochs.get(shard)) throw new FencedError(sink.name, shard, epoch ?? 0);
    }
  };
  return {
    async acquire(shard) {
      const epoch = (epochs.get(shard) ?? 0) + 1;
      epochs.set(shard, epoch);
      own.set(shard, epoch);
      return sink.positions.get(shard);
    },
    async positions(shards) {
      const asked = [...shards];
      guard(asked);
      return new Map(
        asked.flatMap((shard) => {
          const at = sink.positions.get(shard);
          return at ? [[shard, at] as const] : [];
        }),
      );
    },
    async commit(batch) {
      await sink.beforeCommit(batch);
      guard(batch.positions.keys());
      sink.stored.push(...batch.items);
      for (const [shard, at] of batch.positions) sink.positions.set(shard, at);
      await sink.afterCommit(batch);
    },
    async close() {},
  };
}
