import type { _Record } from '@aws-sdk/client-kinesis';
import { type Position, type Resume, comparePositions, isPosition } from '../../event.ts';
import type { SourceRecord } from '../emit-delivery.ts';
import type { ShardReading } from '../read-shards.ts';

/** What a shard answered, by whichever call. */
export interface Answered {
  readonly records: readonly _Record[];
  /** What was reserved for it; given back here. */
  readonly reservedBytes: number;
}

/**
 * Emits what a shard answered, without the records at its beginning that lie at or before where we stand.
 *
 * Resolves with where we stand then; with nothing when the signal ended it before all was emitted: the rest is left unread.
 */
export async function deliver(
  { shard, emit }: ShardReading,
  from: Resume,
  { records, reservedBytes }: Answered,
): Promise<Resume | undefined> {
  const behind = recordsBehind(from, shard.id, records);
  emit(behind, reservedBytes);
  return behind.at(-1)?.position ?? from;
}

function recordsBehind(from: Resume, shard: string, records: readonly _Record[]): SourceRecord[] {
  const behind: SourceRecord[] = [];
  for (const { SequenceNumber, ApproximateArrivalTimestamp, Data } of records) {
    const position: Position = { shard, sequence: SequenceNumber!, subSequence: 0 };
    if (behind.length === 0 && isPosition(from) && comparePositions(position, from) <= 0) continue;
    behind.push({ position, arrivedAtMs: ApproximateArrivalTimestamp!.getTime(), data: Data! });
  }
  return behind;
}
