import {
  type _Record,
  type ChildShard,
  type ConsumerDescription,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  type HashKeyRange,
  type KinesisClient,
  ListShardsCommand,
  RegisterStreamConsumerCommand,
  type StreamDescriptionSummary,
} from '@aws-sdk/client-kinesis';
import { MAX_TIMER_MS } from '../../duration.ts';
import { type Beginning, isPosition } from '../../position.ts';
import { isOutOfReach } from '../../fault.ts';
import { type Shard, isListedOpen } from '../shards/shard-set.ts';
import { isNotFound } from './failure.ts';
import { orAborted } from './or-aborted.ts';

/** An answer of GetRecords. */
export interface Answer {
  readonly records: readonly _Record[];
  /** Nothing when the shard has been read to its end. */
  readonly nextIterator: string | undefined;
  readonly behindMs: number;
  /** Shards that this one was split or merged into; only with the last answer. */
  readonly children: readonly Shard[];
}

/** AWS allows an account 20 DescribeStreamSummary calls a second. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamSummary.html */
const ASK_RETENTION_EVERY_MS = 10 * 60_000;

/** The calls of one stream that the source needs, each with a time limit. They try once and throw what the SDK throws. */
export class Calls {
  readonly #client: KinesisClient;
  readonly #stream: { readonly StreamName: string } | { readonly StreamARN: string };
  readonly #timeoutMs: number;
  #wasAnswered = false;
  #described: { readonly atMs: number; readonly answer: Promise<StreamDescriptionSummary> } | undefined;

  /** @param stream its name or its ARN */
  constructor(client: KinesisClient, stream: string, timeoutMs: number) {
    this.#client = client;
    this.#stream = stream.startsWith('arn:') ? { StreamARN: stream } : { StreamName: stream };
    this.#timeoutMs = timeoutMs;
  }

  /** Every shard that the stream keeps, closed ones too, from all pages. */
  async listShards(signal: AbortSignal): Promise<Shard[]> {
    const shards: Shard[] = [];
    let page: string | undefined;
    do {
      const answer = await this.#limited(signal, 'ListShards', (abortSignal) =>
        // The token names the stream; AWS refuses both at once.
        this.#client.send(new ListShardsCommand(page === undefined ? this.#stream : { NextToken: page }), { abortSignal }),
      );
      for (const shard of present(answer.Shards, 'ListShards: shards')) {
        const { ShardId, ParentShardId, AdjacentParentShardId, HashKeyRange, SequenceNumberRange: range } = shard;
        shards.push({
          id: ShardId!,
          parents: [ParentShardId, AdjacentParentShardId].filter((id) => id !== undefined),
          hashKeys: hashKeysOf(HashKeyRange),
          startsAt: range?.StartingSequenceNumber,
          isOpen: range && range.EndingSequenceNumber === undefined,
        });
      }
      page = answer.NextToken;
    } while (page !== undefined);
    return shards;
  }

  /** @throws {Error} when the stream does not know the position, or the time has not come yet */
  async iterator(shard: string, from: Beginning, signal: AbortSignal): Promise<string> {
    const input = { ...this.#stream, ShardId: shard, ...iteratorAt(from) } as GetShardIteratorCommandInput;
    const answer = await this.#limited(signal, 'GetShardIterator', (abortSignal) =>
      this.#client.send(new GetShardIteratorCommand(input), { abortSignal }),
    );
    return present(answer.ShardIterator, 'GetShardIterator: an iterator');
  }

  /**
   * An answer without a next iterator that names no children either may be a wrong one: AWS's own library asks again. The end of a shard that is
   * listed as open would be written down, and the rest of it not be read. https://github.com/awslabs/amazon-kinesis-client/pull/624
   */
  async records(shard: string, iterator: string, maxRecords: number, signal: AbortSignal): Promise<Answer> {
    const input = { ShardIterator: iterator, Limit: maxRecords, ...('StreamARN' in this.#stream ? this.#stream : {}) };
    const answer = await this.#limited(signal, 'GetRecords', (abortSignal) =>
      this.#client.send(new GetRecordsCommand(input), { abortSignal }),
    );
    const records = present(answer.Records, 'GetRecords: records');
    const nextIterator = answer.NextShardIterator;
    const children = childrenOf(answer.ChildShards);
    if (nextIterator === undefined && children.length === 0 && isListedOpen(shard, await this.listShards(signal)))
      throw new SyntaxError(`expected an answer of GetRecords: an iterator or children, got neither of ${shard}, which is open`);
    return { records, nextIterator, behindMs: answer.MillisBehindLatest ?? 0, children };
  }

  /** How long the stream keeps its records. Asked once for all of its shards, which want to know it at one moment, and anew after a while: it can be changed. */
  async retentionMs(signal: AbortSignal): Promise<number> {
    const nowMs = performance.now();
    if (!this.#described || nowMs - this.#described.atMs > ASK_RETENTION_EVERY_MS) {
      const answer = this.describe(signal);
      this.#described = { atMs: nowMs, answer };
      answer.catch(() => (this.#described = undefined));
    }
    const { RetentionPeriodHours } = await this.#described.answer;
    return RetentionPeriodHours! * 3_600_000;
  }

  async describe(signal: AbortSignal = new AbortController().signal): Promise<StreamDescriptionSummary> {
    const answer = await this.#limited(signal, 'DescribeStreamSummary', (abortSignal) =>
      this.#client.send(new DescribeStreamSummaryCommand(this.#stream), { abortSignal }),
    );
    return answer.StreamDescriptionSummary!;
  }

  /** A consumer of the stream; nothing when none of this name is registered. */
  async consumer(streamArn: string, name: string, signal?: AbortSignal): Promise<ConsumerDescription | undefined> {
    const input = { StreamARN: streamArn, ConsumerName: name };
    try {
      const answer = await this.#limited(signal ?? new AbortController().signal, 'DescribeStreamConsumer', (abortSignal) =>
        this.#client.send(new DescribeStreamConsumerCommand(input), { abortSignal }),
      );
      return answer.ConsumerDescription;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async registerConsumer(streamArn: string, name: string, signal: AbortSignal): Promise<void> {
    const input = { StreamARN: streamArn, ConsumerName: name };
    await this.#limited(signal, 'RegisterStreamConsumer', (abortSignal) =>
      this.#client.send(new RegisterStreamConsumerCommand(input), { abortSignal }),
    );
  }

  /** The SDK's own limit ends with an answer's first byte; this one covers its body too. */
  async #limited<T>(signal: AbortSignal, call: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController();
    const abort = (): void => limit.abort();
    const timer = setTimeout(abort, Math.min(this.#timeoutMs, MAX_TIMER_MS));
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (signal.aborted) abort();
      const answer = await orAborted(send(limit.signal), limit.signal);
      this.#wasAnswered = true;
      return answer;
    } catch (error) {
      if (this.#wasAnswered && isOutOfReach(error)) throw Object.assign(error, { isTransient: true });
      if (!limit.signal.aborted || signal.aborted) throw error;
      throw Object.assign(new Error(`${call} took longer than ${this.#timeoutMs} ms`, { cause: error }), {
        name: 'TimeoutError',
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }
}

/** The children that the last answer of a shard names. */
export function childrenOf(children: readonly ChildShard[] = []): Shard[] {
  return children.map(({ ShardId, ParentShards, HashKeyRange }) => ({
    id: ShardId!,
    parents: ParentShards ?? [],
    hashKeys: hashKeysOf(HashKeyRange),
  }));
}

function hashKeysOf(range: HashKeyRange | undefined): Shard['hashKeys'] {
  return range ? { first: range.StartingHashKey!, last: range.EndingHashKey! } : undefined;
}

/** An answer without its content looks like a stream without shards, or the end of a shard; it is one that was cut off. */
function present<T>(content: T | undefined, what: string): T {
  if (content === undefined) throw new SyntaxError(`expected an answer of ${what}, got one without`);
  return content;
}

/** Where to begin, as GetShardIterator wants to be told. */
export function iteratorAt(from: Beginning): Partial<GetShardIteratorCommandInput> {
  if (from === 'TRIM_HORIZON') return { ShardIteratorType: from };
  if (!isPosition(from)) return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: from };
  // Inside a packed record the rest of it may still be to come: it is read again, and what lies at or before is skipped.
  const ShardIteratorType = from.subSequence > 0 ? 'AT_SEQUENCE_NUMBER' : 'AFTER_SEQUENCE_NUMBER';
  return { ShardIteratorType, StartingSequenceNumber: from.sequence };
}
