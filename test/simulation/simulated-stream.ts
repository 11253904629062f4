import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  type KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import { ownMemory } from '../../src/sources/text/own-memory.ts';
import type { Record } from './records.ts';
import { type SimulatedProcess, delay } from './simulated-process.ts';
import type { World } from './world.ts';

/** A record in its shard. */
export interface Sent extends Record {
  readonly shard: string;
  /** Its place in the shard, from 0. */
  readonly index: number;
  readonly sequence: string;
  readonly arrivedAtMs: number;
}

export interface SimulatedShard {
  readonly id: string;
  readonly parents: readonly string[];
  readonly records: Sent[];
  readonly children: string[];
  /** Every sequence number in it is at least this. */
  readonly startsAt: string;
  isClosed: boolean;
  /** Past retention: it is listed no more. */
  isForgotten: boolean;
}

const ITERATOR_LIVES_MS = 5 * 60_000;
const FAULTS: readonly (readonly [name: string, status: number])[] = [
  ['ProvisionedThroughputExceededException', 400],
  ['LimitExceededException', 400],
  ['KMSThrottlingException', 400],
  ['InternalFailure', 500],
  ['ExpiredIteratorException', 400],
  ['TimeoutError', 0],
];

interface Iterator {
  readonly shard: string;
  readonly at: number;
  readonly expiresAtMs: number;
}

/** A stream of Kinesis: shards that are written to, split and merged, and a client of it for each process. */
export class SimulatedStream {
  readonly shards = new Map<string, SimulatedShard>();
  readonly #world: World;
  readonly #hidesParents: boolean;
  #sequence = 93;

  /** @param hidesParents a planted fault: nobody is told which shards come before which */
  constructor(world: World, shards: number, hidesParents = false) {
    this.#world = world;
    this.#hidesParents = hidesParents;
    for (let i = 0; i < shards; i++) this.#open([]);
  }

  get openShards(): SimulatedShard[] {
    return [...this.shards.values()].filter(({ isClosed }) => !isClosed);
  }

  put(shard: SimulatedShard, record: Record): Sent {
    const { random, nowMs } = this.#world;
    // Arrival is approximate: it may be before that of the record before.
    const arrivedAtMs = Math.floor(nowMs) - (random.chance(0.05) ? random.below(1500) : 0);
    this.#sequence += 1 + random.below(4);
    const sent = { ...record, shard: shard.id, index: shard.records.length, sequence: String(this.#sequence), arrivedAtMs };
    shard.records.push(sent);
    return sent;
  }

  split(shard: SimulatedShard): void {
    this.#world.note(`stream splits ${shard.id}`);
    shard.isClosed = true;
    shard.children.push(this.#open([shard.id]).id, this.#open([shard.id]).id);
  }

  merge(one: SimulatedShard, other: SimulatedShard): void {
    this.#world.note(`stream merges ${one.id} and ${other.id}`);
    one.isClosed = other.isClosed = true;
    const { id } = this.#open([one.id, other.id]);
    one.children.push(id);
    other.children.push(id);
  }

  /** Forgets closed shards of which nobody needs anything any more, as retention does. */
  forget(isDone: (shard: SimulatedShard) => boolean): void {
    for (const shard of this.shards.values())
      if (shard.isClosed && !shard.isForgotten && isDone(shard)) {
        this.#world.note(`stream forgets ${shard.id}`);
        shard.isForgotten = true;
      }
  }

  /** @param reached told, by shard, how many of its records have been read when nothing more is there */
  client(process: SimulatedProcess, reached: Map<string, number>): KinesisClient {
    const send = (command: unknown, { abortSignal }: { readonly abortSignal: AbortSignal }): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const { random, faultRate } = this.#world;
        const fault = random.chance(faultRate) ? random.pick(FAULTS) : undefined;
        const abort = (): void => reject(failure('AbortError'));
        // The caller has a timer for each call, and who is dead takes none with it.
        if (process.isDead) return reject(failure('TimeoutError'));
        process.onKill(() => reject(failure('TimeoutError')));
        abortSignal.addEventListener('abort', abort, { once: true });
        process.after(delay(this.#world) * 2, () => {
          if (fault) return reject(failure(...fault));
          try {
            resolve(this.#answer(command, process, reached));
          } catch (error) {
            reject(error);
          }
        });
      });
    return { send } as unknown as KinesisClient;
  }

  #open(parents: readonly string[]): SimulatedShard {
    const id = `shardId-${String(this.shards.size).padStart(12, '0')}`;
    const shard = {
      id,
      parents,
      records: [],
      children: [],
      startsAt: String(this.#sequence),
      isClosed: false,
      isForgotten: false,
    };
    this.shards.set(id, shard);
    return shard;
  }

  #answer(command: unknown, process: SimulatedProcess, reached: Map<string, number>): unknown {
    if (command instanceof ListShardsCommand) return this.#list(command.input.NextToken ?? '');
    if (command instanceof GetShardIteratorCommand) return { ShardIterator: this.#iterator(command.input) };
    if (command instanceof GetRecordsCommand)
      return this.#records(command.input.ShardIterator!, command.input.Limit!, process, reached);
    throw new TypeError(`simulated stream: expected a call that it knows, got ${String(command)}`);
  }

  /** @param token the last shard of the page before: what is forgotten between two pages makes none be passed over */
  #list(token: string): unknown {
    const all = [...this.shards.values()].filter(({ id, isForgotten }) => id > token && !isForgotten);
    const count = 1 + this.#world.random.below(3);
    return {
      Shards: all.slice(0, count).map(({ id, parents, startsAt, isClosed, records }) => ({
        ShardId: id,
        ...(!this.#hidesParents && { ParentShardId: parents[0], AdjacentParentShardId: parents[1] }),
        HashKeyRange: { StartingHashKey: '0', EndingHashKey: '1' },
        SequenceNumberRange: {
          StartingSequenceNumber: startsAt,
          ...(isClosed && { EndingSequenceNumber: records.at(-1)?.sequence ?? startsAt }),
        },
      })),
      ...(count < all.length && { NextToken: all[count - 1]!.id }),
    };
  }

  #iterator({ ShardId, ShardIteratorType: type, StartingSequenceNumber, Timestamp }: GetShardIteratorCommandInput): string {
    const { records } = this.#shard(ShardId!);
    const sequence = Number(StartingSequenceNumber);
    const isBehind = (sent: Sent): boolean => {
      if (type === 'AT_TIMESTAMP') return sent.arrivedAtMs >= Timestamp!.getTime();
      return type === 'AT_SEQUENCE_NUMBER' ? Number(sent.sequence) >= sequence : Number(sent.sequence) > sequence;
    };
    const first = type === 'TRIM_HORIZON' ? 0 : records.findIndex(isBehind);
    return this.#write({ shard: ShardId!, at: first < 0 ? records.length : first });
  }

  #records(token: string, limit: number, process: SimulatedProcess, reached: Map<string, number>): unknown {
    const { random, nowMs } = this.#world;
    const { shard: id, at, expiresAtMs } = JSON.parse(token) as Iterator;
    if (nowMs > expiresAtMs) throw failure('ExpiredIteratorException', 400);
    const { records, isClosed, children } = this.#shard(id);
    // AWS answers with less than there is, also with nothing, when it likes.
    const most = random.chance(0.2) ? random.below(limit) : limit;
    const to = Math.min(records.length, at + most);
    const isAll = to === records.length;
    const isEnd = isClosed && isAll && (to === at || random.chance(0.5));
    // Of a single one is only asked to see whether it is kept.
    if (isAll && limit > 1) reached.set(id, to);
    if (to > at) process.note(`reads ${id} ${at} to ${to}${isEnd ? ', its end' : ''}`);
    // In memory of the answer's own, as in that of a lean one.
    const body = ownMemory(new Uint8Array(Buffer.concat(records.slice(at, to).map(({ data }) => data))));
    let end = 0;
    return {
      Records: records.slice(at, to).map(({ sequence, arrivedAtMs, data }) => ({
        SequenceNumber: sequence,
        ApproximateArrivalTimestamp: new Date(arrivedAtMs),
        PartitionKey: 'key',
        Data: body.subarray(end, (end += data.length)),
      })),
      NextShardIterator: isEnd ? undefined : this.#write({ shard: id, at: to }),
      MillisBehindLatest: isAll ? 0 : Math.max(1, nowMs - records[to]!.arrivedAtMs),
      ...(isEnd && {
        ChildShards: children.map((child) => ({
          ShardId: child,
          ParentShards: this.#hidesParents ? [] : [...this.#shard(child).parents],
          HashKeyRange: { StartingHashKey: '0', EndingHashKey: '1' },
        })),
      }),
    };
  }

  #write(iterator: Omit<Iterator, 'expiresAtMs'>): string {
    return JSON.stringify({ ...iterator, expiresAtMs: this.#world.nowMs + ITERATOR_LIVES_MS } satisfies Iterator);
  }

  #shard(id: string): SimulatedShard {
    const shard = this.shards.get(id);
    if (!shard) throw failure('ResourceNotFoundException', 400);
    return shard;
  }
}

function failure(name: string, status = 0): Error {
  return Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status } });
}
