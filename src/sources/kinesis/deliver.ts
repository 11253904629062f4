import { setImmediate as nextTurn } from 'node:timers/promises';
import type { _Record } from '@aws-sdk/client-kinesis';
import { type Position, type Beginning, comparePositions, isPosition } from '../../position.ts';
import { RECORD_OVERHEAD_BYTES } from '../../ledger.ts';
import { RecordList, type Records, type SourceRecord } from '../../records.ts';
import { freeing } from '../text/own-memory.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import { reserveRoom } from '../delivery/reserve-room.ts';
import { AnsweredRecords } from './answered-records.ts';
import { type Part, Unpacker, type Unpacking, isPacked } from './unpack/unpack.ts';

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
  const body = bodyOf(records);
  const freeBody = freeing(body, 1);
  const first = firstBehind(from, shard.id, records, unpacking !== undefined);
  if (first !== undefined) {
    emit(wholeRecords(shard.id, records.slice(first), body, freeBody), reservedBytes);
    return behindAll(from, shard.id, records);
  }

  // Each parcel, and the loop.
  let users = 1;
  const letGo = (): void => {
    if (--users === 0) freeBody();
  };
  let parcel: SourceRecord[] = [];
  let sizeBytes = 0;
  let roomBytes = reservedBytes;
  let turnAtMs = performance.now();
  for (const record of unpackedBehind(from, shard.id, records, new Unpacker(shard, unpacking!))) {
    const bytes = record.data.length + RECORD_OVERHEAD_BYTES;
    if (sizeBytes + bytes > roomBytes && parcel.length > 0) {
      users++;
      emit(listOf(parcel, letGo), roomBytes);
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
  if (parcel.length > 0) users++;
  emit(listOf(parcel, letGo), roomBytes);
  letGo();
  return behindAll(from, shard.id, records);
}

/** @param free gives the memory of all back */
function listOf(records: readonly SourceRecord[], free: () => void): RecordList | [] {
  return records.length === 0 ? [] : new RecordList(records, free);
}

/** What the data of all records lies in, where those are views of one answer's bytes. */
function bodyOf(records: readonly _Record[]): Uint8Array {
  return records.find(({ Data }) => Data!.length > 0)?.Data ?? new Uint8Array();
}

function behindAll(from: Beginning, shard: string, records: readonly _Record[]): Beginning {
  const sequence = records.at(-1)?.SequenceNumber;
  if (sequence === undefined) return from;
  const position: Position = { shard, sequence, subSequence: 0 };
  const isOlder = isPosition(from) && from.sequence !== sequence && comparePositions(position, from) < 0;
  return isOlder ? from : position;
}

/** The number of the first record that lies behind; nothing when one of them is to be taken apart. */
function firstBehind(from: Beginning, shard: string, records: readonly _Record[], isUnpacking: boolean): number | undefined {
  let first = 0;
  for (const [i, { SequenceNumber, Data }] of records.entries()) {
    const position: Position = { shard, sequence: SequenceNumber!, subSequence: 0 };
    if (isPacked(Data!)) {
      if (isUnpacking) return undefined;
      if (isPosition(from) && from.sequence === position.sequence && from.subSequence > 0)
        throw new Error(
          `${standsInside(from)}, which is not to be taken apart any more. Read it with unpack on until it is behind`,
        );
    }
    if (first === i && isPosition(from) && comparePositions(position, from) <= 0) first++;
  }
  return first;
}

/** @param free gives the memory of the body back */
function wholeRecords(shard: string, records: readonly _Record[], { buffer }: Uint8Array, free: () => void): Records | [] {
  if (records.length === 0) return [];
  const isOneBody = records.every(({ Data }) => Data!.length === 0 || Data!.buffer === buffer);
  if (!isOneBody) return new RecordList(records.map((record) => sourceRecord(shard, record)));
  const answered = new AnsweredRecords(shard, buffer, free);
  for (const record of records) answered.add(record.Data!, record.SequenceNumber!, arrivedAtMsOf(record));
  return answered;
}

function sourceRecord(shard: string, record: _Record): SourceRecord {
  const position = { shard, sequence: record.SequenceNumber!, subSequence: 0 };
  return { position, arrivedAtMs: arrivedAtMsOf(record), data: record.Data! };
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
