import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { afterEach, describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import { Ledger } from '../../../src/ledger.ts';
import { type KinesisOptions, kinesis } from '../../../src/sources/kinesis.ts';
import type { Source } from '../../../src/sources/source.ts';
import {
  type CallFault,
  GAP,
  type FaultyKinesis,
  type FaultyKinesisOptions,
  startFaultyKinesis,
} from '../../support/faulty-kinesis.ts';
import { hurried } from '../../support/hurried.ts';
import { readSource, textsByShard } from '../../support/read-source.ts';

const servers: FaultyKinesis[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function faulty(
  given: FaultyKinesisOptions,
  options: Partial<KinesisOptions> = {},
): Promise<FaultyKinesis & { source: Source<Uint8Array> }> {
  const server = await startFaultyKinesis(given);
  servers.push(server);
  return { ...server, source: kinesis({ stream: 'shop', endpoint: server.endpoint, listEvery: { hours: 1 }, ...options }) };
}

function inBothProtocols<A, B>(cases: readonly (readonly [A, B])[]): [A, B, 'lean' | 'stock'][] {
  return cases.flatMap(([a, b]): [A, B, 'lean' | 'stock'][] => [
    [a, b, 'lean'],
    [a, b, 'stock'],
  ]);
}

const local = { accessKeyId: 'local', secretAccessKey: 'local' };

function clientWith({ endpoint }: FaultyKinesis, credentials: NonNullable<KinesisClientConfig['credentials']>): KinesisClient {
  return new KinesisClient({ endpoint, region: 'us-east-1', maxAttempts: 1, credentials, requestHandler: new NodeHttpHandler() });
}

const six = ['a', 'b', 'c', 'd', 'e', 'f'];
const scheduler = hurried(50);
const retries = (diagnostics: readonly Diagnostic[]) => diagnostics.filter(({ type }) => type === 'source-retry');

/** The iterators made to read on; sequence numbers of this server tell no time, so it is asked before whether they are kept. */
const iteratorsBehind = (calls: FaultyKinesis['calls']) =>
  calls
    .filter(({ operation, input }) => operation === 'GetShardIterator' && input['ShardIteratorType'] !== 'AT_SEQUENCE_NUMBER')
    .map(({ input }) => input);

describe('kinesis', () => {
  it('reads the shards of all pages, closed ones too', async () => {
    const shards = Array.from({ length: 7 }, (_, i) => ({ id: `shard-${i}`, records: [`r${i}`], isClosed: true }));
    const { source, calls } = await faulty({ shards, pageSize: 3 });
    const { completed, events } = readSource(source, { scheduler });
    await completed;
    expect(events).toHaveLength(7);
    const listed = calls.filter(({ operation }) => operation === 'ListShards').map(({ input }) => input);
    expect(listed.slice(0, 3)).toEqual([{ StreamName: 'shop' }, { NextToken: '3' }, { NextToken: '6' }]);
  });

  it('completes when every shard has ended', async () => {
    const { source } = await faulty({ shards: [{ id: 's', records: six, isClosed: true }] }, { maxRecords: 4 });
    const caughtUp: boolean[] = [];
    const { completed, events, diagnostics } = readSource(source, {
      scheduler,
      report: ({ type }, { ledger }) => type === 'shard-lag' && caughtUp.push(ledger.caughtUpAtMs('s') !== undefined),
    });
    await completed;
    expect(textsByShard(events)).toEqual({ s: six });
    expect(caughtUp).toEqual([false, true]);
    expect(diagnostics.map(({ type }) => type)).toEqual(['shard-started', 'shard-lag', 'shard-lag', 'shard-ended']);
    expect(diagnostics[1]).toMatchObject({ shard: 's', behindMs: 1000 });
  });

  it('reads a child only after all its parents, from its oldest record, also one that no list had', async () => {
    const shards = [
      { id: 'child', parents: ['left', 'right'], records: ['c'], isClosed: true },
      { id: 'left', records: six, isClosed: true },
      { id: 'right', records: ['r'], isClosed: true },
      { id: 'unlisted', parents: ['child'], records: ['u'], isClosed: true },
    ];
    const { source } = await faulty(
      { shards, pageSize: 3, fault: ({ input }) => (input['NextToken'] ? { body: '{"Shards":[]}' } : undefined) },
      { maxRecords: 2 },
    );
    const { completed, events, acquired } = readSource(source, { scheduler });
    await completed;
    expect(events.slice(-2).map(({ shard }) => shard)).toEqual(['child', 'unlisted']);
    expect(events).toHaveLength(9);
    expect(acquired.get('child')!.from).toBe('TRIM_HORIZON');
  });

  it('lists no shards anew for one that names its children: AWS answers few such calls', async () => {
    const shards = [
      { id: 'parent', records: six, isClosed: true },
      { id: 'child', parents: ['parent'], records: ['c'] },
    ];
    const { source, calls } = await faulty({ shards });
    await readSource(source, { scheduler, stopAfter: 7 }).completed;
    expect(calls.filter(({ operation }) => operation === 'ListShards')).toHaveLength(1);
  });

  it('begins a shard inside an aggregate with its record, and skips what lies at or before', async () => {
    const { source, calls } = await faulty({ shards: [{ id: 's', records: six }] });
    const { completed, events } = readSource(source, {
      scheduler,
      acquire: async (shard) => ({ shard, sequence: '3', subSequence: 2 }),
      stopAfter: 3,
    });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['d', 'e', 'f'] });
    expect(calls.find(({ operation }) => operation === 'GetShardIterator')!.input).toMatchObject({
      ShardIteratorType: 'AT_SEQUENCE_NUMBER',
      StartingSequenceNumber: '3',
    });
  });

  it('names the stream by its ARN when it is given one', async () => {
    const { source, calls } = await faulty(
      { shards: [{ id: 's', records: six, isClosed: true }] },
      { stream: 'arn:aws:kinesis:eu-west-1:123456789012:stream/shop' },
    );
    expect(source.describe).toMatch(/^stream arn:aws:kinesis:\S+ at 127\.0\.0\.1:\d+$/);
    for (const region of [undefined, 'us-east-1']) {
      const { describe: text } = kinesis({ stream: 'arn:aws:kinesis:eu-west-1:123456789012:stream/shop', region });
      expect(text).toMatch(/ in eu-west-1$/);
    }
    await readSource(source, { scheduler }).completed;
    expect(calls.every(({ input }) => String(input['StreamARN']).endsWith('stream/shop') && !('StreamName' in input))).toBe(true);
  });

  describe('calls', () => {
    it('GetRecords at most 5 times a second, however far it is behind', async () => {
      const { source } = await faulty(
        { shards: [{ id: 's', records: Array.from({ length: 30 }, () => 'r') }] },
        { maxRecords: 1 },
      );
      const beganAtMs: number[] = [];
      const { completed } = readSource(source, {
        scheduler,
        stopAfter: 30,
        onEvent: ({ delivery }) => beganAtMs.push(delivery.readAtMs),
      });
      await completed;
      // 30 reads: 5 at once, then 5 a second.
      expect(beganAtMs.at(-1)! - beganAtMs[0]!).toBeGreaterThan(4_500);
    });

    it('no sooner than the stream allows to read on, once it was refused', async () => {
      const record = Buffer.alloc(1024 * 1024);
      const clock = hurried(20);
      let [opensAtMs, refused] = [0, 0];
      const { source } = await faulty(
        {
          shards: [{ id: 's', records: Array.from({ length: 40 }, () => record) }],
          fault({ operation }) {
            if (operation !== 'GetRecords') return undefined;
            if (clock.now() < opensAtMs) {
              refused++;
              return { status: 400, type: 'ProvisionedThroughputExceededException' };
            }
            // It gives 2 MB a second. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
            opensAtMs = clock.now() + 2_000;
            return undefined;
          },
        },
        { maxRecords: 4 },
      );
      const { completed, events } = readSource(source, { scheduler: clock, stopAfter: 40 });
      await completed;
      expect(events).toHaveLength(40);
      expect(refused).toBeLessThan(8);
    });

    it('once in a time that is longer than a timer can wait', async () => {
      const never = { pollEveryMs: Number.POSITIVE_INFINITY, listEvery: { weeks: 52 }, requestTimeout: { weeks: 52 } };
      const { source, calls } = await faulty({ shards: [{ id: 's', records: six }] }, never);
      const { completed, diagnostics, stop } = readSource(source, {
        report: ({ type }) => type === 'shard-lag' && setTimeout(() => stop.abort(), 50),
      });
      await completed;
      expect(calls.map(({ operation }) => operation)).toEqual(['ListShards', 'GetShardIterator', 'GetRecords']);
      expect(retries(diagnostics)).toEqual([]);
    });

    it('again at once after an empty answer while it is behind, 5 times a second', async () => {
      const gaps = Array.from({ length: 28 }, (): typeof GAP => GAP);
      const { source } = await faulty({ shards: [{ id: 's', records: ['a', ...gaps, 'b'] }] }, { pollEveryMs: 600_000 });
      const { completed, events, diagnostics } = readSource(source, { scheduler, stopAfter: 2 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: ['a', 'b'] });
      expect(events[1]!.position.sequence).toBe('30');
      const readAtMs = diagnostics.flatMap((one) => (one.type === 'shard-lag' && one.behindMs > 0 ? one.readAtMs : []));
      expect(readAtMs).toHaveLength(29);
      expect(readAtMs[28]! - readAtMs[0]!).toBeLessThan(600_000);
      expect(readAtMs[28]! - readAtMs[0]!).toBeGreaterThan(4_500);
    });

    it('again at once while it is behind, and every 200 ms when it has read all', async () => {
      const { source } = await faulty({ shards: [{ id: 's', records: six }] }, { maxRecords: 2 });
      const readAtMs: number[] = [];
      const clock = hurried(5);
      const { completed, stop } = readSource(source, {
        scheduler: clock,
        report(diagnostic) {
          if (diagnostic.type !== 'shard-lag') return;
          readAtMs.push(diagnostic.readAtMs);
          if (readAtMs.length === 14) stop.abort();
        },
      });
      await completed;
      // The third answer is full, so a fourth, empty one has to tell that this was all.
      expect(readAtMs[13]! - readAtMs[3]!).toBeGreaterThan(9 * 200);
    });
  });

  describe('tries again', () => {
    const passing: Record<string, CallFault> = {
      throttling: { status: 400, type: 'ProvisionedThroughputExceededException' },
      'too many calls': { status: 400, type: 'LimitExceededException' },
      'throttling by KMS': { status: 400, type: 'KMSThrottlingException' },
      'a server error': { status: 500, type: 'InternalFailure' },
      'a server that is down': { status: 503, type: 'ServiceUnavailable' },
      'a reset connection': { reset: 'at once' },
      'a reset in the middle of an answer': { reset: 'in the body' },
      'an answer that is cut off': { half: true },
      'an answer that is JSON and cut off': { body: '{"Records":[{"Da' },
      'an answer of nothing': { body: '' },
      'an answer without content': { body: '{}' },
      'an answer that never comes': { hang: 'at once' },
      'an answer that stops in its middle': { hang: 'in the body' },
    };
    for (const [what, fault, protocol] of inBothProtocols(Object.entries(passing)))
      it(`after ${what}, in every call, with nothing lost or read twice (${protocol})`, async () => {
        const { source } = await faulty(
          { shards: [{ id: 's', records: six }], fault: ({ nth }) => (nth % 3 < 2 ? fault : undefined) },
          { maxRecords: 2, protocol, requestTimeout: { seconds: 'hang' in fault ? 0.2 : 30 }, listEvery: { hours: 1 } },
        );
        const { completed, events, diagnostics } = readSource(source, { scheduler, stopAfter: 6 });
        await completed;
        expect(textsByShard(events)).toEqual({ s: six });
        // Twice for each of ListShards, GetShardIterator and three GetRecords.
        expect(retries(diagnostics)).toHaveLength(10);
        expect(retries(diagnostics)[1]).toMatchObject({ shard: 'all shards', attempt: 2 });
        expect(retries(diagnostics)[9]).toMatchObject({ shard: 's', attempt: 2 });
      });

    it('with a new iterator behind the last record when the old one has expired, also twice in a row', async () => {
      let reads = 0;
      const { source, calls } = await faulty(
        {
          shards: [{ id: 's', records: six }],
          fault: ({ operation, input }) =>
            operation === 'GetRecords' && input['Limit'] === 2 && [0, 2, 3].includes(reads++)
              ? { status: 400, type: 'ExpiredIteratorException' }
              : undefined,
        },
        { maxRecords: 2 },
      );
      const { completed, events } = readSource(source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      const iterators = iteratorsBehind(calls);
      expect(iterators.map((input) => [input['ShardIteratorType'], input['StartingSequenceNumber']])).toEqual([
        ['TRIM_HORIZON', undefined],
        ['TRIM_HORIZON', undefined],
        ['AFTER_SEQUENCE_NUMBER', '2'],
        ['AFTER_SEQUENCE_NUMBER', '2'],
      ]);
    });

    it('with an iterator made anew when it had to wait long for room', async () => {
      const { source, calls } = await faulty({ shards: [{ id: 's', records: six }] }, { maxRecords: 2 });
      const clock = hurried(500);
      const { completed, events, diagnostics } = readSource(source, {
        scheduler: clock,
        ledger: new Ledger({ maxInFlightBytes: 1 }),
        stopAfter: 6,
        onEvent({ delivery }, { events: { length } }) {
          if (length !== 2) return;
          delivery.hold();
          clock.schedule(() => delivery.release(), 6 * 60_000);
        },
      });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(retries(diagnostics)).toEqual([]);
      const made = iteratorsBehind(calls);
      expect(made.map((input) => input['StartingSequenceNumber'])).toEqual([undefined, '2']);
    });

    it('when an iterator expires and its renewal fails in passing too', async () => {
      const { source } = await faulty(
        {
          shards: [{ id: 's', records: six }],
          fault({ operation, nth }) {
            if (operation === 'GetRecords' && nth === 1) return { status: 400, type: 'ExpiredIteratorException' };
            if (operation === 'GetShardIterator' && nth === 1)
              return { status: 400, type: 'ProvisionedThroughputExceededException' };
            return operation === 'GetShardIterator' && nth === 2 ? { reset: 'in the body' } : undefined;
          },
        },
        { maxRecords: 2 },
      );
      const { completed, events, diagnostics } = readSource(source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(retries(diagnostics)).toHaveLength(3);
    });

    it('when its clock is wrong: it goes by that of the stream then', async () => {
      const { source } = await faulty({
        shards: [{ id: 's', records: six }],
        aheadMs: 3_600_000,
        fault: ({ nth }) =>
          nth === 0 ? { status: 400, type: 'InvalidSignatureException', message: 'Signature expired: …' } : undefined,
      });
      const { completed, events } = readSource(source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
    });

    it('lists from the beginning when the token of a page has expired', async () => {
      const shards = [0, 1, 2].map((i) => ({ id: `s${i}`, records: ['r'], isClosed: true }));
      const { source } = await faulty({
        shards,
        pageSize: 2,
        fault: ({ operation, nth }) =>
          operation === 'ListShards' && nth === 1 ? { status: 400, type: 'ExpiredNextTokenException' } : undefined,
      });
      const { completed, events } = readSource(source, { scheduler });
      await completed;
      expect(events).toHaveLength(3);
    });

    it('when an answer says that a shard has ended which is open, and reads on', async () => {
      const { source } = await faulty(
        {
          shards: [{ id: 's', records: six, startsAt: '1' }],
          fault: ({ operation, nth }) =>
            operation === 'GetRecords' && nth === 1
              ? { body: '{"Records":[],"MillisBehindLatest":0,"ChildShards":[]}' }
              : undefined,
        },
        { maxRecords: 2 },
      );
      const { completed, events, diagnostics } = readSource(source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(retries(diagnostics)).toHaveLength(1);
    });

    it('until the time has come at which it is to begin, when its clock is ahead of the stream', async () => {
      const { source } = await faulty({
        shards: [{ id: 's', records: six }],
        fault: ({ operation, nth }) =>
          operation === 'GetShardIterator' && nth < 3
            ? {
                status: 400,
                type: 'InvalidArgumentException',
                message: 'The timestampInMillis parameter cannot be greater than the currentTimestampInMillis.',
              }
            : undefined,
      });
      const { diagnostics, completed } = readSource(source, {
        scheduler,
        start: 'LATEST',
        report: ({ type }, { stop }) => type === 'shard-lag' && stop.abort(),
      });
      await completed;
      expect(retries(diagnostics)).toHaveLength(3);
    });

    it('when new credentials, or the address, cannot be had for a while', async () => {
      const away = [
        { name: 'CredentialsProviderError', message: 'Could not load credentials from any providers' },
        { name: 'Error', code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND kinesis.eu-west-1.amazonaws.com' },
      ];
      const shards = [{ id: 's', records: six }];
      const server = await faulty({ shards });
      let isAway = false;
      const client = clientWith(server, async () => {
        if (isAway) throw Object.assign(new Error(), away.shift());
        return { ...local, expiration: new Date() };
      });
      const { completed, events, diagnostics } = readSource(kinesis({ stream: 'shop', client, maxRecords: 3 }), {
        scheduler,
        stopAfter: 6,
        report: ({ type }) => (isAway = away.length > 0 && type !== 'shard-started'),
      });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(retries(diagnostics)).toHaveLength(2);
    });

    it('when something else than HTTP comes, but not before the first answer', async () => {
      const reading = async (failing: string) => {
        const { source } = await faulty({
          shards: [{ id: 's', records: six }],
          fault: ({ operation, nth }) => (operation === failing && nth === 0 ? { bytes: 'this is prose\n\n' } : undefined),
        });
        return readSource(source, { scheduler, stopAfter: 6 });
      };
      const { completed, events, diagnostics } = await reading('GetRecords');
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(retries(diagnostics)).toHaveLength(1);
      await expect((await reading('ListShards')).completed).rejects.toThrow(/Parse Error/);
    });

    it('when credentials do not come, within the time of a call', async () => {
      const server = await faulty({ shards: [] });
      const client = clientWith(server, () => new Promise(() => {}));
      const source = kinesis({ stream: 'shop', client, requestTimeout: { seconds: 0.1 } });
      const { completed, diagnostics } = readSource(source, {
        scheduler,
        report: (_, { diagnostics: { length }, stop }) => length === 2 && stop.abort(),
      });
      await completed;
      expect(retries(diagnostics)).toMatchObject([{ error: { name: 'TimeoutError' } }, { error: { name: 'TimeoutError' } }]);
    });

    it('keeps no reservation while it waits', async () => {
      const { source } = await faulty({
        shards: [{ id: 's', records: six }],
        fault: ({ operation, nth }) => (operation === 'GetRecords' && nth < 5 ? { reset: 'at once' } : undefined),
      });
      const { completed, ledger } = readSource(source, {
        scheduler,
        stopAfter: 6,
        report: ({ type }, reading) => {
          if (type !== 'source-retry') return;
          let isFree = false;
          void reading.ledger.room.reserve(reading.ledger.room.maxInFlightBytes).then(() => (isFree = true));
          queueMicrotask(() => {
            expect(isFree).toBe(true);
            reading.ledger.room.unreserve(reading.ledger.room.maxInFlightBytes);
          });
        },
      });
      await completed;
      expect(ledger.counts().read).toBe(6);
    });
  });

  describe('ends with what to do', () => {
    const permanent: [fault: { type: string; message?: string }, advice: RegExp][] = [
      [
        { type: 'ResourceNotFoundException', message: 'Stream shop under account 123 not found.' },
        /kinesis shop.*not found.*Create the stream, or correct its name/,
      ],
      [
        { type: 'ResourceNotFoundException', message: 'Shard s in stream shop under account 123 does not exist' },
        /kinesis shop.*does not exist.*a new run reads what there is/,
      ],
      [{ type: 'AccessDeniedException' }, /Allow these credentials kinesis:DescribeStreamSummary/],
      [{ type: 'ExpiredTokenException' }, /Renew the AWS credentials/],
      [{ type: 'UnrecognizedClientException' }, /Correct the AWS credentials/],
      [{ type: 'KMSDisabledException' }, /Enable the stream's KMS key/],
      [{ type: 'KMSInvalidStateException' }, /Bring the stream's KMS key back/],
      [{ type: 'KMSNotFoundException' }, /Find out what became of the stream's KMS key/],
      [{ type: 'KMSOptInRequired' }, /Subscribe the account/],
      [{ type: 'KMSAccessDeniedException' }, /Allow these credentials.*kms:Decrypt/],
      [{ type: 'ValidationException', message: 'expected less' }, /kinesis shop.*expected less/],
    ];
    for (const operation of ['ListShards', 'GetShardIterator', 'GetRecords'])
      for (const [{ type, message }, advice, protocol] of inBothProtocols(permanent))
        it(`after ${type} of ${operation} (${protocol})`, async () => {
          const { source, calls } = await faulty(
            {
              shards: [{ id: 's', records: six }],
              fault: (call) => (call.operation === operation ? { status: 400, type, ...(message && { message }) } : undefined),
            },
            { protocol },
          );
          const { completed } = readSource(source, { scheduler });
          await expect(completed).rejects.toThrow(advice);
          await expect(completed).rejects.toMatchObject({ cause: { name: type } });
          expect(calls.filter((call) => call.operation === operation)).toHaveLength(1);
        });

    for (const [type, message] of [
      ['AccessDeniedException', 'no'],
      ['InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.'],
    ] as const)
      it(`after ${type}, also when its clock is wrong`, async () => {
        const { source, calls } = await faulty({
          shards: [{ id: 's', records: six }],
          aheadMs: 3_600_000,
          fault: ({ operation }) => (operation === 'ListShards' ? { status: 400, type, message } : undefined),
        });
        await expect(readSource(source, { scheduler }).completed).rejects.toMatchObject({ cause: { name: type } });
        expect(calls).toHaveLength(1);
      });

    it('when the stream does not know the position, because it was made again', async () => {
      const { source } = await faulty({
        shards: [{ id: 's', records: six }],
        fault: ({ operation }) =>
          operation === 'GetShardIterator'
            ? {
                status: 400,
                type: 'InvalidArgumentException',
                message:
                  'StartingSequenceNumber 9 used in GetShardIterator on shard s in stream shop is invalid because it did not come from this stream.',
              }
            : undefined,
      });
      const { completed } = readSource(source, {
        scheduler,
        acquire: async (shard) => ({ shard, sequence: '9', subSequence: 0 }),
      });
      await expect(completed).rejects.toThrow(/kinesis shop s: .*made again under the same name/);
    });

    it('when the shard begins behind the position, though the server would take it', async () => {
      const position = { shard: 's', sequence: '49', subSequence: 0 };
      const { source, calls } = await faulty({ shards: [{ id: 's', records: six, startsAt: '150' }] });
      const { completed } = readSource(source, { scheduler, acquire: async () => position });
      await expect(completed).rejects.toThrow(/kinesis shop s: begins at 150.*stands at 49.*made again under the same name/);
      expect(calls.map(({ operation }) => operation)).toEqual(['ListShards']);
      const other = await faulty({ shards: [{ id: 's', records: six, startsAt: '1' }] });
      await readSource(other.source, { scheduler, acquire: async () => ({ ...position, sequence: '4' }), stopAfter: 2 })
        .completed;
    });

    it('when records come that lie before the position', async () => {
      const record = { SequenceNumber: '7', ApproximateArrivalTimestamp: 1, PartitionKey: 'k', Data: 'YQ==' };
      const { source } = await faulty({
        shards: [{ id: 's', records: six }],
        fault: ({ operation }) =>
          operation === 'GetRecords' ? { body: JSON.stringify({ Records: [record], NextShardIterator: 'i' }) } : undefined,
      });
      const { completed, events, ledger } = readSource(source, {
        scheduler,
        acquire: async (shard) => ({ shard, sequence: '10', subSequence: 0 }),
      });
      await expect(completed).rejects.toThrow(/^kinesis shop s: keeps 7, but not the later 10.*made again under the same name/);
      expect(events).toEqual([]);
      await ledger.room.reserve(ledger.room.maxInFlightBytes);
    });

    it('when a record comes without the time of its arrival', async () => {
      const record = { SequenceNumber: '7', PartitionKey: 'k', Data: 'YQ==' };
      const { source } = await faulty({
        shards: [{ id: 's', records: six }],
        fault: ({ operation }) =>
          operation === 'GetRecords' ? { body: JSON.stringify({ Records: [record], NextShardIterator: 'i' }) } : undefined,
      });
      const { completed, events } = readSource(source, { scheduler });
      await expect(completed).rejects.toThrow('kinesis: expected the time at which record 7 arrived, got none');
      expect(events).toEqual([]);
    });

    it('when there are no credentials from the beginning', async () => {
      const server = await faulty({ shards: [] });
      const client = clientWith(server, async () => {
        throw Object.assign(new Error('Could not load credentials'), { name: 'CredentialsProviderError' });
      });
      const { completed } = readSource(kinesis({ stream: 'shop', client }), { scheduler });
      await expect(completed).rejects.toThrow(/Set AWS_PROFILE/);
    });

    it('in a check too', async () => {
      const { source } = await faulty({ shards: [], fault: () => ({ status: 400, type: 'ResourceNotFoundException' }) });
      await expect(source.check('test')).rejects.toThrow(/Create the stream/);
      const busy = { status: 400, type: 'LimitExceededException', message: 'Rate exceeded for stream shop under account 123.' };
      const { source: other } = await faulty({ shards: [], fault: () => busy });
      await expect(other.check('test')).rejects.toThrow(/^kinesis shop: Rate exceeded .*Try again/);
      const late = {
        status: 400,
        type: 'InvalidSignatureException',
        message: 'Signature expired: 20261122T090000Z is now earlier',
      };
      const { source: slow } = await faulty({ shards: [], fault: () => late });
      await expect(slow.check('test')).rejects.toThrow(/Signature expired.*Set this machine's clock right/);
    });
  });

  it('ends its waits and calls when it is stopped, without an error', async () => {
    for (const fault of [{ hang: 'at once' }, { hang: 'in the body' }, { status: 500, type: 'InternalFailure' }] as const)
      for (const operation of ['ListShards', 'GetShardIterator', 'GetRecords']) {
        const hung = Promise.withResolvers<void>();
        const { source } = await faulty({
          shards: [{ id: 's', records: six }],
          fault(call) {
            if (call.operation !== operation) return undefined;
            setImmediate(hung.resolve);
            return fault;
          },
        });
        const { completed, stop, ledger } = readSource(source);
        await hung.promise;
        stop.abort();
        await completed;
        expect(ledger.counts().read).toBe(0);
        await ledger.room.reserve(ledger.room.maxInFlightBytes);
      }
  });

  it('says how many shards are open and how long records are kept', async () => {
    const one = await faulty({
      shards: [
        { id: 'a', records: [], isClosed: true },
        { id: 'b', records: [] },
      ],
    });
    expect(await one.source.check('test')).toBe('stream shop: 1 open shard, retention 24 h, by polling');
    expect(one.source.describe).toBe(`stream shop at ${new URL(one.endpoint).host}`);
  });

  it('refuses settings out of their bounds', () => {
    expect(() => kinesis({ stream: '' })).toThrow("kinesis: expected the stream's name, got none");
    expect(() => kinesis({ stream: 's', maxRecords: 10_001 })).toThrow('expected maxRecords from 1 to 10,000, got 10001');
    expect(() => kinesis({ stream: 's', pollEveryMs: -1 })).toThrow('expected pollEveryMs of 0 or more, got -1');
    expect(() => kinesis({ stream: 's', requestTimeout: { seconds: 0 } })).toThrow('requestTimeout');
  });
});
