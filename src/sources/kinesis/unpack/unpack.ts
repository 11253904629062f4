import type { SourceRecord } from '../../../records.ts';
import type { Shard } from '../../shards/shard-set.ts';
import { checkAggregate, isAggregate, userRecords } from './aggregate.ts';
import { isCompressed, openBatch, payloads } from './compressed-batch.ts';
import { HashKeyRange } from './hash-keys.ts';

/** How records that hold others are taken apart. */
export interface Unpacking {
  /** The most that the compressed batches of one record may become together. */
  readonly maxUnpackedBytes: number;
}

/** Bytes that become an event, or that do not. */
export type Part = Pick<SourceRecord, 'data' | 'fate'>;

const STEP = 'kinesis';

/** Tells by its first bytes that a record holds others: an aggregate of the Kinesis Producer Library, or a compressed batch of Snowplow's. */
export function isPacked(data: Uint8Array): boolean {
  const first = data[0];
  return (first === 0xf3 || first === 0x1f || first === 0x28) && (isAggregate(data) || isCompressed(data));
}

/** Takes the records of one shard apart. */
export class Unpacker {
  readonly #shard: Shard;
  readonly #maxUnpackedBytes: number;
  #range: HashKeyRange | undefined;

  constructor(shard: Shard, { maxUnpackedBytes }: Unpacking) {
    this.#shard = shard;
    this.#maxUnpackedBytes = maxUnpackedBytes;
  }

  /**
   * The parts of a packed record, unpacked as they are asked for; or, when it is bad, elsewhere at home or empty, the record
   * itself with its fate. It holds one decompressed batch.
   */
  unpack(data: Uint8Array): Part | Iterable<Part> {
    const room = { leftBytes: this.#maxUnpackedBytes };
    if (!isAggregate(data)) return unpackBatch(data, room);
    this.#range ??= new HashKeyRange(this.#shard.hashKeys);
    const found = checkAggregate(data, this.#range);
    if (found === 'good') return partsOfAggregate(data, room);
    return { data, fate: typeof found === 'string' ? found : { step: STEP, ...found } };
  }
}

/** What the batches of one record may yet become. */
interface UnpackingRoom {
  leftBytes: number;
}

function* partsOfAggregate(aggregate: Uint8Array, room: UnpackingRoom): Generator<Part> {
  for (const data of userRecords(aggregate)) {
    const inner = isCompressed(data) ? unpackBatch(data, room) : { data };
    if ('data' in inner) yield inner;
    else yield* inner;
  }
}

function unpackBatch(data: Uint8Array, room: UnpackingRoom): Part | Iterable<Part> {
  const batch = openBatch(data, room.leftBytes);
  if (batch instanceof Uint8Array) {
    room.leftBytes -= batch.length;
    return partsOfBatch(batch);
  }
  if (batch === 'empty-batch') return { data, fate: batch };
  // A record of a thousand bombs is not to be tried a thousand times.
  if (batch.code === 'batch_too_large') room.leftBytes = 0;
  return { data, fate: { step: STEP, ...batch } };
}

function* partsOfBatch(batch: Uint8Array): Generator<Part> {
  for (const data of payloads(batch)) yield { data };
}
