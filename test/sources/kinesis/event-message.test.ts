import { KinesisClient, SubscribeToShardCommand, type SubscribeToShardEvent } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvent } from '../../../src/sources/kinesis/fan-out/event-message.ts';
import { eventFrame } from '../../support/event-frame.ts';

/** What the SDK reads from a frame. */
async function sdkReads(frame: Uint8Array): Promise<SubscribeToShardEvent | undefined> {
  const client = new KinesisClient({
    region: 'r',
    credentials: { accessKeyId: 'k', secretAccessKey: 's' },
    maxAttempts: 1,
    requestHandler: {
      handle: async () => ({
        response: {
          statusCode: 200,
          headers: {},
          body: (async function* () {
            yield frame;
          })(),
        },
      }),
    } as never,
  });
  const input = { ConsumerARN: 'arn:aws:kinesis:r:000000000000:stream/s/consumer/c:1', ShardId: 's' };
  const { EventStream } = await client.send(new SubscribeToShardCommand({ ...input, StartingPosition: { Type: 'LATEST' } }));
  for await (const { SubscribeToShardEvent: event } of EventStream!) return event;
  return undefined;
}

const digits = fc.bigInt({ min: 0n, max: 10n ** 55n }).map(String);
const record = fc.record({
  SequenceNumber: digits,
  ApproximateArrivalTimestamp: fc.integer({ min: 0, max: 4e12 }).map((ms) => ms / 1000),
  PartitionKey: fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
  Data: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64')),
});
/** Servers write null for what is not there, or leave it out. */
const orNull = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values, { nil: null });
const event = fc.record(
  {
    Records: fc.array(record, { maxLength: 5 }),
    ContinuationSequenceNumber: orNull(digits),
    MillisBehindLatest: orNull(fc.nat()),
    ChildShards: orNull(
      fc.array(
        fc.record({
          ShardId: fc.string({ minLength: 1 }),
          ParentShards: fc.array(fc.string(), { maxLength: 2 }),
          HashKeyRange: fc.record({ StartingHashKey: digits, EndingHashKey: digits }),
        }),
        { maxLength: 2 },
      ),
    ),
  },
  { requiredKeys: ['Records'] },
);

describe('readEvent', () => {
  it('reads what the SDK reads', async () => {
    await fc.assert(
      fc.asyncProperty(event, async (payload) => {
        const frame = eventFrame('event', 'SubscribeToShardEvent', payload);
        const [ours, theirs] = [readEvent(frame)!, (await sdkReads(frame))!];
        const plain = ({ Records, ...rest }: SubscribeToShardEvent) => ({
          ...rest,
          Records: Records!.map((of) => ({ ...of, Data: [...of.Data!] })),
        });
        expect(plain(ours)).toEqual(plain(theirs));
      }),
      { numRuns: 50 },
    );
  });

  it('throws the errors that the SDK throws, by name and message', async () => {
    for (const name of ['InternalFailureException', 'KMSDisabledException', 'ResourceInUseException', 'SomethingNewException']) {
      const frame = eventFrame('exception', name, { message: 'as the test wants it' });
      const theirs = await sdkReads(frame).catch((error: Error) => error);
      expect((theirs as Error).name).toBe(name);
      expect(() => readEvent(frame)).toThrow(expect.objectContaining({ name, message: 'as the test wants it' }));
    }
  });

  it('throws an error that nobody modelled', () => {
    const text = (value: string) => Buffer.concat([Buffer.from([7, 0, value.length]), Buffer.from(value)]);
    const header = (name: string, value: Buffer) => Buffer.concat([Buffer.from([name.length]), Buffer.from(name), value]);
    const more = Buffer.concat([header(':error-code', text('Throttled')), header(':error-message', text('too fast'))]);
    const frame = eventFrame('error' as never, '', {}, more);
    expect(() => readEvent(frame)).toThrow(expect.objectContaining({ name: 'Throttled', message: 'too fast' }));
  });

  it('knows headers of all types, and leaves out events that it does not know', () => {
    const types: [type: number, value: number[]][] = [
      [0, []],
      [1, []],
      [2, [1]],
      [3, [1, 2]],
      [4, [1, 2, 3, 4]],
      [5, [1, 2, 3, 4, 5, 6, 7, 8]],
      [6, [0, 3, 1, 2, 3]],
      [8, [1, 2, 3, 4, 5, 6, 7, 8]],
      [9, Array.from({ length: 16 }, (_, i) => i)],
    ];
    const more = Buffer.concat(types.map(([type, value]) => Buffer.from([1, 0x78, type, ...value])));
    expect(readEvent(eventFrame('event', 'SubscribeToShardEvent', { Records: [] }, more))).toMatchObject({ Records: [] });
    expect(readEvent(eventFrame('event', 'initial-response', {}))).toBeUndefined();
  });

  it('fails on a frame of which a bit was changed', () => {
    const frame = eventFrame('event', 'SubscribeToShardEvent', { Records: [], ContinuationSequenceNumber: '1' });
    for (let i = 4; i < frame.length; i++) {
      const changed = Buffer.from(frame);
      changed[i]! ^= 1 << (i % 8);
      expect(() => readEvent(changed)).toThrow(SyntaxError);
    }
  });
});
