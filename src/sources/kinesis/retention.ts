import type { _Record } from '@aws-sdk/client-kinesis';
import { type Beginning, type Position, type Resume, compareSequences, isPosition } from '../../position.ts';
import { type Gap, passGap } from '../shards/gap.ts';
import { pause } from '../waiting/pause.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import type { Calls } from './calls.ts';
import { CLOCKS_DIFFER_MS, foreignPosition } from './failure.ts';
import { sequenceTimeMs } from './sequence-time.ts';

/** A stream keeps its records for a day at least. https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html */
const LEAST_RETENTION_MS = 24 * 3_600_000;

/** How often an empty answer is asked again for what is kept: AWS may answer so though there are records. */
const MAX_CALLS = 5;
/** AWS allows 5 GetRecords calls a second a shard. */
const CALL_EVERY_MS = 200;

/**
 * Finds out where reading behind a position can begin: there, or with the oldest record when the record of that position is kept
 * no more. AWS then answers with what is kept, or for long with nothing, and says no word about it.
 *
 * What came between may be lost, and nobody can know whether anything did: sequence numbers have holes. So everything counts as
 * lost that may have come since the last time of which it is known that all before was read, and is past retention: the time in
 * the sequence number, or a later one at which the shard had nothing more to read. When there is no such stretch, the shard was
 * quiet, and nothing is told. Records that left before retention was raised, or while it was shortened, are found missing too, but not
 * until how far; nor is a position looked for that is younger than the least retention of a day.
 *
 * @throws {Error} when what is kept begins before the position, so that it is none of this stream
 * @throws {GapError} when something may be lost and the run was not told to go on without it
 */
export async function beginningBehind(
  reading: ShardReading,
  from: Beginning,
  { calls, name }: { readonly calls: Calls; readonly name: string },
): Promise<Beginning> {
  if (!isPosition(from)) return from;
  const { shard, ledger, scheduler, signal } = reading;
  const putAtMs = sequenceTimeMs(from.sequence);
  const nowMs = scheduler.now();
  if (putAtMs !== undefined && putAtMs > nowMs - LEAST_RETENTION_MS + CLOCKS_DIFFER_MS) return from;
  const at = await firstRecord(reading, { ...from, subSequence: 1 }, calls);
  if (signal.aborted || at.record?.SequenceNumber === from.sequence) return from;

  const { record: oldest } = await firstRecord(reading, 'TRIM_HORIZON', calls);
  // Nothing is missing where older records are kept, and what comes behind them only takes its time.
  if (at.mayFollow && oldest && compareSequences(from.sequence, oldest.SequenceNumber!) >= 0) return from;
  for (const record of [at.record, oldest])
    if (record && compareSequences(record.SequenceNumber!, from.sequence) < 0)
      throw foreignPosition(
        `${name} ${shard.id}`,
        `keeps ${record.SequenceNumber}, but not the later ${from.sequence} of the pipeline`,
      );
  const retentionMs = await calls.retentionMs(signal);
  const isGone = !at.mayFollow || oldest !== undefined;
  const horizonMs = keptSince(nowMs, retentionMs, isGone ? putAtMs : undefined);
  const readToMs = Math.max(readTo(from) ?? 0, ledger.caughtUpAtMs(shard.id) ?? 0) || undefined;
  if (signal.aborted) return from;
  // What was kept a moment ago by our clock may be gone by the stream's.
  if (readToMs === undefined || readToMs < horizonMs + CLOCKS_DIFFER_MS) {
    const untilMs = Math.max(oldest?.ApproximateArrivalTimestamp?.getTime() ?? horizonMs, readToMs ?? 0);
    passGap(reading, { shard: shard.id, resume: from, fromMs: readToMs, untilMs });
  }
  // Where nobody knows what is kept, older records may be, unless they are too old. Behind a record that is gone AWS may find nothing for hours, also of
  // what has come since. https://github.com/harlow/kinesis-consumer/issues/125
  const isTooOld = putAtMs !== undefined && putAtMs < nowMs - retentionMs - CLOCKS_DIFFER_MS;
  return isGone || isTooOld ? 'TRIM_HORIZON' : from;
}

/**
 * How often a reader that retention may overtake is looked after. Not at once: one that begins with the oldest record has left it behind by then,
 * unless it is too slow.
 */
const LOOK_EVERY_MS = 30_000;

/**
 * Sees when retention overtakes a reader that is too slow. AWS goes on with what is kept then, within an iterator or a subscription that
 * is good, and says no word about it either.
 */
export class Horizon {
  readonly #reading: ShardReading;
  readonly #source: { readonly calls: Calls; readonly name: string };
  #lookedAtMs: number;

  constructor(reading: ShardReading, source: { readonly calls: Calls; readonly name: string }) {
    this.#reading = reading;
    this.#source = source;
    this.#lookedAtMs = reading.scheduler.now();
  }

  /**
   * Looks whether the record of a position is kept, when what comes behind it is about to be past retention. Says where reading goes on, as
   * `beginningBehind` does, and fails as that does.
   *
   * @param reachedMs up to when the last answer had all there was: over a quiet stretch that is far behind its last record
   */
  async behind(from: Beginning, reachedMs = 0): Promise<Beginning> {
    const { shard, ledger, scheduler, signal } = this.#reading;
    const { calls } = this.#source;
    const nowMs = scheduler.now();
    if (!isPosition(from) || nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return from;
    const putAtMs = sequenceTimeMs(from.sequence);
    if (putAtMs === undefined) return from;
    const readToMs = Math.max(putAtMs, reachedMs, ledger.caughtUpAtMs(shard.id) ?? 0);
    const isNear = (retentionMs: number): boolean => readToMs < nowMs - retentionMs + CLOCKS_DIFFER_MS;
    if (!isNear(LEAST_RETENTION_MS) || !isNear(await calls.retentionMs(signal))) return from;
    const at = await beginningBehind(this.#reading, from, this.#source);
    // Not before: a look that failed has seen nothing, and reading would go on as if it had.
    this.#lookedAtMs = nowMs;
    return at;
  }
}

/** Says what may be lost of a shard that the stream no longer keeps at all. */
export async function gapBehind(shard: string, resume: Resume, calls: Calls, nowMs: number, signal: AbortSignal): Promise<Gap> {
  const fromMs = resume instanceof Date ? resume.getTime() : isPosition(resume) ? readTo(resume) : undefined;
  return { shard, resume, fromMs, untilMs: Math.max(keptSince(nowMs, await calls.retentionMs(signal), fromMs), fromMs ?? 0) };
}

/**
 * From when on all that came is kept. What is gone and should still be there has left before retention was raised, or while it was cut: only the last
 * day is kept for sure then.
 *
 * @param goneMs when something was put that is gone
 */
function keptSince(nowMs: number, retentionMs: number, goneMs: number | undefined): number {
  const wasKeptShorter = goneMs !== undefined && goneMs > nowMs - retentionMs + CLOCKS_DIFFER_MS;
  return nowMs - (wasKeptShorter ? LEAST_RETENTION_MS : retentionMs);
}

/** Until when all is known to have been read that came. */
function readTo({ sequence, quietUntilMs }: Position): number | undefined {
  return quietUntilMs ?? sequenceTimeMs(sequence);
}

/** The first record from a place on, if there is one soon. A position inside an aggregate stands for its whole record. */
async function firstRecord(
  { shard, scheduler, signal }: ShardReading,
  from: Beginning,
  calls: Calls,
): Promise<{ readonly record?: _Record | undefined; readonly mayFollow?: boolean }> {
  let iterator: string | undefined = await calls.iterator(shard.id, from, signal);
  for (let i = 0; i < MAX_CALLS && iterator !== undefined && !signal.aborted; i++) {
    await pause(scheduler, CALL_EVERY_MS, signal);
    const { records, nextIterator, behindMs } = await calls.records(shard.id, iterator, 1, signal);
    if (records[0] || behindMs === 0) return { record: records[0] };
    iterator = nextIterator;
  }
  return { mayFollow: iterator !== undefined };
}
