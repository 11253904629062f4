import { type Observable, defer, finalize } from 'rxjs';
import type { Delivery } from '../../delivery.ts';
import { patiently } from '../waiting/patiently.ts';
import { type ShardReading, readShards } from './read-shards.ts';
import type { SourceContext } from '../source.ts';

export interface RangeReaders<Open, Found> {
  readonly open: () => Promise<Open>;
  /** Looks, once a run, for what there is in the range, by shard; where that takes long, until the signal ends it. */
  readonly find: (open: Open, signal: AbortSignal) => Promise<ReadonlyMap<string, Found>>;
  /** How many shards are read at a time. */
  readonly atOnce: number;
  /** Reads what was found of one shard. Resolves with false when the signal ended it. */
  readonly read: (reading: ShardReading, open: Open, found: Found) => Promise<boolean>;
}

/**
 * Reads what a store holds of a range of time, then completes; what all sources have in common that read a store and no stream. It is opened at the first
 * read, and closed in the end.
 *
 * A shard has no end that is written down: more of it may be stored yet, which is read when the same range is read once more.
 */
export function readRange<Open extends { close(): Promise<void> }, Found>(
  context: SourceContext,
  { open, find, atOnce, read }: RangeReaders<Open, Found>,
): Observable<Delivery> {
  return defer(() => {
    let opening: Promise<Open> | undefined;
    let finding: Promise<ReadonlyMap<string, Found>> | undefined;
    const begin = async (signal: AbortSignal): Promise<ReadonlyMap<string, Found>> => {
      const found = await patiently(context, 'all shards', signal, async () => {
        opening ??= open();
        opening.catch(() => (opening = undefined));
        return find(await opening, signal);
      });
      return found ?? new Map();
    };
    const close = async (): Promise<void> => (await opening?.catch(() => undefined))?.close();
    return readShards(
      { ...context, end: (shard) => settled(context, shard) },
      {
        list: async (signal) => [...(await (finding ??= begin(signal))).keys()].map((id) => ({ id, parents: [] })),
        areAllKnown: true,
        atOnce,
        readShard: async (reading) =>
          (await read(reading, await opening!, (await finding!).get(reading.shard.id)!)) ? [] : undefined,
      },
    ).pipe(finalize(() => void close().catch(() => {})));
  });
}

/** Closes what is open of a shard, without writing down that it has an end. */
export function settled({ ledger }: SourceContext, shard: string): Promise<void> {
  ledger.endShard(shard);
  return ledger.whenSettled(shard);
}
