import { RECORD_OVERHEAD_BYTES } from '../../ledger.ts';
import { pause } from '../waiting/pause.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import { reserveRoom } from '../delivery/reserve-room.ts';
import type { Shard } from '../shards/shard-set.ts';
import { KinesisBackOff } from './back-off.ts';
import type { Answer, Calls } from './calls.ts';
import { deliver } from './deliver.ts';
import { foreignAnswer, isExpiredIterator, isNotYet, isThroughputExceeded } from './failure.ts';
import { Pace } from './pace.ts';
import { Horizon, beginningBehind } from './retention.ts';
import type { Unpacking } from './unpack/unpack.ts';

/** The most that one GetRecords answers. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html */
const MAX_ANSWER_BYTES = 10 * 1024 * 1024;

/** It expires after 5 minutes. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html */
const RENEW_ITERATOR_AFTER_MS = 4 * 60_000;

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
  const horizon = new Horizon(reading, polling);
  const backOff = new KinesisBackOff(reading, `${name} ${shard}`, shard, signal);
  let from = reading.resume;
  let iterator: string | undefined;
  let iteratorAtMs = 0;
  let reachedMs: number | undefined;

  for (;;) {
    await pause(scheduler, pace.waitMs(scheduler.now()), signal);
    if (signal.aborted) return undefined;
    const beganAtMs = scheduler.now();
    let answer: Answer;
    let isReserved = false;
    try {
      isReserved = await reserveRoom(ledger, reservedBytes, signal, shard);
      if (!isReserved) return undefined;
      // The wait for room may have been long. Renewed before the wait, or after a failure, it could expire again and again.
      if (iterator === undefined || scheduler.now() - iteratorAtMs > RENEW_ITERATOR_AFTER_MS) {
        from = await beginningBehind(reading, from, polling);
        iterator = await calls.iterator(shard, from, signal);
        iteratorAtMs = scheduler.now();
      } else from = await horizon.behind(from, reachedMs);
      pace.begin(scheduler.now());
      answer = await calls.records(shard, iterator, maxRecords, signal);
    } catch (error) {
      if (isReserved) ledger.room.unreserve(reservedBytes);
      if (isExpiredIterator(error)) iterator = undefined;
      if (isThroughputExceeded(error)) pace.refused();
      await backOff.after(error, isNotYet(error, from, scheduler.now()) || undefined);
      continue;
    }
    backOff.succeeded();
    const answeredAtMs = scheduler.now();
    const answeredBytes = answer.records.reduce((sum, { Data }) => sum + Data!.length, 0);
    pace.answered(answeredAtMs, answeredBytes);
    if (signal.aborted) {
      ledger.room.unreserve(reservedBytes);
      return undefined;
    }

    const foreign = foreignAnswer(from, answer.records[0]?.SequenceNumber, `${name} ${shard}`);
    if (foreign) {
      ledger.room.unreserve(reservedBytes);
      throw foreign;
    }
    const reached = await deliver(reading, from, { records: answer.records, reservedBytes }, unpacking);
    if (!reached) return undefined;
    from = reached;
    reachedMs = beganAtMs - answer.behindMs;
    if (answer.behindMs === 0) ledger.caughtUp(shard, beganAtMs);
    report({ type: 'shard-lag', shard, behindMs: answer.behindMs, readAtMs: answeredAtMs });
    if (answer.nextIterator === undefined) return answer.children;
    iterator = answer.nextIterator;
    // Delivering may have waited for room since.
    iteratorAtMs = answeredAtMs;
    if (answer.behindMs === 0 && answer.records.length < maxRecords)
      await pause(scheduler, beganAtMs + pollEveryMs - scheduler.now(), signal);
  }
}
