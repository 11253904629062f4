import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Shard } from '../../../src/sources/shards/shard-set.ts';
import { type Part, Unpacker, isPacked } from '../../../src/sources/kinesis/unpack/unpack.ts';
import { aggregateByAws } from '../../support/aws-kinesis-agg.ts';
import { aggregate, bytesField, compressed, compressedBatch, numberField, sealed } from '../../support/aggregates.ts';

const LAST_HASH_KEY = 2n ** 128n - 1n;
const whole: Shard = { id: 's', parents: [], hashKeys: { first: '0', last: String(LAST_HASH_KEY) } };
const upperHalf: Shard = { id: 's', parents: [], hashKeys: { first: String(2n ** 127n), last: String(LAST_HASH_KEY) } };

function partsOf(data: Uint8Array, shard: Shard = whole, maxUnpackedBytes = 1_000_000): Part[] {
  const unpacked = new Unpacker(shard, { maxUnpackedBytes }).unpack(data);
  return 'data' in unpacked ? [unpacked] : [...unpacked];
}

const textsOf = (parts: readonly Part[]): string[] => parts.map(({ data }) => Buffer.from(data).toString());

/** What became of a record that went on, or not, as a whole, with its bytes as they came. */
function fateOf(data: Uint8Array, shard = whole, maxUnpackedBytes?: number): Part['fate'] {
  const [part, ...others] = partsOf(data, shard, maxUnpackedBytes);
  expect(others).toEqual([]);
  expect(Buffer.from(part!.data).equals(data)).toBe(true);
  return part!.fate;
}

const bytes = fc.uint8Array({ maxLength: 300 });
const plain = bytes.filter((data) => !isPacked(data));
const method = fc.constantFrom('gzip' as const, 'zstd' as const);
const hashKeyOf = (partitionKey: string): bigint => BigInt(`0x${createHash('md5').update(partitionKey).digest('hex')}`);

describe('an aggregate', () => {
  it('gives its user records back, byte for byte and without a copy', () => {
    const userRecord = fc.record({
      data: plain,
      partitionKey: fc.string({ minLength: 1, maxLength: 5 }),
      explicitHashKey: fc.option(fc.bigInt({ min: 0n, max: LAST_HASH_KEY }).map(String), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(userRecord, { minLength: 1 }), (records) => {
        const packed = aggregate(records);
        expect(isPacked(packed)).toBe(true);
        const parts = partsOf(packed);
        expect(parts.map(({ data }) => [...data])).toEqual(records.map(({ data }) => [...data]));
        expect(parts.every(({ fate, data }) => fate === undefined && data.buffer === packed.buffer)).toBe(true);
      }),
    );
  });

  it('gives them back when the encoder of AWS made it, and dropped by the same rule', () => {
    const userRecord = fc.record(
      {
        data: plain.map((data) => Buffer.from(data)),
        // That encoder mixes up keys which look like small numbers.
        partitionKey: fc.string({ maxLength: 300, unit: 'grapheme' }).map((key) => `key ${key}`),
        explicitHashKey: fc.bigInt({ min: 2n ** 64n, max: LAST_HASH_KEY }).map(String),
      },
      { requiredKeys: ['data', 'partitionKey'] },
    );
    fc.assert(
      fc.property(fc.array(userRecord, { minLength: 1 }), (records) => {
        const packed = aggregateByAws(records);
        expect(partsOf(packed).map(({ data }) => [...data])).toEqual(records.map(({ data }) => [...data]));
        const isHere = records.every(
          ({ partitionKey, explicitHashKey }) => BigInt(explicitHashKey ?? hashKeyOf(partitionKey)) >= 2n ** 127n,
        );
        expect(partsOf(packed, upperHalf)).toHaveLength(isHere ? records.length : 1);
        if (!isHere) expect(fateOf(packed, upperHalf)).toBe('other-shard');
      }),
    );
  });

  it('may have its fields in any order, fields that nobody knows, and tags', () => {
    const record = Buffer.concat([
      bytesField(4, bytesField(1, 'tag')),
      bytesField(3, 'data'),
      numberField(1, 1),
      numberField(9, 2 ** 40),
    ]);
    const message = Buffer.concat([
      bytesField(3, record),
      bytesField(1, 'a'),
      Buffer.from([8 * 7 + 1, 1, 2, 3, 4, 5, 6, 7, 8]),
      bytesField(1, 'b'),
      Buffer.from([8 * 6 + 5, 1, 2, 3, 4]),
    ]);
    expect(textsOf(partsOf(sealed(message)))).toEqual(['data']);
  });

  it('goes on when every user record belongs to the shard, and is dropped as a whole when one does not', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ data: plain, partitionKey: fc.string({ minLength: 1 }) }), { minLength: 1, maxLength: 5 }),
        fc.bigInt({ min: 0n, max: LAST_HASH_KEY }),
        fc.bigInt({ min: 0n, max: LAST_HASH_KEY }),
        (records, a, b) => {
          const [first, last] = a < b ? [a, b] : [b, a];
          const isHere = records.every(({ partitionKey: key }) => hashKeyOf(key) >= first && hashKeyOf(key) <= last);
          const packed = aggregate(records);
          const parts = partsOf(packed, { id: 's', parents: [], hashKeys: { first: String(first), last: String(last) } });
          if (isHere) expect(parts).toHaveLength(records.length);
          else expect(parts).toEqual([{ data: packed, fate: 'other-shard' }]);
        },
      ),
    );
  });

  it('goes by the explicit hash key of a user record before its partition key; both ends of a shard are in', () => {
    const key = Array.from({ length: 99 }, (_, i) => `key ${i}`).find((text) => hashKeyOf(text) < 2n ** 127n)!;
    const of = (explicitHashKey?: bigint) =>
      aggregate(['first', 'last'].map((data) => ({ data, partitionKey: key, explicitHashKey: explicitHashKey?.toString() })));
    expect(fateOf(of(), upperHalf)).toBe('other-shard');
    expect(textsOf(partsOf(of(2n ** 127n), upperHalf))).toEqual(['first', 'last']);
    expect(textsOf(partsOf(of(LAST_HASH_KEY), upperHalf))).toEqual(['first', 'last']);
    expect(fateOf(of(2n ** 127n - 1n), upperHalf)).toBe('other-shard');
  });

  it('is one reject when a byte of it is not as it was', () => {
    const packed = aggregate(['one', 'two']);
    for (let i = 4; i < packed.length; i++) {
      const damaged = Buffer.from(packed);
      damaged[i]! ^= 1;
      expect(fateOf(damaged)).toMatchObject({ step: 'kinesis', code: 'aggregate_checksum' });
    }
    for (let length = 20; length < packed.length; length++)
      expect(fateOf(packed.subarray(0, length))).toMatchObject({ code: 'aggregate_checksum' });
    expect(fateOf(packed.subarray(0, 19))).toMatchObject({ code: 'aggregate_format' });
  });

  it('is one reject when its message is none, whatever its bytes', () => {
    const key = bytesField(1, 'key');
    const messages = {
      'a field with number 0': Buffer.from([2, 0]),
      'of wire type 3': Buffer.from([8 * 3 + 3]),
      'a field of 5 bytes where 1 are left': Buffer.concat([key, Buffer.from([8 * 3 + 2, 5, 0])]),
      'a number that is cut off': Buffer.concat([key, Buffer.from([255])]),
      'a number of more than 10 bytes': Buffer.alloc(12, 255),
      'field 3 of wire type 0': numberField(3, 1),
      "a user record's field 3 of wire type 0": Buffer.concat([key, bytesField(3, numberField(3, 1))]),
      'without a partition key': Buffer.concat([key, bytesField(3, bytesField(3, 'data'))]),
      'without data': Buffer.concat([key, bytesField(3, numberField(1, 0))]),
      'key 1 of 1': Buffer.concat([key, bytesField(3, Buffer.concat([numberField(1, 1), bytesField(3, 'data')]))]),
    };
    for (const [reason, message] of Object.entries(messages))
      expect(fateOf(sealed(message)), reason).toMatchObject({
        step: 'kinesis',
        code: 'aggregate_format',
        reason: expect.stringContaining(reason) as string,
      });
    for (const explicitHashKey of ['-1', '0x1', String(LAST_HASH_KEY + 1n)])
      expect(fateOf(aggregate([{ data: 'a', explicitHashKey }]), upperHalf)).toMatchObject({ code: 'aggregate_format' });
    fc.assert(
      fc.property(bytes, (message) => {
        const parts = partsOf(sealed(message), upperHalf);
        expect(parts.length).toBeGreaterThan(0);
      }),
    );
  });

  it('with nothing in it is a drop, so that it counts', () => {
    expect(fateOf(sealed(bytesField(1, 'key')))).toBe('empty-aggregate');
  });
});

describe('a compressed batch', () => {
  it('gives its payloads back, byte for byte, as parts of one decompressed batch', () => {
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1 }), method, (records, by) => {
        const packed = compressedBatch(records, by);
        expect(isPacked(packed)).toBe(true);
        const parts = partsOf(packed);
        expect(parts.map(({ data }) => [...data])).toEqual(records.map((data) => [...data]));
        expect(new Set(parts.map(({ data }) => data.buffer)).size).toBe(1);
      }),
    );
  });

  it('keeps no more memory than it is long', () => {
    for (const by of ['gzip', 'zstd'] as const)
      for (const length of [1, 1000, 100_000]) {
        const [part] = partsOf(compressedBatch(['x'.repeat(length)], by));
        expect(part!.data.buffer.byteLength).toBeLessThanOrEqual(2 * (length + 6));
      }
  });

  it('inside an aggregate is taken apart too, each user record by itself', () => {
    const packed = aggregate(['a', compressedBatch(['b', 'c'], 'zstd'), compressedBatch(['d'], 'gzip', [2, 1]), 'e']);
    const parts = partsOf(packed);
    expect(textsOf(parts.filter(({ fate }) => fate === undefined))).toEqual(['a', 'b', 'c', 'e']);
    expect(parts[3]).toMatchObject({ fate: { code: 'batch_format' } });
    expect(Buffer.from(parts[3]!.data)).toEqual(compressedBatch(['d'], 'gzip', [2, 1]));
  });

  it('is one reject when it is cut off, damaged, or has something behind its end', () => {
    for (const by of ['gzip', 'zstd'] as const) {
      const packed = compressedBatch(['one', 'two'.repeat(1000)], by);
      for (let length = 4; length < packed.length; length++)
        expect(fateOf(packed.subarray(0, length))).toMatchObject({ step: 'kinesis', code: 'batch_format' });
      for (const tail of [packed, Buffer.alloc(9), Buffer.from('tail')])
        expect(fateOf(Buffer.concat([packed, tail]))).toMatchObject({ code: 'batch_format' });
    }
    const damaged = compressedBatch(['one', 'two'], 'gzip');
    damaged[damaged.length - 6]! ^= 1;
    expect(fateOf(damaged)).toMatchObject({ code: 'batch_format', reason: expect.stringContaining('data check') as string });
  });

  it('is one reject when a length runs over its end, or its version is not known', () => {
    for (const by of ['gzip', 'zstd'] as const) {
      const batch = Buffer.from([1, 1, 0, 0, 0, 1, 7, 0, 0, 0, 2, 8]);
      expect(fateOf(compressed(batch, by))).toMatchObject({ reason: 'expected a payload of 2 bytes at 7, got 1' });
      expect(fateOf(compressed(batch.subarray(0, 9), by))).toMatchObject({ reason: 'expected 4 bytes of a length at 7, got 2' });
      expect(fateOf(compressed(Buffer.from([1, 1, 255, 0, 0, 1]), by))).toMatchObject({ code: 'batch_format' });
      for (const versions of [[2, 1], [1, 2], [1], []])
        expect(fateOf(compressed(Buffer.from(versions), by))).toMatchObject({
          code: 'batch_format',
          reason: expect.stringMatching(/version .* unpack: false/) as string,
        });
    }
  });

  it('is one reject when it would become larger than it may, and never does', () => {
    const bomb = Buffer.alloc(256 * 1024 * 1024);
    bomb.set([1, 1]);
    for (const packed of [gzipSync(bomb, { level: 1 }), zstdCompressSync(bomb)]) {
      const before = process.memoryUsage.rss();
      expect(fateOf(packed, whole, 1024 * 1024)).toEqual({
        step: 'kinesis',
        code: 'batch_too_large',
        reason: 'expected at most 1048576 bytes once decompressed, got more',
      });
      expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    }
    const exact = compressedBatch(['x'.repeat(94)], 'zstd');
    expect(partsOf(exact, whole, 100)).toHaveLength(1);
    expect(fateOf(exact, whole, 99)).toMatchObject({ code: 'batch_too_large' });
  });

  it('shares what a record may become with the others inside it; behind one that is too large none is tried', () => {
    const batchOf = (bytes: number) => compressedBatch(['x'.repeat(bytes - 6)], 'zstd');
    const fates = (limit: number) =>
      partsOf(aggregate([batchOf(60), 'plain', batchOf(40), batchOf(10)]), whole, limit).map(({ fate }) =>
        typeof fate === 'object' ? fate.code : fate,
      );
    expect(fates(110)).toEqual([undefined, undefined, undefined, undefined]);
    expect(fates(109)).toEqual([undefined, undefined, undefined, 'batch_too_large']);
    expect(fates(99)).toEqual([undefined, undefined, 'batch_too_large', 'batch_too_large']);
  });

  it('with nothing in it is a drop, so that it counts', () => {
    for (const by of ['gzip', 'zstd'] as const) expect(fateOf(compressedBatch([], by))).toBe('empty-batch');
  });
});

describe('a record of its own', () => {
  it('is left as it is', () => {
    for (const text of ['', 'shop\tweb', 'f3899ac2', '(', '\x1f', '\x28\xb5/'])
      expect(isPacked(Buffer.from(text, 'latin1'))).toBe(false);
  });
});
