import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { batchOf } from '../../src/demo/batch.ts';

export interface UserRecord {
  readonly data: string | Uint8Array;
  /** @default 'any' */
  readonly partitionKey?: string | undefined;
  /** A hash key in decimal digits that stands for that of the partition key: the one of the shard it is meant for. */
  readonly explicitHashKey?: string | undefined;
}

/** Makes one record of many, as the Kinesis Producer Library does: magic number, protobuf message, MD5. */
export function aggregate(records: readonly (string | Uint8Array | UserRecord)[]): Buffer {
  const userRecords = records.map((record) =>
    typeof record === 'string' || record instanceof Uint8Array ? { data: record } : record,
  );
  const partitionKeys = [...new Set(userRecords.map(({ partitionKey = 'any' }) => partitionKey))];
  const hashKeys = [...new Set(userRecords.flatMap(({ explicitHashKey }) => explicitHashKey ?? []))];
  return sealed(
    Buffer.concat([
      ...partitionKeys.map((key) => bytesField(1, key)),
      ...hashKeys.map((key) => bytesField(2, key)),
      ...userRecords.map(({ data, partitionKey = 'any', explicitHashKey }) =>
        bytesField(
          3,
          Buffer.concat([
            numberField(1, partitionKeys.indexOf(partitionKey)),
            explicitHashKey === undefined ? Buffer.alloc(0) : numberField(2, hashKeys.indexOf(explicitHashKey)),
            bytesField(3, data),
          ]),
        ),
      ),
    ]),
  );
}

/** Puts the magic number and the MD5 around a protobuf message. */
export function sealed(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('f3899ac2', 'hex'), message, createHash('md5').update(message).digest()]);
}

/** Makes a batch of Snowplow's, compressed. */
export function compressedBatch(
  records: readonly (string | Uint8Array)[],
  by: 'gzip' | 'zstd',
  versions?: readonly [number, number],
): Buffer {
  return compressed(
    batchOf(
      records.map((record) => Buffer.from(record)),
      versions,
    ),
    by,
  );
}

export function compressed(bytes: Uint8Array, by: 'gzip' | 'zstd'): Buffer {
  return by === 'gzip' ? gzipSync(bytes) : zstdCompressSync(bytes);
}

/** A field of a protobuf message that has bytes: a text, bytes, a message. */
export function bytesField(field: number, bytes: string | Uint8Array): Buffer {
  const value = Buffer.from(bytes);
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}

/** A field of a protobuf message that has a whole number. */
export function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Buffer.from([...bytes, value]);
}
