import { type Reject, isSameRecord, lastByShard } from '../event.ts';
import type { CommandStore } from '../stores/command-store.ts';
import { MAX_CALL_BYTES, MAX_CALL_EVENTS } from './call-limits.ts';
import { checkStore, standsIn } from './ask-store.ts';
import { rejectRow } from './reject-row.ts';
import type { Batch, Sink } from './sink.ts';

export interface RejectsIntoRedisOptions {
  /** The sink's name in the pipeline; part of the key of its positions, and of its rejects. @default 'rejects' */
  readonly name?: string;
}

/** Stores each reject under a key of its own, with its reason and its bytes, and the positions by the same call; a batch of many is several calls. Storing one again changes nothing. */
export function rejectsIntoRedis(store: CommandStore, { name = 'rejects' }: RejectsIntoRedisOptions = {}): Sink<Reject> {
  return {
    name,
    keepsNothing: true,
    describe: `rejects in ${store.describe}`,
    check: () => checkStore(store),
    ...standsIn(store, name),
    async open({ pipeline, report }) {
      const owner = { pipeline, sink: name };
      const open = await store.open({ report });
      return {
        acquire: (shard) => open.acquire(owner, shard),
        positions: (shards) => open.positions(owner, shards),
        async commit(batch, refused) {
          refused.length = 0;
          for (const call of callsOf(batch)) {
            const rejects = call.items.map(({ event, why }) => rejectRow(event, why));
            await open.execute(owner, { events: [], commands: [], rejects, positions: call.positions });
          }
        },
        close: () => open.close(),
      };
    },
  };
}

/** Cuts a batch into calls; positions of shards without rejects go with the last one. */
function* callsOf({ items, positions }: Batch<Reject>): Generator<Batch<Reject>, void> {
  let from = 0;
  let sizeBytes = 0;
  for (let at = 0; at < items.length; at++) {
    const isFull = at - from >= MAX_CALL_EVENTS || sizeBytes >= MAX_CALL_BYTES;
    if (isFull && !isSameRecord(items[at - 1]!, items[at]!)) {
      const its = items.slice(from, at);
      yield { items: its, positions: lastByShard(its) };
      from = at;
      sizeBytes = 0;
    }
    sizeBytes += items[at]!.sizeBytes;
  }
  yield { items: items.slice(from), positions };
}
