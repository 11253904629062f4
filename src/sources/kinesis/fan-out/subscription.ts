import {
  type _Record,
  type KinesisClient,
  SubscribeToShardCommand,
  type SubscribeToShardEvent,
  type SubscribeToShardEventStream,
} from '@aws-sdk/client-kinesis';
import type { Beginning } from '../../../position.ts';
import { RECORD_OVERHEAD_BYTES } from '../../../ledger.ts';
import type { ShardReading } from '../../shards/read-shards.ts';
import { reserveRoom } from '../../delivery/reserve-room.ts';
import type { Shard } from '../../shards/shard-set.ts';
import { childrenOf, iteratorAt } from '../calls.ts';
import { eventFrames } from './event-frames.ts';
import { readEvent } from './event-message.ts';
import { orAborted } from '../or-aborted.ts';
import { Silence } from './silence.ts';

/**
 * How long a subscription may be silent. Kinesis sends an event every few seconds, an empty one when there is no record; the
 * Kinesis client library gives up a subscription after 35 seconds too. https://github.com/awslabs/amazon-kinesis-client/issues/463
 */
const SILENT_MS = 35_000;

/** A record's JSON without its data: names, a sequence number of 56 digits, a time, a key. */
const RECORD_JSON_BYTES = 128;

/** An event of a subscription, with what was reserved for it. */
export interface ShardEvent {
  readonly records: readonly _Record[];
  readonly reservedBytes: number;
  /** How long it waited for room. */
  readonly waitedMs: number;
  /** From where a next subscription goes on, without a look at what has no records. */
  readonly continuation: string | undefined;
  readonly behindMs: number;
  /** Shards that this one was split or merged into; none before its end. */
  readonly children: readonly Shard[];
}

export interface SubscriptionOptions {
  readonly client: KinesisClient;
  readonly consumerArn: string;
  /** Where it begins: at a time, at TRIM_HORIZON, after a position; at a sequence number. */
  readonly at: Beginning | { readonly atSequence: string };
  /** Whether events are read here, not by the SDK. */
  readonly isLean: boolean;
  /** Called when the stream has taken the subscription on. */
  readonly opened: () => void;
}

/**
 * Subscribes to a shard once, by SubscribeToShard, and gives its events until the subscription ends, after 5 minutes at most, or the signal is aborted.
 *
 * An event's bytes are read when the next event is asked for and the ledger has room for it, and not before. What is not read
 * stays where flow control leaves it: at most 64 KiB with Node's HTTP/2, as much as the sockets hold with HTTP/1.1.
 *
 * @throws {Error} what the SDK throws, and TimeoutError when nothing comes for 35 seconds
 */
export async function* subscription(
  { shard, ledger, scheduler, signal }: Pick<ShardReading, 'shard' | 'ledger' | 'scheduler' | 'signal'>,
  { client, consumerArn, at, isLean, opened }: SubscriptionOptions,
): AsyncGenerator<ShardEvent, void> {
  const end = new AbortController();
  const stop = (): void => end.abort();
  signal.addEventListener('abort', stop, { once: true });
  let silent: Error | undefined;
  const silence = new Silence(scheduler, SILENT_MS, () => {
    silent = Object.assign(new Error(`SubscribeToShard: nothing came for ${SILENT_MS} ms`), { name: 'TimeoutError' });
    end.abort();
  });
  let reservedBytes = 0;
  let waitedMs = 0;
  let body: Body | undefined;

  const admit = async (sizeBytes: number): Promise<boolean> => {
    // The frame before was no event, as the first one of AWS is: held on to, it would wait for itself to be gone.
    ledger.room.unreserve(reservedBytes);
    reservedBytes = 0;
    // The data is in base64, and a byte of it may be a record of its own.
    const bytes = Math.ceil(sizeBytes * 0.75) + Math.ceil(sizeBytes / RECORD_JSON_BYTES) * RECORD_OVERHEAD_BYTES;
    const sinceMs = scheduler.now();
    const isReserved = await reserveRoom(ledger, bytes, end.signal, shard.id);
    waitedMs += scheduler.now() - sinceMs;
    if (isReserved) reservedBytes = bytes;
    return isReserved;
  };
  const framesOf = (of: Body): AsyncIterable<Uint8Array> => {
    const pieces = of[Symbol.asyncIterator]();
    return eventFrames(async () => {
      silence.begin();
      try {
        const { done, value } = await pieces.next();
        if (!done) return value;
        // Node ends an HTTP/2 stream that was reset, or whose session is lost, as if all had come.
        if (of.rstCode) throw new Error(`HTTP/2 stream reset with code ${of.rstCode}`);
        return undefined;
      } finally {
        silence.end();
      }
    }, admit);
  };

  const command = new SubscribeToShardCommand({
    ConsumerARN: consumerArn,
    ShardId: shard.id,
    StartingPosition: startingPosition(at),
  });
  // The SDK decodes the first event before it gives the answer: room has to be waited for before the bytes reach it, if they do.
  let frames: AsyncIterable<Uint8Array> = none();
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as { statusCode: number; body: unknown };
      if (response.statusCode < 300) {
        silence.end();
        opened();
        body = response.body as Body;
        frames = framesOf(body);
        response.body = isLean ? none() : frames;
      }
      return result;
    },
    // Low: next to the wire, before the SDK's own, which decodes.
    { name: 'readWithinRoom', step: 'deserialize', priority: 'low' },
  );

  try {
    if (signal.aborted) return;
    silence.begin();
    const { EventStream } = await orAborted(client.send(command, { abortSignal: end.signal }), end.signal);
    for await (const event of isLean ? leanEvents(frames) : stockEvents(EventStream!)) {
      const forIt = { reservedBytes, waitedMs };
      [reservedBytes, waitedMs] = [0, 0];
      yield {
        records: event.Records ?? [],
        ...forIt,
        continuation: event.ContinuationSequenceNumber,
        behindMs: event.MillisBehindLatest ?? 0,
        children: childrenOf(event.ChildShards),
      };
    }
    // Node ends an HTTP/2 stream that is given up as if all had come.
    if (silent) throw silent;
  } catch (error) {
    throw silent ?? error;
  } finally {
    silence.end();
    ledger.room.unreserve(reservedBytes);
    signal.removeEventListener('abort', stop);
    end.abort();
    body?.destroy();
  }
}

async function* none(): AsyncGenerator<never> {}

async function* leanEvents(frames: AsyncIterable<Uint8Array>): AsyncGenerator<SubscribeToShardEvent> {
  for await (const frame of frames) {
    const event = readEvent(frame);
    if (event) yield event;
  }
}

async function* stockEvents(stream: AsyncIterable<SubscribeToShardEventStream>): AsyncGenerator<SubscribeToShardEvent> {
  for await (const { SubscribeToShardEvent: event } of stream) if (event) yield event;
}

interface Body extends AsyncIterable<Uint8Array> {
  /** Of HTTP/2: 0 when it ended as it should. */
  readonly rstCode?: number;
  destroy(): void;
}

function startingPosition(at: SubscriptionOptions['at']) {
  if (typeof at === 'object' && 'atSequence' in at) return { Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: at.atSequence } as const;
  const { ShardIteratorType: Type, StartingSequenceNumber: SequenceNumber, Timestamp } = iteratorAt(at);
  return { Type, SequenceNumber, Timestamp };
}
