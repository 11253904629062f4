import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { type Beginning, comparePositions, isPosition } from '../../../position.ts';
import { RECORD_OVERHEAD_BYTES } from '../../../ledger.ts';
import { isOutOfReach } from '../../../fault.ts';
import { pause } from '../../waiting/pause.ts';
import type { ShardReading } from '../../shards/read-shards.ts';
import { reserveRoom } from '../../delivery/reserve-room.ts';
import type { Shard } from '../../shards/shard-set.ts';
import { KinesisBackOff } from '../back-off.ts';
import type { Calls } from '../calls.ts';
import type { Consumer } from './consumer.ts';
import { deliver } from '../deliver.ts';
import { foreignAnswer, isBrokenSubscription, isInvalidArgument, isNotFound, isNotYet } from '../failure.ts';
import { Horizon, beginningBehind } from '../retention.ts';
import { sequenceTimeMs } from '../sequence-time.ts';
import { SubscribePace } from './subscribe-pace.ts';
import type { Unpacking } from '../unpack/unpack.ts';
import { type ShardEvent, type SubscriptionOptions, subscription } from './subscription.ts';

/** How often in a row an active consumer may be told that there is no such thing before that is believed: new ones take a moment. */
const MAX_NOT_FOUND = 5;

export interface ShardFanOut {
  readonly client: KinesisClient;
  readonly calls: Calls;
  readonly consumer: Consumer;
  /** The most records of one delivery. */
  readonly maxRecords: number;
  /** How packed records are taken apart; nothing when they are left as they are. */
  readonly unpacking: Unpacking | undefined;
  /** Whether events are read here, not by the SDK. */
  readonly isLean: boolean;
  /** For a person: `kinesis shop`. */
  readonly name: string;
}

/**
 * Reads one shard by SubscribeToShard, one subscription after the other, until its end or the signal. Resolves with its
 * children once it has ended. Holds at most one event.
 *
 * @throws {Error} when a subscription fails in a way that repeating will not mend
 */
export async function subscribeShard(reading: ShardReading, fanOut: ShardFanOut): Promise<readonly Shard[] | undefined> {
  const { ledger, scheduler, report, signal } = reading;
  const { client, consumer, isLean, name } = fanOut;
  const shard = reading.shard.id;
  const backOff = new KinesisBackOff(reading, `${name} ${shard}`, shard, signal);
  const pace = new SubscribePace();
  const horizon = new Horizon(reading, fanOut);
  let from = reading.resume;
  let continuation: string | undefined;
  let notFound = 0;
  let reachedMs: number | undefined;

  for (;;) {
    await pause(scheduler, pace.waitMs(scheduler.now()), signal);
    if (signal.aborted) return undefined;
    try {
      from = await beginningBehind(reading, from, fanOut);
    } catch (error) {
      await backOff.after(error);
      continue;
    }
    const consumerArn = await consumer.activeArn(signal);
    if (signal.aborted || consumerArn === undefined) return undefined;
    const at = whereToGoOn(from, continuation);
    let isOpen = false;
    // How long it has not read from this subscription: so old an event may be that says there is nothing more.
    let lateMs = 0;
    pace.begin(scheduler.now());
    const events = subscription(reading, {
      client,
      consumerArn,
      at,
      isLean,
      opened() {
        isOpen = true;
        pace.opened(scheduler.now());
      },
    });
    try {
      for (;;) {
        const next = await events.next().catch((error: unknown) => ({ error }));
        if ('error' in next) {
          const { error } = next;
          // Somebody has deregistered the consumer: then it is registered again.
          if (isNotFound(error)) consumer.forget(consumerArn);
          const isRefused = at !== from && isInvalidArgument(error);
          if (isRefused) continuation = undefined;
          const passes =
            isRefused ||
            (isNotFound(error) && ++notFound < MAX_NOT_FOUND) ||
            (isOpen && isBrokenSubscription(error)) ||
            isOutOfReach(error) ||
            isNotYet(error, from, scheduler.now());
          await backOff.after(error, passes || undefined);
          break;
        }
        // Its 5 minutes are over: on with the next one.
        if (next.done) break;
        const event = next.value;
        const readAtMs = scheduler.now();
        try {
          if (event.records.length > 0) await horizon.behind(from, reachedMs);
        } catch (error) {
          ledger.room.unreserve(event.reservedBytes);
          await backOff.after(error);
          break;
        }
        const foreign = foreignAnswer(from, event.records[0]?.SequenceNumber, `${name} ${shard}`);
        if (signal.aborted || foreign) ledger.room.unreserve(event.reservedBytes);
        if (signal.aborted) return undefined;
        if (foreign) throw foreign;
        lateMs += event.waitedMs;
        backOff.succeeded();
        notFound = 0;
        const reached = await deliverInParts(reading, from, event, fanOut);
        if (!reached) return undefined;
        from = reached;
        continuation = event.continuation;
        reachedMs = readAtMs - lateMs - event.behindMs;
        if (event.behindMs === 0) ledger.caughtUp(shard, readAtMs - lateMs);
        report({ type: 'shard-lag', shard, behindMs: event.behindMs, readAtMs });
        if (event.children.length > 0) return event.children;
        lateMs += scheduler.now() - readAtMs;
      }
    } finally {
      await events.return();
    }
  }
}

/**
 * Where the next subscription begins. What was emitted last is the truth; a continuation ahead of it saves the way through what has
 * no records. Whether it names the last record that was looked at or the first that was not is nowhere said, so it is read
 * too, and `deliver` leaves out what is known. Of a time it is ahead when the one in it is: otherwise it might bring older records.
 */
function whereToGoOn(from: Beginning, continuation: string | undefined): SubscriptionOptions['at'] {
  if (continuation === undefined) return from;
  if (from instanceof Date && (sequenceTimeMs(continuation) ?? 0) < from.getTime()) return from;
  if (isPosition(from) && comparePositions({ ...from, sequence: continuation, subSequence: 0 }, from) <= 0) return from;
  return { atSequence: continuation };
}

/** Delivers an event, in several deliveries when it has more records than one may have. Resolves with nothing when the signal ended it. */
async function deliverInParts(
  reading: ShardReading,
  from: Beginning,
  { records, reservedBytes }: ShardEvent,
  { maxRecords, unpacking }: ShardFanOut,
): Promise<Beginning | undefined> {
  const { shard, ledger, signal } = reading;
  if (records.length <= maxRecords) return deliver(reading, from, { records, reservedBytes }, unpacking);
  let reached = await deliver(reading, from, { records: records.slice(0, maxRecords), reservedBytes }, unpacking);
  for (let i = maxRecords; reached && i < records.length; i += maxRecords) {
    const part = records.slice(i, i + maxRecords);
    const bytes = part.reduce((sum, { Data }) => sum + Data!.length + RECORD_OVERHEAD_BYTES, 0);
    if (!(await reserveRoom(ledger, bytes, signal, shard.id))) return undefined;
    reached = await deliver(reading, reached, { records: part, reservedBytes: bytes }, unpacking);
  }
  return reached;
}
