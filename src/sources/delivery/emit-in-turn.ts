import { setImmediate as nextTurn } from 'node:timers/promises';
import { RECORD_OVERHEAD_BYTES } from '../../ledger.ts';
import type { Records } from '../../records.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import { reserveRoom } from './reserve-room.ts';

/**
 * Emits records as one delivery, once there is room for them. Each has a turn of the event loop of its own, so that sinks get to work in
 * between. Resolves with false when the signal ended the wait.
 */
export async function emitInTurn({ ledger, signal, shard, emit }: ShardReading, records: Records): Promise<boolean> {
  const bytes = records.sizeBytes + records.count * RECORD_OVERHEAD_BYTES;
  await nextTurn();
  if (!(await reserveRoom(ledger, bytes, signal, shard.id))) return false;
  emit(records, bytes);
  return true;
}
