import type { Reject } from '../event.ts';
import type { Database } from '../stores/database.ts';
import { checkStore, standsIn } from './ask-store.ts';
import { rejectRow } from './reject-row.ts';
import type { Sink } from './sink.ts';

export interface RejectsIntoDatabaseOptions {
  /** The sink's name in the pipeline; part of the key of its positions. @default 'rejects' */
  readonly name?: string;
}

/** Stores rejects in the database's own table of them, with the positions in one transaction. Storing one again changes nothing. */
export function rejectsIntoDatabase(database: Database, { name = 'rejects' }: RejectsIntoDatabaseOptions = {}): Sink<Reject> {
  return {
    name,
    keepsNothing: true,
    describe: `rejects in ${database.describe}`,
    check: () => checkStore(database),
    ...standsIn(database, name),
    async open({ pipeline, report }) {
      const owner = { pipeline, sink: name };
      const store = await database.open({ report });
      return {
        acquire: (shard) => store.acquire(owner, shard),
        positions: (shards) => store.positions(owner, shards),
        async commit({ items, positions }, refused) {
          refused.length = 0;
          await store.commit(owner, { rejects: items.map(({ event, why }) => rejectRow(event, why)), positions });
        },
        close: () => store.close(),
      };
    },
  };
}
