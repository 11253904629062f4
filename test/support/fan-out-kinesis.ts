import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type Http2ServerRequest, type Http2ServerResponse, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventFrame } from './event-frame.ts';
import { formatOf } from './faulty-kinesis.ts';

/** What happens next in a subscription. */
export type Scene =
  /** An event with these records, by their places from 1. Its continuation is its last record's number, when none is said. */
  | { readonly records: readonly number[]; readonly continuation?: string; readonly children?: readonly string[] }
  /** An event with this content. */
  | { readonly content: object }
  /** An event that is an error. */
  | { readonly exception: string }
  | { readonly sleepMs: number }
  /** The event that AWS sends before all others, which says nothing. */
  | 'begins'
  /** The end: as it should be; a reset; a reset within an event; bytes that are no event; none at all. */
  | 'ends'
  | 'resets'
  | 'is cut'
  | 'raves'
  | 'falls silent';

/** An answer that is none: an HTTP error, a reset, or an error that does not say which. */
type Refusal = { readonly status: number; readonly type: string; readonly message?: string } | 'resets' | 'never says why';

interface Call {
  readonly operation:
    | 'ListShards'
    | 'DescribeStreamSummary'
    | 'DescribeStreamConsumer'
    | 'RegisterStreamConsumer'
    | 'GetShardIterator'
    | 'GetRecords'
    | 'SubscribeToShard';
  /** How many calls of this operation came before. */
  readonly nth: number;
  readonly input: Readonly<Record<string, unknown>>;
}

export interface FanOutKinesisOptions {
  readonly shards: readonly FanOutShard[];
  /** What the n-th subscription gives. @default what the shard has from there on, and then silence, or its end */
  readonly subscription?: (call: Call) => readonly Scene[] | undefined;
  /** Decides over each call; without a fault it is answered. */
  readonly fault?: (call: Call) => Refusal | undefined;
  /** The consumer's states, one for each time somebody asks, the last one for good. @default none until it is registered, then ACTIVE */
  readonly consumer?: readonly ('none' | 'CREATING' | 'ACTIVE' | 'DELETING')[];
  readonly http?: 1 | 2;
}

interface FanOutShard {
  readonly id: string;
  readonly parents?: readonly string[];
  /** One payload each; its sequence number is its place in the shard from 1, its arrival time that in seconds. */
  readonly records: readonly (string | Uint8Array)[];
  readonly isClosed?: boolean;
}

export interface FanOutKinesis {
  readonly endpoint: string;
  readonly calls: Call[];
  /** How many subscriptions are open. */
  readonly open: () => number;
  /** How many events the network has taken. */
  readonly written: () => number;
  stop(): Promise<void>;
}

/** A server that speaks as much of the Kinesis API as enhanced fan-out needs, event stream and all, and misbehaves as it is told. */
export async function startFanOutKinesis(options: FanOutKinesisOptions): Promise<FanOutKinesis> {
  const { shards, fault, subscription } = options;
  const calls: Call[] = [];
  let asked = 0;
  let isRegistered = false;
  let open = 0;
  let written = 0;
  const sockets = new Set<Socket>();
  const on = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void =>
    void serve(request, response as ServerResponse);
  const server: Server = options.http === 2 ? createHttp2Server(on) : createServer(on);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    open: () => open,
    written: () => written,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };

  async function serve(request: IncomingMessage | Http2ServerRequest, response: ServerResponse): Promise<void> {
    const operation = String(request.headers['x-amz-target']).split('.')[1] as Call['operation'];
    const contentType = request.headers['content-type']!;
    const { read, write } = formatOf(contentType);
    const input = read(await buffer(request));
    const call = { operation, nth: calls.filter((one) => one.operation === operation).length, input };
    calls.push(call);
    const refusal = fault?.(call);
    if (refusal === 'resets') return void request.socket.destroy();
    if (refusal === 'never says why') {
      response.statusCode = 500;
      return response.flushHeaders();
    }
    if (refusal) return refuse(response, refusal);
    if (operation === 'SubscribeToShard') return subscribe(call, request, response);
    const answered = answer(operation, input);
    response.setHeader('content-type', contentType);
    if (answered) response.end(write(answered));
    else refuse(response, { status: 400, type: 'ResourceNotFoundException' });
  }

  function refuse(response: ServerResponse, { status, type, message = 'as the test wants it' }: Exclude<Refusal, string>): void {
    response.statusCode = status;
    response.end(JSON.stringify({ __type: type, message }));
  }

  function answer(operation: Exclude<Call['operation'], 'SubscribeToShard'>, input: Call['input']): object | undefined {
    switch (operation) {
      // Whether a record is kept is asked so, in either mode.
      case 'GetShardIterator': {
        const { ShardId, ShardIteratorType: Type, StartingSequenceNumber: SequenceNumber } = input;
        const place = firstAt({ Type, SequenceNumber } as StartingPosition);
        return { ShardIterator: JSON.stringify({ ShardId, place }) };
      }
      case 'GetRecords': {
        const { ShardId, place } = JSON.parse(input['ShardIterator'] as string) as { ShardId: string; place: number };
        const record = shards.find(({ id }) => id === ShardId)!.records[place - 1];
        const at = { SequenceNumber: String(place), ApproximateArrivalTimestamp: new Date(place * 1000), PartitionKey: 'any' };
        return { Records: record === undefined ? [] : [{ ...at, Data: Buffer.from(record) }], MillisBehindLatest: 0 };
      }
      case 'ListShards':
        return { Shards: shards.map(({ id, parents = [] }) => ({ ShardId: id, ParentShardId: parents[0] })) };
      case 'DescribeStreamSummary':
        return {
          StreamDescriptionSummary: {
            StreamARN: 'arn:shop',
            OpenShardCount: shards.length,
            RetentionPeriodHours: 24,
            StreamStatus: 'ACTIVE',
          },
        };
      case 'DescribeStreamConsumer': {
        const { consumer = [isRegistered ? 'ACTIVE' : 'none'] } = options;
        const state = consumer[Math.min(asked++, consumer.length - 1)];
        return state === 'none' ? undefined : { ConsumerDescription: { ConsumerARN: 'arn:consumer', ConsumerStatus: state } };
      }
      case 'RegisterStreamConsumer':
        isRegistered = true;
        return { Consumer: { ConsumerARN: 'arn:consumer', ConsumerStatus: 'CREATING' } };
    }
  }

  async function subscribe(call: Call, request: IncomingMessage | Http2ServerRequest, response: ServerResponse): Promise<void> {
    const shard = shards.find(({ id }) => id === call.input['ShardId'])!;
    open++;
    response.once('close', () => open--);
    response.setHeader('content-type', 'application/vnd.amazon.eventstream');
    response.flushHeaders();
    for (const scene of subscription?.(call) ?? rest(shard, call.input['StartingPosition'] as StartingPosition)) {
      if (scene === 'falls silent') return;
      if (scene === 'begins') {
        response.write(eventFrame('event', 'initial-response', {}));
        continue;
      }
      if (scene === 'ends') return void response.end();
      if (scene === 'resets') return cut(request);
      if (scene === 'raves') return void response.end('this is no event stream, this is prose');
      if (scene === 'is cut') {
        const frame = eventFrame('event', 'SubscribeToShardEvent', eventOf(shard, { records: [1] }));
        await new Promise((resolve) => response.write(frame.subarray(0, frame.length / 2), resolve));
        return cut(request);
      }
      if ('sleepMs' in scene) await sleep(scene.sleepMs);
      else if ('exception' in scene) {
        response.write(eventFrame('exception', scene.exception, { message: 'as the test wants it' }));
        return void response.end();
      } else {
        const frame = eventFrame('event', 'SubscribeToShardEvent', 'content' in scene ? scene.content : eventOf(shard, scene));
        await new Promise((resolve) => response.write(frame, resolve));
        written++;
      }
    }
  }

  /** All that a shard still has, in one event, and what becomes of the subscription then. */
  function rest({ id, records, isClosed }: FanOutShard, at: StartingPosition): Scene[] {
    const first = firstAt(at);
    const places = records.map((_, i) => i + 1).filter((place) => place >= first);
    if (!isClosed) return [{ records: places }, 'falls silent'];
    const children = shards.filter(({ parents }) => parents?.includes(id)).map((child) => child.id);
    return [{ records: places }, { records: [], children }, 'ends'];
  }

  function eventOf(
    { records: all }: FanOutShard,
    { records, continuation, children }: Extract<Scene, { records: unknown }>,
  ): object {
    return {
      Records: records.map((place) => ({
        SequenceNumber: String(place),
        ApproximateArrivalTimestamp: place,
        PartitionKey: 'any',
        Data: Buffer.from(all[place - 1]!).toString('base64'),
      })),
      ContinuationSequenceNumber: children ? undefined : (continuation ?? String(records.at(-1) ?? 1)),
      MillisBehindLatest: 70,
      ChildShards: children?.map((ShardId) => ({
        ShardId,
        ParentShards: shards.find(({ id }) => id === ShardId)?.parents ?? [],
        HashKeyRange: { StartingHashKey: '0', EndingHashKey: '1' },
      })),
    };
  }
}

interface StartingPosition {
  readonly Type: 'TRIM_HORIZON' | 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER' | 'AT_TIMESTAMP';
  readonly SequenceNumber?: string;
  readonly Timestamp?: number;
}

function firstAt({ Type, SequenceNumber, Timestamp }: StartingPosition): number {
  switch (Type) {
    case 'TRIM_HORIZON':
      return 1;
    case 'AT_SEQUENCE_NUMBER':
      return Number(SequenceNumber);
    case 'AFTER_SEQUENCE_NUMBER':
      return Number(SequenceNumber) + 1;
    case 'AT_TIMESTAMP':
      return Math.ceil(Timestamp!);
  }
}

function cut(request: IncomingMessage | Http2ServerRequest): void {
  if ('stream' in request) request.stream.session?.destroy();
  else request.socket.resetAndDestroy();
}
