import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What happens to a call instead of its answer. */
export type CallFault =
  | { readonly status: number; readonly type: string; readonly message?: string }
  /** The connection is reset: before the answer, or in the middle of its body. */
  | { readonly reset: 'at once' | 'in the body' }
  /** The answer never comes; or its beginning comes, and never the rest. */
  | { readonly hang: 'at once' | 'in the body' }
  /** A body that is none. */
  | { readonly body: string };

interface Call {
  readonly operation: 'ListShards' | 'GetShardIterator' | 'GetRecords' | 'DescribeStreamSummary';
  /** How many calls of this operation came before. */
  readonly nth: number;
  readonly input: Readonly<Record<string, unknown>>;
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
  /** A closed shard ends after its last record. */
  readonly isClosed?: boolean;
}

export interface FaultyKinesisOptions {
  readonly shards: readonly FaultyShard[];
  /** How many shards are listed on one page. @default all */
  readonly pageSize?: number;
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

/** A server that speaks as much of the Kinesis API as a source needs, over real HTTP, and misbehaves as it is told. */
export async function startFaultyKinesis({
  shards,
  pageSize = shards.length,
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
    const input = JSON.parse(await text(request)) as Record<string, unknown>;
    const call = { operation, nth: calls.filter((one) => one.operation === operation).length, input };
    calls.push(call);
    const wrong = fault?.(call);
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (!wrong) return void response.end(JSON.stringify(answer(operation, input)));
    if ('status' in wrong) {
      response.statusCode = wrong.status;
      return void response.end(JSON.stringify({ __type: wrong.type, message: wrong.message ?? 'as the test wants it' }));
    }
    if ('body' in wrong) return void response.end(wrong.body);
    const how = 'reset' in wrong ? wrong.reset : wrong.hang;
    if (how === 'in the body') {
      const body = JSON.stringify(answer(operation, input));
      response.setHeader('content-length', body.length);
      await new Promise<void>((resolve) => response.write(body.slice(0, body.length / 2), () => resolve()));
    }
    if ('reset' in wrong) request.socket.resetAndDestroy();
  }

  function answer(operation: Call['operation'], input: Record<string, unknown>): object {
    switch (operation) {
      case 'ListShards': {
        const from = Number(input['NextToken'] ?? 0);
        const Shards = shards.slice(from, from + pageSize).map(({ id, parents = [], hashKeys = ALL, startsAt }) => ({
          ShardId: id,
          HashKeyRange: { StartingHashKey: hashKeys.first, EndingHashKey: hashKeys.last },
          SequenceNumberRange: startsAt === undefined ? undefined : { StartingSequenceNumber: startsAt },
          ParentShardId: parents[0],
          AdjacentParentShardId: parents[1],
        }));
        return { Shards, NextToken: from + pageSize < shards.length ? String(from + pageSize) : undefined };
      }
      case 'GetShardIterator': {
        const { ShardId: shard, ShardIteratorType: type, StartingSequenceNumber: sequence, Timestamp: seconds } = input;
        const at = { TRIM_HORIZON: 0, AT_SEQUENCE_NUMBER: Number(sequence) - 1, AFTER_SEQUENCE_NUMBER: Number(sequence) };
        const atTime = Math.max(0, Math.ceil(Number(seconds)) - 1);
        return { ShardIterator: JSON.stringify({ shard, at: type === 'AT_TIMESTAMP' ? atTime : at[type as keyof typeof at] }) };
      }
      case 'GetRecords': {
        const { shard, at } = JSON.parse(input['ShardIterator'] as string) as Iterator;
        const { records, isClosed } = shards.find(({ id }) => id === shard)!;
        const gap = records.indexOf(GAP, at);
        const limit = gap < 0 ? at + Number(input['Limit']) : Math.max(gap, at + 1);
        const next = Math.min(records.length, limit, at + Number(input['Limit']));
        const isEnd = isClosed && next === records.length;
        return {
          Records: (gap === at ? [] : (records.slice(at, next) as (string | Uint8Array)[])).map((record, i) => ({
            SequenceNumber: String(at + i + 1),
            ApproximateArrivalTimestamp: at + i + 1,
            PartitionKey: 'any',
            Data: Buffer.from(record).toString('base64'),
          })),
          NextShardIterator: isEnd ? undefined : JSON.stringify({ shard, at: next }),
          MillisBehindLatest: next < records.length ? 1000 : 0,
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
        return { StreamDescriptionSummary: { OpenShardCount, RetentionPeriodHours: 24, StreamStatus: 'ACTIVE' } };
      }
    }
  }
}
