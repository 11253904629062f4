import type { GetRecordsOutput, _Record } from '@aws-sdk/client-kinesis';
import { cbor, tag } from '@smithy/core/cbor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CborReader } from '../../../src/sources/kinesis/lean/cbor-reader.ts';
import { readGetRecords } from '../../../src/sources/kinesis/lean/get-records-answer.ts';
import { writeCbor } from '../../../src/sources/kinesis/lean/write-cbor.ts';

const record = fc.record(
  {
    SequenceNumber: fc.bigInt({ min: 1n, max: 2n ** 186n }).map(String),
    Data: fc.uint8Array({ maxLength: 300 }),
    PartitionKey: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 256 }),
    ApproximateArrivalTimestamp: fc.date({ min: new Date('2013-12-02'), max: new Date('2100-01-01'), noInvalidDate: true }),
    EncryptionType: fc.constantFrom('NONE', 'KMS'),
  },
  { requiredKeys: ['SequenceNumber', 'Data'] },
);
const answers = fc.record(
  {
    Records: fc.array(record, { maxLength: 30 }),
    NextShardIterator: fc.string({ maxLength: 512 }),
    MillisBehindLatest: fc.nat(),
    ChildShards: fc.array(
      fc.record({
        ShardId: fc.string(),
        ParentShards: fc.array(fc.string(), { maxLength: 2 }),
        HashKeyRange: fc.record({ StartingHashKey: fc.string(), EndingHashKey: fc.string() }),
      }),
      { maxLength: 2 },
    ),
  },
  { requiredKeys: ['Records'] },
) as fc.Arbitrary<GetRecordsOutput>;

/** What is answered, with each record's time as the format has it. */
function withTimes(answer: GetRecordsOutput, time: (at: Date) => unknown): object {
  const Records = answer.Records!.map(({ ApproximateArrivalTimestamp: at, ...rest }) =>
    at ? { ...rest, ApproximateArrivalTimestamp: time(at) } : rest,
  );
  return { ...answer, Records };
}
const encoded = (answer: object): Buffer => Buffer.from(cbor.serialize(answer));
const read = (text: string): GetRecordsOutput => readGetRecords(Buffer.from(text.replaceAll(/\s|\(.*?\)/g, ''), 'hex'));
const hex = (text: string): string => Buffer.from(text).toString('hex');
/** A text of less than 24 bytes. */
const text = (of: string): string => (0x60 + of.length).toString(16) + hex(of);

describe('an answer of GetRecords in CBOR', () => {
  it('is read as the SDK gives it, whatever it holds', () => {
    fc.assert(
      fc.property(answers, (answer) => {
        const bytes = encoded(withTimes(answer, (at) => tag({ tag: 1, value: at.getTime() })));
        expect(readGetRecords(bytes)).toEqual(answer);
      }),
    );
  });

  it('is read with times that have no tag', () => {
    fc.assert(
      fc.property(answers, (answer) => {
        expect(readGetRecords(encoded(withTimes(answer, (at) => at.getTime())))).toEqual(answer);
      }),
    );
  });

  it('gives data as views of the bytes, without a copy', () => {
    const bytes = encoded({ Records: [{ SequenceNumber: '1', Data: Buffer.from('abc') }] });
    const { Data } = readGetRecords(bytes).Records![0]!;
    expect(Data!.buffer).toBe(bytes.buffer);
    expect(Buffer.from(Data!).toString()).toBe('abc');
  });

  it('is read with fields that nobody knows', () => {
    fc.assert(
      fc.property(answers, fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (answer, more) => {
        const known = withTimes(answer, (at) => at.getTime()) as { Records: _Record[] };
        const Records = known.Records.map((one) => ({ ...more, ...one, Tags: more }));
        expect(readGetRecords(encoded({ ...more, ...known, Records, Warnings: [more] }))).toEqual(answer);
      }),
    );
  });

  it('is read with lengths that are indefinite, as a server writes them that streams', () => {
    const data = `5f 42${hex('he')} 43${hex('llo')} 40 ff`;
    const sequence = `7f ${text('49')} ${text('50')} ff`;
    const one = `bf ${text('Data')} ${data} 7f ${text('Sequence')} ${text('Number')} ff ${sequence} ff`;
    const children = `9f bf ${text('ShardId')} ${text('s')} ${text('ParentShards')} 9f ${text('p')} ff ff ff`;
    expect(read(`bf ${text('Records')} 9f ${one} ${one} ff ${text('ChildShards')} ${children} ff`)).toEqual({
      Records: Array.from({ length: 2 }, () => ({ SequenceNumber: '4950', Data: Buffer.from('hello') })),
      ChildShards: [{ ShardId: 's', ParentShards: ['p'] }],
    });
  });

  it('is read with numbers of every width, and tags before anything', () => {
    const behind = (number: string): number | undefined =>
      read(`d9d9f7 (self-described) a2 ${text('Records')} c0 80 78 12 ${hex('MillisBehindLatest')} ${number}`).MillisBehindLatest;
    expect(['17', '1818', '190100', '1a00010000', '1b0000000100000000'].map(behind)).toEqual([23, 24, 256, 65536, 2 ** 32]);
    expect(['f94200', 'fa40400000', 'fb4008000000000000', 'd81829', 'f6'].map(behind)).toEqual([3, 3, 3, -10, undefined]);
  });

  it('takes a text for base64 where bytes belong, and no data for none', () => {
    const Records = [{ SequenceNumber: '1', Data: 'aGVsbG8=' }, { SequenceNumber: '2', Data: null }, { SequenceNumber: '3' }];
    const given = readGetRecords(encoded({ Records, ChildShards: null, NextShardIterator: null }));
    expect(given.Records!.map(({ Data }) => Buffer.from(Data!).toString())).toEqual(['hello', '', '']);
    expect(given).toMatchObject({ NextShardIterator: undefined, ChildShards: undefined });
  });

  it('that is cut off anywhere is a SyntaxError, which is tried again', () => {
    fc.assert(
      fc.property(answers, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (answer, where) => {
        const bytes = encoded(withTimes(answer, (at) => at.getTime()));
        expect(() => readGetRecords(bytes.subarray(0, Math.floor(bytes.length * where)))).toThrow(SyntaxError);
      }),
    );
  });

  it('that is garbage, or was damaged, is a SyntaxError or is read', () => {
    const attempt = (bytes: Buffer): void => {
      try {
        readGetRecords(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => attempt(Buffer.from(bytes))));
    fc.assert(
      fc.property(answers, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), (answer, damage) => {
        const bytes = encoded(withTimes(answer, (at) => at.getTime()));
        for (const [at, byte] of damage) bytes[at % bytes.length] = byte;
        attempt(bytes);
      }),
    );
  });

  const none: Record<string, string> = {
    'a length longer than everything': `a1 ${text('Records')} 9b ffffffffffffffff`,
    'a string longer than everything': `bb 7fffffffffffffff 7b ffffffffffffffff`,
    'a depth without end': `a1 ${text('x')} ${'81'.repeat(100_000)}`,
    'maps without end': `a1 ${text('x')} ${'bf00'.repeat(100_000)}`,
    'tags without end': `a1 ${text('x')} ${'c1'.repeat(100_000)}`,
    'something behind its end': `a1 ${text('Records')} 80 00`,
    'a list': '80',
    'a break where a value belongs': `a1 ${text('Records')} ff`,
    'a key that is a number': 'a1 00 00',
    'a record without a sequence number': `a1 ${text('Records')} 81 a1 ${text('Data')} 40`,
    'a record that is none': `a1 ${text('Records')} 81 01`,
    'a number that is a text': `a1 78 12 ${hex('MillisBehindLatest')} 60`,
    'pieces in the pieces of a string': `a1 ${text('NextShard')} 5f 5f 40 ff ff`,
    'a reserved length': `a1 ${text('x')} 1c`,
    'a reserved simple value': `a1 ${text('x')} f8ff`,
  };
  for (const [what, bytes] of Object.entries(none))
    it(`that has ${what} is a SyntaxError`, () => {
      expect(() => read(bytes)).toThrow(SyntaxError);
    });

  it('of more records than Kinesis gives is a SyntaxError, before they fill the memory', () => {
    const one = `a1 ${text('SequenceNumber')} ${text('1')}`;
    const of = (count: number) => `a1 ${text('Records')} 99 ${count.toString(16)} ${one.repeat(count)}`;
    expect(read(of(10_000)).Records).toHaveLength(10_000);
    expect(() => read(of(10_001))).toThrow('expected at most 10000 records');
  });
});

describe('the reader of CBOR', () => {
  it('reads any value as the SDK does', () => {
    // The SDK would set the prototype with such a name, and leave the field out.
    const values = fc.jsonValue({ maxDepth: 4 }).filter((value) => !JSON.stringify(value).includes('__proto__'));
    fc.assert(
      fc.property(values, (value) => {
        const bytes = Buffer.from(cbor.serialize(value));
        expect(new CborReader(bytes).value()).toEqual(cbor.deserialize(bytes));
      }),
    );
  });

  it('reads a field named as the prototype is as a field', () => {
    const read = new CborReader(Buffer.from(cbor.serialize(JSON.parse('{"__proto__":{"a":1}}')))).value() as object;
    expect(Object.entries(read)).toEqual([['__proto__', { a: 1 }]]);
    expect(Object.getPrototypeOf(read)).not.toHaveProperty('a');
  });
});

describe('a request in CBOR', () => {
  it('is what the SDK reads from it', () => {
    const value = fc.oneof(fc.string({ maxLength: 70_000 }), fc.nat({ max: 2 ** 32 - 1 }), fc.boolean());
    // The SDK would set the prototype with it.
    const name = fc.string({ maxLength: 30 }).filter((text) => text !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 30, noNullPrototype: true }), (input) => {
        expect(cbor.deserialize(writeCbor({ ...input, missing: undefined }))).toEqual(input);
      }),
    );
  });

  it('holds no value that it cannot write', () => {
    for (const value of [-1, 1.5, 2 ** 32, null, {}, new Date()])
      expect(() => writeCbor({ At: value })).toThrow('expected a text, a whole number of 0 or more or a boolean in At');
  });
});
