import { RECORD_OVERHEAD_BYTES } from '../../ledger.ts';
import { pause } from '../pause.ts';
import type { ShardReading } from '../read-shards.ts';
import { reserveRoom } from '../reserve-room.ts';
import type { Shard } from '../shard-set.ts';
import { BackOff } from './back-off.ts';
import type { Answer, Calls } from './calls.ts';
import { deliver } from './deliver.ts';
import { isExpiredIterator, isNotYet } from './failure.ts';
import { Pace } from './pace.ts';
import type { Unpacking } from './unpack.ts';

/** The most that one GetRecords answers. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html */
const MAX_ANSWER_BYTES = 10 * 1024 * 1024;

export interface ShardPolling {
  readonly calls: Calls;
  readonly maxRecords: number;
  readonly pollEveryMs: number;
  /** How packed records are taken apart; nothing when they are left as they are. */
  readonly unpacking: Unpacking | undefined;
  /** For a person: `kinesis shop`. */
  readonly name: string;
}

/**
 * Reads one shard by GetRecords, until its end or the signal. Resolves with its children once it has ended.
 *
 * @throws {Error} when a call fails in a way that repeating will not mend
 */
export async function readShard(reading: ShardReading, polling: ShardPolling): Promise<readonly Shard[] | undefined> {
  const { ledger, scheduler, report, signal } = reading;
  const { calls, maxRecords, pollEveryMs, unpacking, name } = polling;
  const shard = reading.shard.id;
  const reservedBytes = MAX_ANSWER_BYTES + maxRecords * RECORD_OVERHEAD_BYTES;
  const pace = new Pace();
  const backOff = new BackOff(reading, `${name} ${shard}`, shard, signal);
  let from = reading.resume;
  let iterator: string | undefined;

  for (;;) {
    await pause(scheduler, pace.waitMs(scheduler.now()), signal);
    if (signal.aborted) return undefined;
    const beganAtMs = scheduler.now();
    let answer: Answer;
    let isReserved = false;
    try {
      iterator ??= await calls.iterator(shard, from, signal);
      // An iterator may expire while there is no room; then it is renewed like any other.
      isReserved = await reserveRoom(ledger, reservedBytes, signal);
      if (!isReserved) return undefined;
      pace.begin(scheduler.now());
      answer = await calls.records(iterator, maxRecords, signal);
    } catch (error) {
      if (isReserved) ledger.unreserve(reservedBytes);
      if (isExpiredIterator(error)) iterator = undefined;
      await backOff.after(error, isNotYet(error, from, scheduler.now()) || undefined);
      continue;
    }
    backOff.succeeded();
    if (signal.aborted) {
      ledger.unreserve(reservedBytes);
      return undefined;
    }

    const reached = await deliver(reading, from, { records: answer.records, reservedBytes }, unpacking);
    if (!reached) return undefined;
    from = reached;
    report({ type: 'shard-lag', shard, behindMs: answer.behindMs, readAtMs: scheduler.now() });
    if (answer.nextIterator === undefined) return answer.children;
    iterator = answer.nextIterator;
    if (answer.behindMs === 0 && answer.records.length < maxRecords)
      await pause(scheduler, beganAtMs + pollEveryMs - scheduler.now(), signal);
  }
}
