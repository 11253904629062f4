import { setImmediate as nextTurn } from 'node:timers/promises';
import type { _Record } from '@aws-sdk/client-kinesis';
import { type Position, type Beginning, comparePositions, isPosition } from '../../position.ts';
import { RECORD_OVERHEAD_BYTES } from '../../ledger.ts';
import type { SourceRecord } from '../../records.ts';
import type { ShardReading } from '../read-shards.ts';
import { reserveRoom } from '../reserve-room.ts';
import { type Part, Unpacker, type Unpacking, isPacked } from './unpack.ts';

/** What is reserved at least for each further delivery of an answer that is taken apart. */
const FURTHER_BYTES = 4 * 1024 * 1024;

/** How long it may keep the event loop from all else: an answer may become hundreds of times what it was. */
const LONGEST_TURN_MS = 50;

/** What a shard answered, by whichever call. */
export interface Answered {
  readonly records: readonly _Record[];
  /** What was reserved for it; given back here. */
  readonly reservedBytes: number;
}

/**
 * Emits what a shard answered, without the records at its beginning that lie at or before where we stand.
 *
 * Records that hold others are taken apart when there is `unpacking`. Their parts have the sub-sequence numbers 1, 2, …; those of nested ones
 * run on. As there may be far more of them than was reserved for, they come in several deliveries, each of which waits for room. Meanwhile
 * it holds the answer and one decompressed batch, which nothing counts.
 *
 * Resolves with where we stand then, with the sub-sequence 0 as of a whole record: its parts need not be read again. Resolves with nothing
 * when the signal ended it before all was emitted: the rest is left unread.
 *
 * @throws {Error} when we stand inside a record that can no longer be taken apart
 */
export async function deliver(
  reading: ShardReading,
  from: Beginning,
  { records, reservedBytes }: Answered,
  unpacking: Unpacking | undefined,
): Promise<Beginning | undefined> {
  const { shard, ledger, signal, emit } = reading;
  const whole = wholeBehind(from, shard.id, records, unpacking !== undefined);
  if (whole) {
    emit(whole, reservedBytes);
    return behindAll(from, shard.id, records);
  }

  let parcel: SourceRecord[] = [];
  let sizeBytes = 0;
  let roomBytes = reservedBytes;
  let turnAtMs = performance.now();
  for (const record of unpackedBehind(from, shard.id, records, new Unpacker(shard, unpacking!))) {
    const bytes = record.data.length + RECORD_OVERHEAD_BYTES;
    if (sizeBytes + bytes > roomBytes && parcel.length > 0) {
      emit(parcel, roomBytes);
      [parcel, sizeBytes, roomBytes] = [[], 0, Math.max(reservedBytes, FURTHER_BYTES)];
      if (!(await reserveRoom(ledger, roomBytes, signal, shard.id))) return undefined;
    }
    parcel.push(record);
    sizeBytes += bytes;
    if (performance.now() - turnAtMs < LONGEST_TURN_MS) continue;
    await nextTurn();
    turnAtMs = performance.now();
    if (!signal.aborted) continue;
    ledger.room.unreserve(roomBytes);
    return undefined;
  }
  emit(parcel, roomBytes);
  return behindAll(from, shard.id, records);
}

function behindAll(from: Beginning, shard: string, records: readonly _Record[]): Beginning {
  const sequence = records.at(-1)?.SequenceNumber;
  if (sequence === undefined) return from;
  const position: Position = { shard, sequence, subSequence: 0 };
  const isOlder = isPosition(from) && from.sequence !== sequence && comparePositions(position, from) < 0;
  return isOlder ? from : position;
}

/** The records as they are; nothing when one of them is to be taken apart. */
function wholeBehind(
  from: Beginning,
  shard: string,
  records: readonly _Record[],
  isUnpacking: boolean,
): SourceRecord[] | undefined {
  const behind: SourceRecord[] = [];
  for (const record of records) {
    const { SequenceNumber, Data } = record;
    const data = Data!;
    const position: Position = { shard, sequence: SequenceNumber!, subSequence: 0 };
    if (isPacked(data)) {
      if (isUnpacking) return undefined;
      if (isPosition(from) && from.sequence === position.sequence && from.subSequence > 0)
        throw new Error(
          `${standsInside(from)}, which is not to be taken apart any more. Read it with unpack on until it is behind`,
        );
    }
    if (behind.length === 0 && isPosition(from) && comparePositions(position, from) <= 0) continue;
    behind.push({ position, arrivedAtMs: arrivedAtMsOf(record), data });
  }
  return behind;
}

function* unpackedBehind(
  from: Beginning,
  shard: string,
  records: readonly _Record[],
  unpacker: Unpacker,
): Generator<SourceRecord> {
  let stand = isPosition(from) ? from : undefined;
  for (const record of records) {
    const { SequenceNumber, Data } = record;
    const position: Position = { shard, sequence: SequenceNumber!, subSequence: 0 };
    const data = Data!;
    // Inside a packed record the parts up to there are done; their number is what a position keeps.
    const done = stand?.sequence === position.sequence && isPacked(data) ? stand.subSequence : 0;
    if (done === 0 && stand && comparePositions(position, stand) <= 0) continue;
    stand = undefined;
    const arrivedAtMs = arrivedAtMsOf(record);
    const unpacked = isPacked(data) ? unpacker.unpack(data) : { data };
    if (!('data' in unpacked)) {
      let subSequence = 0;
      for (const part of unpacked)
        if (++subSequence > done) yield { position: { ...position, subSequence }, arrivedAtMs, ...part };
    } else if (done === 0) yield { position, arrivedAtMs, ...unpacked };
    else throw new Error(changed(position, done, unpacked));
  }
}

/** @throws {Error} when none is told: AWS's model allows that, and windows would know nothing of the record */
function arrivedAtMsOf({ SequenceNumber, ApproximateArrivalTimestamp }: _Record): number {
  const ms = ApproximateArrivalTimestamp?.getTime() ?? Number.NaN;
  if (Number.isNaN(ms)) throw new Error(`kinesis: expected the time at which record ${SequenceNumber} arrived, got none`);
  return ms;
}

function changed(position: Position, done: number, { fate }: Part): string {
  const why = typeof fate === 'object' ? fate.reason : fate;
  return `${standsInside({ ...position, subSequence: done })}, which can no longer be taken apart: ${why}. Set maxUnpackedBytes as it was`;
}

function standsInside({ shard, sequence, subSequence }: Position): string {
  return `kinesis: ${shard} stands behind part ${subSequence} of record ${sequence}`;
}
