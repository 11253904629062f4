import { setTimeout as sleep } from 'node:timers/promises';
import { RECORD_OVERHEAD_BYTES } from '../src/ledger.ts';
import type { SourceRecord } from '../src/records.ts';
import { readShards } from '../src/sources/shards/read-shards.ts';
import { reserveRoom } from '../src/sources/delivery/reserve-room.ts';
import type { Source } from '../src/index.ts';
import { readingDeliveries } from '../src/sources/source.ts';

export interface PacedOptions {
  readonly lines: readonly Uint8Array[];
  readonly perSecond: number;
  /** Of all lines. @default when each comes */
  readonly arrivedAtMs?: number;
}

export interface PacedSource extends Source<Uint8Array> {
  /** When a line was due, by `performance.now()`, be it that it came later. */
  dueMs(index: number): number;
}

/**
 * A source that has a line due every so often, whatever becomes of those before: one that is late was due all the same. A line arrives with
 * the next millisecond at which the process looks.
 */
export function paced({ lines, perSecond, arrivedAtMs }: PacedOptions): PacedSource {
  const shard = 'shard-1';
  let startedAtMs = 0;
  return {
    name: 'paced',
    describe: `${perSecond} lines a second`,
    check: async () => shard,
    dueMs: (index) => startedAtMs + (index / perSecond) * 1000,
    ...readingDeliveries((context) =>
      readShards(context, {
        list: async () => [{ id: shard, parents: [] }],
        async readShard({ ledger, signal, emit }) {
          startedAtMs = performance.now();
          for (let next = 0; next < lines.length && !signal.aborted;) {
            await sleep(1);
            const end = Math.min(lines.length, Math.floor(((performance.now() - startedAtMs) / 1000) * perSecond) + 1);
            const records: SourceRecord[] = [];
            const nowMs = arrivedAtMs ?? Date.now();
            let bytes = 0;
            for (; next < end; next++) {
              const data = lines[next]!;
              records.push({ position: { shard, sequence: String(next + 1), subSequence: 0 }, arrivedAtMs: nowMs, data });
              bytes += data.length + RECORD_OVERHEAD_BYTES;
            }
            if (records.length > 0 && (await reserveRoom(ledger, bytes, signal, shard))) emit(records, bytes);
          }
          return [];
        },
      }),
    ),
  };
}
