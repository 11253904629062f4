import type { Reject } from '../event.ts';
import type { CommandStore } from '../stores/command-store.ts';
import { checkStore } from './check-store.ts';
import { rejectRow } from './reject-row.ts';
import type { Sink } from './sink.ts';

export interface RejectsIntoRedisOptions {
  /** The sink's name in the pipeline; part of the key of its positions, and of its rejects. @default 'rejects' */
  readonly name?: string;
}

/** Stores each reject under a key of its own, with its reason and its bytes, and the positions by the same call. Storing one again changes nothing. */
export function rejectsIntoRedis(store: CommandStore, { name = 'rejects' }: RejectsIntoRedisOptions = {}): Sink<Reject> {
  return {
    name,
    describe: `rejects in ${store.describe}`,
    check: () => checkStore(store),
    async open({ pipeline, report }) {
      const owner = { pipeline, sink: name };
      const open = await store.open({ report });
      return {
        acquire: (shard) => open.acquire(owner, shard),
        positions: (shards) => open.positions(owner, shards),
        async commit({ items, positions }, refused) {
          refused.length = 0;
          const rejects = items.map(({ event, why }) => rejectRow(event, why));
          await open.execute(owner, { events: [], commands: [], rejects, positions });
        },
        close: () => open.close(),
      };
    },
  };
}
