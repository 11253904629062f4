import type { KinesisClient } from '@aws-sdk/client-kinesis';
import type { Duration } from 'date-fns';
import { defer, mergeMap } from 'rxjs';
import { checkCounts } from '../check-counts.ts';
import { durationMs } from '../duration.ts';
import { CONSUMER_NAME } from './kinesis/fan-out/consumer.ts';
import { speakLean } from './kinesis/lean/lean-protocol.ts';
import type { KinesisStream } from './kinesis/stream.ts';
import { type Source, readingDeliveries } from './source.ts';

/** How records come from the stream. */
export type KinesisMode = 'polling' | 'fan-out';

export interface KinesisOptions {
  /** The stream's name or its ARN. */
  readonly stream: string;
  /** Where the Kinesis API is, when it is not AWS's own: `http://127.0.0.1:4567`. */
  readonly endpoint?: string | undefined;
  /** Of a stream given by its ARN that of the ARN, whatever is said here. @default as the AWS SDK finds it: AWS_REGION, the profile */
  readonly region?: string | undefined;
  /**
   * `polling` asks for records, and shares 2 MB/s a shard with all others who ask. `fan-out` has them sent as they arrive, at
   * 2 MB/s a shard for itself, for which AWS charges. https://docs.aws.amazon.com/streams/latest/dev/enhanced-consumers.html
   *
   * @default 'polling'
   */
  readonly mode?: KinesisMode;
  /**
   * With fan-out, the stream's consumer that this is: letters, digits, `_`, `.` and `-`, 128 at most. Registered when it is not
   * there, and left to the next run. Two runs at once need two: they take the shards of one from each other.
   *
   * @default the pipeline's name
   */
  readonly consumer?: string;
  /**
   * With polling, how long after one read of a shard the next begins, once all is read. 5 reads a second a shard are allowed, to all readers together.
   *
   * @default 200
   */
  readonly pollEveryMs?: number;
  /**
   * The most records of one read, or of one delivery with fan-out, 1 to 10,000.
   *
   * @default 10_000
   */
  readonly maxRecords?: number;
  /**
   * Whether records that hold others are taken apart: aggregates of the Kinesis Producer Library, and Snowplow's batches in gzip or zstd. With it,
   * whatever else is in gzip or zstd is a reject (`batch_format`), as CloudWatch Logs sends it.
   *
   * @default true
   */
  readonly unpack?: boolean;
  /**
   * The most that the compressed batches of one record may become together; one that would pass it is a reject.
   *
   * @default 33_554_432 (32 MiB)
   */
  readonly maxUnpackedBytes?: number;
  /**
   * How long a call may take before it is tried again.
   *
   * @default { seconds: 30 }
   */
  readonly requestTimeout?: Duration;
  /**
   * How often the shards are listed anew, on the average, for those that no ended shard named.
   *
   * @default { minutes: 1 }
   */
  readonly listEvery?: Duration;
  /** A client of your own, used instead of `endpoint` and `region`; it is not destroyed. */
  readonly client?: KinesisClient;
  /**
   * How records are asked for and read: in CBOR, as the Java SDK does it, at a fraction of the CPU; or in JSON, as this SDK does it.
   * What fan-out sends is JSON in either, and read at about half the CPU, or by this SDK.
   *
   * @default 'lean'; with a client of your own 'stock', which leaves it as it is
   */
  readonly protocol?: 'lean' | 'stock';
}

/**
 * Reads all shards of a Kinesis stream in this process, by GetRecords or, with `mode: 'fan-out'`, by SubscribeToShard.
 *
 * Each shard is read on from its position; one that was split or merged is read to its end and settled before its children. Reads
 * wait for room in the ledger, and follow each other at once while there is more to read. Throttling, server errors and lost
 * connections are tried again, reported as `source-retry`, until the run takes the shard for stalled; what repeating will not mend is an error of the stream.
 * Holds at most one answer a shard, 10 MiB, or one event with fan-out, and while it takes records apart one batch, `maxUnpackedBytes`.
 *
 * A record that holds others becomes as many events, with sub-sequence numbers from 1. An aggregate that is damaged, a batch that is
 * damaged, of a version other than 1 or too large, is one reject with the bytes as they came (`aggregate_checksum`, `aggregate_format`,
 * `batch_format`, `batch_too_large`). An aggregate of which a record belongs to another shard by its hash key is dropped as a
 * whole, counted as `other-shard`: the producer sends it again, as the Java client library expects.
 *
 * @throws {RangeError} when a setting is out of its bounds
 */
export function kinesis(options: KinesisOptions): Source<Uint8Array> {
  const { stream, endpoint, pollEveryMs = 200, maxRecords = 10_000, requestTimeout = { seconds: 30 } } = options;
  // An ARN is of one region; AWS_REGION, which ECS and Lambda set by themselves, may be another one.
  const region = regionOf(stream) ?? options.region;
  const { unpack = true, maxUnpackedBytes = 32 * 1024 * 1024 } = options;
  const { mode = 'polling' } = options;
  const isFanOut = mode === 'fan-out';
  const timeoutMs = durationMs(requestTimeout, { who: 'kinesis', name: 'requestTimeout' });
  const listEveryMs = durationMs(options.listEvery ?? { minutes: 1 }, { who: 'kinesis', name: 'listEvery' });
  if (stream === '') throw new RangeError("kinesis: expected the stream's name, got none");
  if (!(maxRecords >= 1 && maxRecords <= 10_000 && Number.isInteger(maxRecords)))
    throw new RangeError(`kinesis: expected maxRecords from 1 to 10,000, got ${maxRecords}`);
  if (!(pollEveryMs >= 0)) throw new RangeError(`kinesis: expected pollEveryMs of 0 or more, got ${pollEveryMs}`);
  checkCounts('kinesis', { maxUnpackedBytes });
  const unpacking = unpack ? { maxUnpackedBytes } : undefined;
  if (options.consumer !== undefined && !CONSUMER_NAME.test(options.consumer))
    throw new RangeError(
      `kinesis: expected a consumer of 1 to 128 letters, digits, _, . and -, got ${JSON.stringify(options.consumer)}`,
    );
  const { protocol = options.client ? 'stock' : 'lean' } = options;
  if (protocol !== 'lean' && protocol !== 'stock')
    throw new RangeError(`kinesis: expected a protocol of 'lean' or 'stock', got ${String(protocol)}`);
  if (protocol === 'lean' && options.client) speakLean(options.client);
  const name = `kinesis ${stream}`;
  const where = endpoint === undefined ? region && ` in ${region}` : ` at ${new URL(endpoint).host}`;

  // Who declares a stream and reads nothing of it need not load the SDK.
  const open = async (): Promise<KinesisStream> => {
    const { KinesisStream } = await import('./kinesis/stream.ts');
    return new KinesisStream({
      ...options,
      region,
      name,
      protocol,
      isFanOut,
      timeoutMs,
      listEveryMs,
      pollEveryMs,
      maxRecords,
      unpacking,
    });
  };
  return {
    name: 'kinesis',
    describe: `stream ${stream}${where ?? ''}${isFanOut ? ', by fan-out' : ''}`,
    check: async (pipeline) => (await open()).check(pipeline),
    ...readingDeliveries((context) => defer(open).pipe(mergeMap((opened) => opened.read(context)))),
  };
}

/** The region that an ARN names, `arn:aws:kinesis:eu-west-1:…`; nothing for a name. */
function regionOf(stream: string): string | undefined {
  return stream.startsWith('arn:') ? stream.split(':')[3] : undefined;
}
