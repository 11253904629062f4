import { hash } from 'node:crypto';
import { asBuffer } from '../../../as-buffer.ts';
import type { HashKeyRange } from './hash-keys.ts';
import { ProtobufError, ProtobufReader, Wire } from './protobuf-reader.ts';

// Magic number, protobuf message, MD5 of the message.
// https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
const MAGIC_BYTES = 4;
const CHECKSUM_BYTES = 16;
const Aggregated = { partitionKey: 1, explicitHashKey: 2, record: 3 } as const;
const UserRecord = { partitionKeyIndex: 1, explicitHashKeyIndex: 2, data: 3 } as const;

/** Why an aggregate is none. */
export interface AggregateFault {
  readonly code: 'aggregate_checksum' | 'aggregate_format';
  readonly reason: string;
}

/** Tells by its magic number that a record is an aggregate of the Kinesis Producer Library. */
export function isAggregate(data: Uint8Array): boolean {
  return data[0] === 0xf3 && data[1] === 0x89 && data[2] === 0x9a && data[3] === 0xc2;
}

/**
 * Looks through an aggregate from end to end, before anything of it is emitted: says what is wrong with it, or whether all its
 * records belong to the shard, as the Java KCL asks. A producer that held an older map of the shards sends the others again.
 */
export function checkAggregate(
  data: Uint8Array,
  range: HashKeyRange,
): AggregateFault | 'other-shard' | 'empty-aggregate' | 'good' {
  const end = data.length - CHECKSUM_BYTES;
  if (end < MAGIC_BYTES) return { code: 'aggregate_format', reason: `expected a message and its MD5, got ${data.length} bytes` };
  const sum = asBuffer(data.subarray(end)).toString('hex');
  const own = hash('md5', data.subarray(MAGIC_BYTES, end), 'hex');
  if (sum !== own) return { code: 'aggregate_checksum', reason: `expected MD5 ${sum} as at its end, got ${own}` };
  try {
    return checkRecords(data, end, range);
  } catch (error) {
    if (error instanceof ProtobufError)
      return { code: 'aggregate_format', reason: `expected an aggregated record, got ${error.message}` };
    throw error;
  }
}

/** The data of each user record of an aggregate that was checked, in order, as parts of its bytes. */
export function* userRecords(data: Uint8Array): Generator<Uint8Array> {
  const fields = new ProtobufReader(data, MAGIC_BYTES, data.length - CHECKSUM_BYTES);
  while (fields.next()) {
    if (fields.field !== Aggregated.record) continue;
    const record = new ProtobufReader(data, fields.from, fields.to);
    let [from, to] = [0, 0];
    while (record.next()) if (record.field === UserRecord.data) [from, to] = [record.from, record.to];
    yield data.subarray(from, to);
  }
}

function checkRecords(data: Uint8Array, end: number, range: HashKeyRange): 'good' | 'empty-aggregate' | 'other-shard' {
  const partitionKeys = new KeyTable((from, to) => range.hasPartitionKey(data.subarray(from, to)));
  const hashKeys = new KeyTable((from, to) => {
    const has = range.hasHashKey(asBuffer(data.subarray(from, to)).toString('latin1'));
    if (has === undefined) throw new ProtobufError('an explicit hash key that is no number of 128 bits');
    return has;
  });
  // A message may have its fields in any order, so the tables have to be complete before the records are looked at.
  const tables = new ProtobufReader(data, MAGIC_BYTES, end);
  while (tables.next()) {
    if (tables.field < 1 || tables.field > 3) continue;
    if (tables.wire !== Wire.bytes) throw new ProtobufError(`field ${tables.field} of wire type ${tables.wire}`);
    if (tables.field === Aggregated.partitionKey) partitionKeys.add(tables.from, tables.to);
    if (tables.field === Aggregated.explicitHashKey) hashKeys.add(tables.from, tables.to);
  }
  let isEmpty = true;
  let isHere = true;
  const fields = new ProtobufReader(data, MAGIC_BYTES, end);
  while (fields.next()) {
    if (fields.field !== Aggregated.record) continue;
    isEmpty = false;
    const keys = keysOf(new ProtobufReader(data, fields.from, fields.to));
    partitionKeys.check(keys.partition);
    if (keys.hash >= 0) hashKeys.check(keys.hash);
    if (range.isAll || !isHere) continue;
    isHere = keys.hash >= 0 ? hashKeys.isHere(keys.hash) : partitionKeys.isHere(keys.partition);
  }
  if (isEmpty) return 'empty-aggregate';
  return isHere ? 'good' : 'other-shard';
}

/** The indexes of a user record's keys; -1 for a hash key that it has not. */
function keysOf(record: ProtobufReader): { partition: number; hash: number } {
  const keys = { partition: -1, hash: -1 };
  let hasData = false;
  while (record.next()) {
    const { field, wire } = record;
    if (field > 3) continue;
    if (wire !== (field === UserRecord.data ? Wire.bytes : Wire.varint))
      throw new ProtobufError(`a user record's field ${field} of wire type ${wire}`);
    if (field === UserRecord.partitionKeyIndex) keys.partition = record.value;
    else if (field === UserRecord.explicitHashKeyIndex) keys.hash = record.value;
    else hasData = true;
  }
  if (keys.partition < 0) throw new ProtobufError('a user record without a partition key');
  if (!hasData) throw new ProtobufError('a user record without data');
  return keys;
}

/** The keys of an aggregate by their index; each is looked up once, and only when a record asks for it. */
class KeyTable {
  readonly #lookUp: (from: number, to: number) => boolean;
  /** From and to by turns: an aggregate may have millions of keys. */
  readonly #places: number[] = [];
  readonly #known = new Map<number, boolean>();

  constructor(lookUp: (from: number, to: number) => boolean) {
    this.#lookUp = lookUp;
  }

  add(from: number, to: number): void {
    this.#places.push(from, to);
  }

  /** @throws {ProtobufError} when there is no such key */
  check(index: number): void {
    if (index * 2 >= this.#places.length)
      throw new ProtobufError(`a user record with key ${index} of ${this.#places.length / 2}`);
  }

  isHere(index: number): boolean {
    let known = this.#known.get(index);
    if (known === undefined) {
      known = this.#lookUp(this.#places[index * 2]!, this.#places[index * 2 + 1]!);
      this.#known.set(index, known);
    }
    return known;
  }
}
