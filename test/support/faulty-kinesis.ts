import { cbor, dateToTag } from '@smithy/core/cbor';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What happens to a call instead of its answer. */
export type CallFault =
  | { readonly status: number; readonly type: string; readonly message?: string }
  /** The connection is reset: before the answer, or in the middle of its body. */
  | { readonly reset: 'at once' | 'in the body' }
  /** The answer never comes; or its beginning comes, and never the rest. */
  | { readonly hang: 'at once' | 'in the body' }
  /** A body that is none. */
  | { readonly body: string }
  /** Bytes that are no HTTP. */
  | { readonly bytes: string }
  /** The first half of an answer, as if it were all. */
  | { readonly half: true };

interface Call {
  readonly operation: 'ListShards' | 'GetShardIterator' | 'GetRecords' | 'DescribeStreamSummary';
  /** How many calls of this operation came before. */
  readonly nth: number;
  readonly input: Readonly<Record<string, unknown>>;
  readonly contentType: string;
}

/** A stretch of a shard without records: an answer ends before it, or is empty. */
export const GAP: unique symbol = Symbol('gap');

interface FaultyShard {
  readonly id: string;
  readonly parents?: readonly string[];
  /** One payload each; its sequence number is its place in the shard and 1, its arrival time that in seconds. */
  readonly records: readonly (string | Uint8Array | typeof GAP)[];
  /** @default all */
  readonly hashKeys?: { readonly first: string; readonly last: string };
  /** Its least sequence number, as it is listed. @default not listed */
  readonly startsAt?: string;
  /** How many of its first records are past retention. @default 0 */
  readonly trimmed?: number;
  /** When its record of place 0 would have arrived, in milliseconds since 1970. @default 0 */
  readonly startMs?: number;
  /** How far an answer is behind that ends with this place, as long as more is to come. @default a second */
  readonly behindMsAt?: (place: number) => number;
  /** Makes sequence numbers of places, from 1. @default the place */
  readonly sequenceOf?: (place: number) => string;
  /** A closed shard ends after its last record. */
  readonly isClosed?: boolean;
}

export interface FaultyKinesisOptions {
  readonly shards: readonly FaultyShard[];
  /** How many shards are listed on one page. @default all */
  readonly pageSize?: number;
  /** How long it says that it keeps records. @default a day */
  readonly retentionHours?: number;
  /** How far its clock is ahead. @default 0 */
  readonly aheadMs?: number;
  /** Decides over each call; without a fault it is answered. */
  readonly fault?: (call: Call) => CallFault | undefined;
}

export interface FaultyKinesis {
  readonly endpoint: string;
  readonly calls: Call[];
  stop(): Promise<void>;
}

const ALL = { first: '0', last: String(2n ** 128n - 1n) };

interface Iterator {
  readonly shard: string;
  readonly at: number;
}

const CBOR = 'application/x-amz-cbor-1.1';

interface Format {
  readonly read: (body: Buffer) => Record<string, unknown>;
  readonly write: (answer: object) => Uint8Array;
}

const inJson: Format = {
  read: (body) => JSON.parse(body.toString()),
  write: (answer) =>
    Buffer.from(JSON.stringify(asOf(answer, { time: (at) => at.getTime() / 1000, bytes: (data) => data.toString('base64') }))),
};

/** As Kinesis speaks it: times are milliseconds behind tag 1, bytes are bytes. */
const inCbor: Format = {
  read: (body) => cbor.deserialize(body),
  write: (answer) =>
    cbor.serialize(asOf(answer, { time: (at) => dateToTag(new Date(at.getTime() * 1000)), bytes: (data) => data })),
};

/** How bodies of a content type are read and written; times are dates, bytes are buffers. */
export function formatOf(contentType: string | undefined): Format {
  return contentType === CBOR ? inCbor : inJson;
}

/** A server that speaks as much of the Kinesis API as a source needs, over real HTTP, and misbehaves as it is told. */
export async function startFaultyKinesis({
  shards,
  pageSize = shards.length,
  retentionHours = 24,
  aheadMs = 0,
  fault,
}: FaultyKinesisOptions): Promise<FaultyKinesis> {
  const calls: Call[] = [];
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = String(request.headers['x-amz-target']).split('.')[1] as Call['operation'];
    const contentType = request.headers['content-type']!;
    const { read, write } = formatOf(contentType);
    const input = read(await buffer(request));
    const call = { operation, nth: calls.filter((one) => one.operation === operation).length, input, contentType };
    calls.push(call);
    const wrong = fault?.(call);
    response.setHeader('content-type', contentType);
    response.setHeader('date', new Date(Date.now() + aheadMs).toUTCString());
    if (!wrong) return void response.end(write(answer(operation, input)));
    if ('status' in wrong) {
      response.statusCode = wrong.status;
      return void response.end(write({ __type: wrong.type, message: wrong.message ?? 'as the test wants it' }));
    }
    if ('bytes' in wrong) return void request.socket.end(wrong.bytes);
    if ('body' in wrong) return void response.end(wrong.body);
    const body = write(answer(operation, input));
    const half = body.subarray(0, body.length / 2);
    if ('half' in wrong) return void response.end(half);
    const how = 'reset' in wrong ? wrong.reset : wrong.hang;
    if (how === 'in the body') {
      response.setHeader('content-length', body.length);
      await new Promise<void>((resolve) => response.write(half, () => resolve()));
    }
    if ('reset' in wrong) request.socket.resetAndDestroy();
  }

  function answer(operation: Call['operation'], input: Record<string, unknown>): object {
    switch (operation) {
      case 'ListShards': {
        const from = Number(input['NextToken'] ?? 0);
        const Shards = shards.slice(from, from + pageSize).map(({ id, parents = [], hashKeys = ALL, startsAt, isClosed }) => ({
          ShardId: id,
          HashKeyRange: { StartingHashKey: hashKeys.first, EndingHashKey: hashKeys.last },
          SequenceNumberRange:
            startsAt === undefined
              ? undefined
              : { StartingSequenceNumber: startsAt, ...(isClosed && { EndingSequenceNumber: '9'.repeat(56) }) },
          ParentShardId: parents[0],
          AdjacentParentShardId: parents[1],
        }));
        return { Shards, NextToken: from + pageSize < shards.length ? String(from + pageSize) : undefined };
      }
      case 'GetShardIterator': {
        const { ShardId: shard, ShardIteratorType: type, StartingSequenceNumber: sequence, Timestamp: seconds } = input;
        const { trimmed = 0, startMs = 0, sequenceOf = String, records } = shards.find(({ id }) => id === shard)!;
        const place = records.findIndex((_, i) => sequenceOf(i + 1) === sequence) + 1 || Number(sequence);
        const at = {
          TRIM_HORIZON: 0,
          AT_SEQUENCE_NUMBER: place - 1,
          AFTER_SEQUENCE_NUMBER: place,
          AT_TIMESTAMP: Math.ceil(Number(seconds) - startMs / 1000) - 1,
        };
        return { ShardIterator: JSON.stringify({ shard, at: Math.max(trimmed, at[type as keyof typeof at]) }) };
      }
      case 'GetRecords': {
        const { shard, at: asked } = JSON.parse(input['ShardIterator'] as string) as Iterator;
        const found = shards.find(({ id }) => id === shard)!;
        const { records, trimmed = 0, isClosed, startMs = 0, sequenceOf = String, behindMsAt = () => 1000 } = found;
        const at = Math.max(trimmed, asked);
        const gap = records.indexOf(GAP, at);
        const limit = gap < 0 ? at + Number(input['Limit']) : Math.max(gap, at + 1);
        const next = Math.min(records.length, limit, at + Number(input['Limit']));
        const isEnd = isClosed && next === records.length;
        return {
          Records: (gap === at ? [] : (records.slice(at, next) as (string | Uint8Array)[])).map((record, i) => ({
            SequenceNumber: sequenceOf(at + i + 1),
            ApproximateArrivalTimestamp: new Date(startMs + (at + i + 1) * 1000),
            PartitionKey: 'any',
            Data: Buffer.from(record),
          })),
          NextShardIterator: isEnd ? undefined : JSON.stringify({ shard, at: next }),
          MillisBehindLatest: next < records.length ? behindMsAt(next) : 0,
          ChildShards: isEnd
            ? shards
                .filter(({ parents }) => parents?.includes(shard))
                .map(({ id, parents, hashKeys = ALL }) => ({
                  ShardId: id,
                  ParentShards: parents,
                  HashKeyRange: { StartingHashKey: hashKeys.first, EndingHashKey: hashKeys.last },
                }))
            : undefined,
        };
      }
      case 'DescribeStreamSummary': {
        const OpenShardCount = shards.filter(({ isClosed }) => !isClosed).length;
        return { StreamDescriptionSummary: { OpenShardCount, RetentionPeriodHours: retentionHours, StreamStatus: 'ACTIVE' } };
      }
    }
  }
}

/** What is answered, with its times and bytes as a format has them. */
function asOf(value: unknown, as: { time(at: Date): unknown; bytes(data: Buffer): unknown }): unknown {
  if (value instanceof Date) return as.time(value);
  if (Buffer.isBuffer(value)) return as.bytes(value);
  if (Array.isArray(value)) return value.map((one) => asOf(one, as));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, asOf(field, as)]));
}
