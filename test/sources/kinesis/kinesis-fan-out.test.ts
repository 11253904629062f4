import { KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { execFile } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import type { Resume } from '../../../src/position.ts';
import { Ledger } from '../../../src/ledger.ts';
import { type ClientOptions, fanOutClient } from '../../../src/sources/kinesis/client.ts';
import { consumerNameOf } from '../../../src/sources/kinesis/fan-out/consumer.ts';
import { type KinesisOptions, kinesis } from '../../../src/sources/kinesis.ts';
import type { Source } from '../../../src/sources/source.ts';
import { aggregate } from '../../support/aggregates.ts';
import { type FanOutKinesis, type FanOutKinesisOptions, type Scene, startFanOutKinesis } from '../../support/fan-out-kinesis.ts';
import { hurried } from '../../support/hurried.ts';
import { readSource, textsByShard } from '../../support/read-source.ts';

const servers: FanOutKinesis[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function fanOut(
  given: FanOutKinesisOptions,
  options: Partial<KinesisOptions> = {},
): Promise<FanOutKinesis & { source: Source<Uint8Array> }> {
  const server = await startFanOutKinesis(given);
  servers.push(server);
  const { endpoint } = server;
  const where = given.http === 2 ? { client: http2Client(endpoint) } : { endpoint };
  return { ...server, source: kinesis({ stream: 'shop', mode: 'fan-out', ...where, ...options }) };
}

/** As the SDK makes it for AWS, but without TLS. The SDK reads the events of a client of one's own. */
function http2Client(endpoint: string): KinesisClient {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return new KinesisClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
}

const six = ['a', 'b', 'c', 'd', 'e', 'f'];
const shards = [{ id: 's', records: six }];
/** Five minutes in three seconds. */
const scheduler = hurried(100);
const retries = (diagnostics: readonly Diagnostic[]) => diagnostics.filter(({ type }) => type === 'source-retry');
const positions = ({ calls }: FanOutKinesis) =>
  calls.filter(({ operation }) => operation === 'SubscribeToShard').map(({ input }) => input['StartingPosition']);
/** The first subscription gives this, those after it what is left. */
const atFirst =
  (...scenes: Scene[]): NonNullable<FanOutKinesisOptions['subscription']> =>
  ({ nth }) =>
    nth === 0 ? scenes : undefined;

describe('kinesis by fan-out', () => {
  for (const http of [1, 2] as const)
    it(`reads by HTTP/${http}, closes what it opened when it is stopped, and tells how far behind it is`, async () => {
      const given = await fanOut({ shards, http });
      const { completed, events, diagnostics, ledger } = readSource(given.source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(events.every(({ delivery }) => delivery === events[0]!.delivery)).toBe(true);
      expect(diagnostics.map(({ type }) => type)).toEqual(['shard-started', 'shard-lag']);
      expect(diagnostics[1]).toMatchObject({ shard: 's', behindMs: 70 });
      expect(ledger.caughtUpAtMs('s')).toBeUndefined();
      await ledger.room.reserve(ledger.room.maxInFlightBytes);
      await expect.poll(given.open).toBe(0);
    });

  for (const http of [1, 2] as const)
    it(`leaves nothing behind that keeps the process, by HTTP/${http}`, async () => {
      const given = await fanOut({ shards, http });
      const from = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
      const client = `new KinesisClient({ endpoint, region: 'r', credentials: { accessKeyId: 'k', secretAccessKey: 's' } })`;
      const program = `
        import { KinesisClient } from '@aws-sdk/client-kinesis';
        import { kinesis } from ${from('../../../src/sources/kinesis.ts')};
        import { readSource } from ${from('../../support/read-source.ts')};
        const endpoint = ${JSON.stringify(given.endpoint)};
        const source = kinesis({ stream: 'shop', mode: 'fan-out', ${http === 1 ? 'endpoint' : `client: ${client}`} });
        await readSource(source, { stopAfter: 6 }).completed;
      `;
      const child = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { timeout: 10_000 });
      expect(child.stderr).toBe('');
    }, 15_000);

  it('reads a shard to its end, and then its children', async () => {
    const given = await fanOut({
      shards: [
        { id: 'parent', records: six, isClosed: true },
        { id: 'left', parents: ['parent'], records: ['l'] },
        { id: 'right', parents: ['parent'], records: ['r'] },
      ],
    });
    const { completed, events, diagnostics, acquired } = readSource(given.source, { scheduler, stopAfter: 8 });
    await completed;
    expect(textsByShard(events)).toEqual({ parent: six, left: ['l'], right: ['r'] });
    expect(diagnostics.filter(({ type }) => type === 'shard-ended')).toEqual([{ type: 'shard-ended', shard: 'parent' }]);
    expect(acquired.get('left')!.from).toBe('TRIM_HORIZON');
  });

  for (const http of [1, 2] as const)
    it(`ends the subscription of a shard that has ended, should the stream keep it open, by HTTP/${http}`, async () => {
      const given = await fanOut({
        shards: [
          { id: 'parent', records: six, isClosed: true },
          { id: 'child', parents: ['parent'], records: ['c'] },
        ],
        http,
        subscription: atFirst({ records: [1] }, { records: [], children: ['child'] }, 'falls silent'),
      });
      const { completed, events, stop } = readSource(given.source, { scheduler });
      await expect.poll(() => events.length).toBe(2);
      await expect.poll(given.open).toBe(1);
      stop.abort();
      await completed;
    });

  describe('begins', () => {
    const begins: [what: string, from: Resume, position: object, texts: string[]][] = [
      ['at the oldest record', 'TRIM_HORIZON', { Type: 'TRIM_HORIZON' }, six],
      ['at a time', new Date(3000), { Type: 'AT_TIMESTAMP', Timestamp: 3 }, ['c', 'd', 'e', 'f']],
      [
        'after a record',
        { shard: 's', sequence: '2', subSequence: 0 },
        { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '2' },
        ['c', 'd', 'e', 'f'],
      ],
      [
        'inside an aggregate with its record, and skips what lies at or before',
        { shard: 's', sequence: '2', subSequence: 3 },
        { Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: '2' },
        ['c', 'd', 'e', 'f'],
      ],
    ];
    for (const [what, from, position, texts] of begins)
      it(what, async () => {
        const given = await fanOut({ shards });
        const { completed, events } = readSource(given.source, {
          scheduler,
          acquire: async () => from,
          stopAfter: texts.length,
        });
        await completed;
        expect(textsByShard(events)).toEqual({ s: texts });
        expect(positions(given)).toEqual([position]);
      });
  });

  it('begins when the time has come by the clock of the stream, when its own is ahead', async () => {
    const given = await fanOut({
      shards,
      fault: ({ operation, nth }) =>
        operation === 'SubscribeToShard' && nth < 2 ? { status: 400, type: 'InvalidArgumentException' } : undefined,
    });
    const { completed, diagnostics } = readSource(given.source, {
      scheduler,
      start: 'LATEST',
      report: ({ type }, { stop }) => type === 'shard-lag' && stop.abort(),
    });
    await completed;
    expect(retries(diagnostics)).toHaveLength(2);
  });

  it('delivers an event of more records than a delivery may have in several, each with room of its own', async () => {
    const given = await fanOut({ shards }, { maxRecords: 2 });
    const { completed, events, ledger } = readSource(given.source, { scheduler, stopAfter: 6 });
    await completed;
    expect(textsByShard(events)).toEqual({ s: six });
    const sizes = [...Map.groupBy(events, ({ delivery }) => delivery).values()].map(({ length }) => length);
    expect(sizes).toEqual([2, 2, 2]);
    await ledger.room.reserve(ledger.room.maxInFlightBytes);
  });

  describe('takes records apart', () => {
    const packed = [{ id: 's', records: ['a', aggregate(['b', 'c', 'd']), 'e', aggregate(['f', 'g'])] }];

    it('and goes on inside one where it stood', async () => {
      const given = await fanOut({ shards: packed });
      const { completed, events } = readSource(given.source, {
        scheduler,
        acquire: async (shard) => ({ shard, sequence: '2', subSequence: 2 }),
        stopAfter: 4,
      });
      await completed;
      expect(textsByShard(events)).toEqual({ s: ['d', 'e', 'f', 'g'] });
      expect(events.map(({ position }) => `${position.sequence}:${position.subSequence}`)).toEqual(['2:3', '3:0', '4:1', '4:2']);
    });

    it('once, when a subscription begins anew behind it', async () => {
      for (const scene of ['ends', 'resets'] as const) {
        const given = await fanOut({ shards: packed, subscription: atFirst({ records: [1, 2] }, scene) });
        const { completed, events } = readSource(given.source, { scheduler, stopAfter: 7 });
        await completed;
        expect(textsByShard(events)).toEqual({ s: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] });
      }
    });
  });

  describe('renews its subscription after 5 minutes', () => {
    const fiveSeconds: Scene[] = [{ sleepMs: 50 }, { records: [], continuation: '3' }];
    const fiveMinutes: Scene[] = [
      { records: [1, 2] },
      { records: [3] },
      ...Array.from({ length: 60 }, () => fiveSeconds).flat(),
      'ends',
    ];

    it('at once, behind the last record, with no record lost or twice', async () => {
      const given = await fanOut({ shards, subscription: atFirst(...fiveMinutes) });
      const { completed, events, diagnostics } = readSource(given.source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(positions(given)[1]).toEqual({ Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '3' });
      expect(retries(diagnostics)).toEqual([]);
    });

    for (const [what, continuation] of [
      ['the next record', '4'],
      ['the last that it looked at, where there is none', '3.5'],
    ] as const)
      it(`where it left off, when the continuation is ahead of the last record: ${what}`, async () => {
        const scenes: Scene[] = [{ records: [1, 2, 3] }, { records: [], continuation }, 'ends'];
        const given = await fanOut({ shards, subscription: atFirst(...scenes) });
        const { completed, events } = readSource(given.source, { scheduler, stopAfter: 6 });
        await completed;
        expect(textsByShard(events)).toEqual({ s: six });
        expect(positions(given)[1]).toEqual({ Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: continuation });
      });

    it('behind the last record, when the stream refuses the continuation', async () => {
      const given = await fanOut({
        shards,
        subscription: atFirst({ records: [1, 2, 3] }, { records: [], continuation: '4' }, 'ends'),
        fault: ({ operation, nth }) =>
          operation === 'SubscribeToShard' && nth === 1 ? { status: 400, type: 'InvalidArgumentException' } : undefined,
      });
      const { completed, events } = readSource(given.source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(positions(given).slice(1)).toEqual([
        { Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: '4' },
        { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '3' },
      ]);
    });

    it('at the time at which it began, as long as nothing has come since, and the continuation is not later', async () => {
      const given = await fanOut({ shards, subscription: atFirst({ records: [], continuation: '2' }, 'ends') });
      const { completed, events } = readSource(given.source, { scheduler, start: new Date(3000), stopAfter: 4 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: ['c', 'd', 'e', 'f'] });
      expect(positions(given)[1]).toEqual({ Type: 'AT_TIMESTAMP', Timestamp: 3 });
    });

    it('where it left off behind that time, when the continuation is later', async () => {
      // Of the form that AWS's have, with the time of 2018-05-18T04:03:30Z in it.
      const continuation = '49584571934843771141903627621782937763568830686720688130';
      const walk: Scene[] = [{ records: [], continuation }, 'ends'];
      const given = await fanOut({ shards, subscription: ({ nth }) => (nth < 2 ? walk : [{ records: [3] }, 'falls silent']) });
      const start = new Date('2018-05-18T04:03:30Z');
      const { completed, events } = readSource(given.source, { scheduler, start, stopAfter: 1 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: ['c'] });
      const behind = { Type: 'AT_SEQUENCE_NUMBER', SequenceNumber: continuation };
      expect(positions(given)).toEqual([{ Type: 'AT_TIMESTAMP', Timestamp: start.getTime() / 1000 }, behind, behind]);
    });

    it('5 seconds after the last one at the earliest, as AWS wants it', async () => {
      const given = await fanOut({ shards, subscription: ({ nth }) => (nth < 3 ? [{ records: [nth + 1] }, 'ends'] : undefined) });
      const beganAtMs: number[] = [];
      const { completed } = readSource(given.source, {
        scheduler,
        stopAfter: 6,
        onEvent: ({ delivery }) => beganAtMs.push(delivery.readAtMs),
      });
      await completed;
      for (const i of [1, 2, 3]) expect(beganAtMs[i]! - beganAtMs[i - 1]!).toBeGreaterThan(4_000);
    });
  });

  describe('subscribes again behind the last record', () => {
    const broken: Record<string, Scene> = {
      'a reset': 'resets',
      'a reset within an event': 'is cut',
      'bytes that are no event': 'raves',
      'a silence of 35 seconds': 'falls silent',
      'an internal failure': { exception: 'InternalFailureException' },
      'a newer subscription, which took it over': { exception: 'ResourceInUseException' },
      'throttling by KMS': { exception: 'KMSThrottlingException' },
      'an error that nobody knows': { exception: 'SomethingNewException' },
    };
    for (const http of [1, 2] as const)
      for (const [what, scene] of Object.entries(broken))
        it(`after ${what}, by HTTP/${http}`, async () => {
          const given = await fanOut({
            shards,
            http,
            subscription: ({ nth }) => [[{ records: [1, 2] }, { records: [3] }, scene], [scene]][nth],
          });
          const { completed, events, diagnostics, ledger } = readSource(given.source, { scheduler, stopAfter: 6 });
          await completed;
          expect(textsByShard(events)).toEqual({ s: six });
          const behindThird = { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '3' };
          // A reset may take with it what was sent before.
          if (scene !== 'resets' && scene !== 'is cut')
            expect(positions(given)).toEqual([{ Type: 'TRIM_HORIZON' }, behindThird, behindThird]);
          expect(retries(diagnostics)).toMatchObject([
            { shard: 's', attempt: 1 },
            { shard: 's', attempt: 2 },
          ]);
          await ledger.room.reserve(ledger.room.maxInFlightBytes);
        });

    for (const fault of [
      'resets',
      'never says why',
      { status: 400, type: 'ResourceInUseException' },
      { status: 400, type: 'LimitExceededException' },
      { status: 500, type: 'InternalFailure' },
    ] as const)
      it(`after a call that ${typeof fault === 'string' ? fault : `is answered with ${fault.type}`}`, async () => {
        const given = await fanOut({
          shards,
          fault: ({ operation, nth }) => (operation === 'SubscribeToShard' && nth < 3 ? fault : undefined),
        });
        const { completed, events, diagnostics } = readSource(given.source, { scheduler, stopAfter: 6 });
        await completed;
        expect(textsByShard(events)).toEqual({ s: six });
        expect(retries(diagnostics)).toHaveLength(3);
      });
  });

  describe('has a consumer', () => {
    const asked = ({ calls }: FanOutKinesis) =>
      calls.flatMap(({ operation, input }) => (/Consumer/.test(operation) ? [[operation, input['ConsumerName']]] : []));

    it('that it registers under the name of the pipeline when there is none', async () => {
      const given = await fanOut({ shards });
      await readSource(given.source, { scheduler, pipeline: 'warehouse', stopAfter: 6 }).completed;
      expect(asked(given)).toEqual([
        ['DescribeStreamConsumer', 'warehouse'],
        ['RegisterStreamConsumer', 'warehouse'],
        ['DescribeStreamConsumer', 'warehouse'],
      ]);
    });

    it('that it uses when it is there, by the name it is given', async () => {
      const given = await fanOut({ shards, consumer: ['ACTIVE'] }, { consumer: 'Shop.2' });
      await readSource(given.source, { scheduler, stopAfter: 6 }).completed;
      expect(asked(given)).toEqual([['DescribeStreamConsumer', 'Shop.2']]);
    });

    it('for which it waits while it is made, or deleted and made again', async () => {
      const given = await fanOut({ shards, consumer: ['DELETING', 'DELETING', 'none', 'CREATING', 'ACTIVE'] });
      await readSource(given.source, { scheduler, stopAfter: 6 }).completed;
      expect(asked(given).filter(([operation]) => operation === 'RegisterStreamConsumer')).toHaveLength(1);
      expect(asked(given)).toHaveLength(6);
    });

    it('of which it tells every half minute that it is not active yet', async () => {
      const given = await fanOut({ shards, consumer: ['none', 'DELETING'] });
      const { completed, diagnostics, stop } = readSource(given.source, { scheduler });
      await expect.poll(() => retries(diagnostics).length, { timeout: 10_000 }).toBeGreaterThan(0);
      stop.abort();
      await completed;
      expect(retries(diagnostics)[0]).toMatchObject({
        shard: 'all shards',
        error: { message: 'kinesis shop: expected consumer test to become active, it is deleting' },
      });
    });

    it('for which it tries again when somebody else registers it at the same time', async () => {
      const given = await fanOut({
        shards,
        consumer: ['none', 'ACTIVE'],
        fault: ({ operation }) =>
          operation === 'RegisterStreamConsumer' ? { status: 400, type: 'ResourceInUseException' } : undefined,
      });
      const { completed, diagnostics } = readSource(given.source, { scheduler, stopAfter: 6 });
      await completed;
      expect(retries(diagnostics)).toHaveLength(1);
    });

    it('that it registers again when somebody deregistered it', async () => {
      const given = await fanOut({
        shards,
        consumer: ['ACTIVE', 'none', 'ACTIVE'],
        subscription: atFirst({ records: [1, 2] }, { exception: 'ResourceNotFoundException' }),
      });
      const { completed, events } = readSource(given.source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
      expect(asked(given).map(([operation]) => operation)).toEqual([
        'DescribeStreamConsumer',
        'DescribeStreamConsumer',
        'RegisterStreamConsumer',
        'DescribeStreamConsumer',
      ]);
    });

    it('however often that happens in the life of a run, as long as it reads in between', async () => {
      let read = 0;
      const { source } = await fanOut({
        shards,
        fault: ({ operation, nth }) =>
          operation === 'SubscribeToShard' && nth % 2 === 0 ? { status: 400, type: 'ResourceNotFoundException' } : undefined,
        subscription: () => [{ records: [++read] }, 'ends'],
      });
      const { completed, events } = readSource(source, { scheduler, stopAfter: 6 });
      await completed;
      expect(textsByShard(events)).toEqual({ s: six });
    });

    it('when there is room for one more', async () => {
      const full = { status: 400, type: 'LimitExceededException', message: 'Consumer limit reached' };
      const given = await fanOut({
        shards,
        fault: ({ operation }) => (operation === 'RegisterStreamConsumer' ? full : undefined),
      });
      const { completed, diagnostics } = readSource(given.source, { scheduler: hurried(1000) });
      await expect(completed).rejects.toThrow(/kinesis shop consumer test: Consumer limit reached. Deregister a consumer/);
      expect(retries(diagnostics)).toHaveLength(9);
    });

    it('for which it waits while all that the account has asks too often', async () => {
      const busy = { status: 400, type: 'LimitExceededException', message: 'Rate exceeded for stream shop under account 123.' };
      const given = await fanOut({
        shards,
        fault: ({ operation, nth }) => (operation === 'DescribeStreamSummary' && nth < 12 ? busy : undefined),
      });
      const { completed, events, diagnostics } = readSource(given.source, { scheduler: hurried(1000), stopAfter: 6 });
      await completed;
      expect(events).toHaveLength(6);
      expect(retries(diagnostics).length).toBeGreaterThanOrEqual(12);
    });

    it('before it takes a shard over', async () => {
      const given = await fanOut({
        shards,
        fault: ({ operation }) =>
          operation === 'RegisterStreamConsumer' ? { status: 400, type: 'AccessDeniedException' } : undefined,
      });
      const { completed, acquired } = readSource(given.source, { scheduler });
      await expect(completed).rejects.toThrow(
        /kinesis shop consumer test: .*Allow these credentials .*RegisterStreamConsumer .*SubscribeToShard/,
      );
      expect(acquired.size).toBe(0);
    });
  });

  describe('ends with what to do', () => {
    it('when it may not subscribe', async () => {
      const given = await fanOut({
        shards,
        fault: ({ operation }) => (operation === 'SubscribeToShard' ? { status: 400, type: 'AccessDeniedException' } : undefined),
      });
      await expect(readSource(given.source, { scheduler }).completed).rejects.toThrow(/kinesis shop s: .*SubscribeToShard/);
      expect(positions(given)).toHaveLength(1);
    });

    it('when the key is disabled while a subscription is open', async () => {
      const given = await fanOut({ shards, subscription: () => [{ records: [1] }, { exception: 'KMSDisabledException' }] });
      const { completed, events } = readSource(given.source, { scheduler });
      await expect(completed).rejects.toThrow(/Enable the stream's KMS key/);
      expect(events).toHaveLength(1);
    });

    it('when it is sent what lies before where it stands, because the stream was made again', async () => {
      const given = await fanOut({ shards, subscription: () => [{ records: [1, 2] }] });
      const { completed, events } = readSource(given.source, {
        scheduler,
        acquire: async (shard) => ({ shard, sequence: '2', subSequence: 0 }),
      });
      await expect(completed).rejects.toThrow(/kinesis shop s: answered with 1, .*made again under the same name/);
      expect(events).toEqual([]);
    });

    it('when it is sent a record without data', async () => {
      const given = await fanOut({ shards, subscription: () => [{ content: { Records: [{ SequenceNumber: '1' }] } }] });
      await expect(readSource(given.source, { scheduler }).completed).rejects.toThrow(/^kinesis shop s: /);
    });

    it('when there is an active consumer, and no such shard', async () => {
      const given = await fanOut({
        shards,
        consumer: ['ACTIVE'],
        fault: ({ operation }) =>
          operation === 'SubscribeToShard' ? { status: 400, type: 'ResourceNotFoundException' } : undefined,
      });
      await expect(readSource(given.source, { scheduler }).completed).rejects.toThrow(/kinesis shop s: /);
      expect(positions(given)).toHaveLength(5);
    });
  });

  it('ends its waits and calls when it is stopped, without an error', async () => {
    const hangs: [what: string, given: Omit<FanOutKinesisOptions, 'shards'>, when: (given: FanOutKinesis) => boolean][] = [
      ['for a consumer that never becomes active', { consumer: ['CREATING'] }, ({ calls }) => calls.length > 1],
      ['for a first event', { subscription: () => ['falls silent'] }, (given) => given.open() > 0],
      ['for a next event', { subscription: () => [{ records: [] }, 'falls silent'] }, (given) => given.written() > 0],
      ['for the time of the next subscription', { subscription: () => ['ends'] }, (given) => positions(given).length > 0],
    ];
    for (const [, given, when] of hangs)
      for (const http of [1, 2] as const) {
        const server = await fanOut({ shards, http, ...given });
        const { completed, stop, ledger } = readSource(server.source);
        await expect.poll(() => when(server)).toBe(true);
        stop.abort();
        await completed;
        await ledger.room.reserve(ledger.room.maxInFlightBytes);
        await expect.poll(server.open).toBe(0);
      }
  });

  it('ends its wait for credentials when it is stopped, and tries again when there were none', async () => {
    const { endpoint, calls } = await fanOut({ shards });
    const waits = Promise.withResolvers<void>();
    let tries = 0;
    const client = new KinesisClient({
      endpoint,
      region: 'us-east-1',
      maxAttempts: 1,
      requestHandler: new NodeHttpHandler(),
      async credentials() {
        const isSubscribing = calls.at(-1)?.operation === 'ListShards';
        if (isSubscribing && ++tries === 1) throw Object.assign(new Error('none'), { name: 'CredentialsProviderError' });
        if (!isSubscribing) return { accessKeyId: 'local', secretAccessKey: 'local', expiration: new Date() };
        waits.resolve();
        return new Promise(() => {});
      },
    });
    const { completed, stop, diagnostics } = readSource(kinesis({ stream: 'shop', mode: 'fan-out', client }), { scheduler });
    await waits.promise;
    stop.abort();
    await completed;
    expect(retries(diagnostics)).toMatchObject([{ shard: 's', error: { name: 'CredentialsProviderError' } }]);
  });

  it('says how it reads, and what consumer it found', async () => {
    const { source, calls } = await fanOut({ shards, consumer: ['none', 'ACTIVE'] });
    expect(source.describe).toMatch(/^stream shop at .*, by fan-out$/);
    expect(await source.check('warehouse')).toBe(
      'stream shop: 1 open shard, retention 24 h, by fan-out as consumer warehouse (not registered yet; a run does it)',
    );
    expect(await source.check('warehouse')).toMatch(/by fan-out as consumer warehouse \(active\)$/);
    expect(calls.some(({ operation }) => operation === 'RegisterStreamConsumer')).toBe(false);
  });

  it('subscribes by HTTP/2 where there is TLS, and by HTTP/1.1 where there is none', () => {
    const protocolOf = (options: ClientOptions) => fanOutClient(options).config.requestHandler.metadata?.handlerProtocol;
    expect(protocolOf({ region: 'eu-west-1' })).toBe('h2');
    expect(protocolOf({ region: 'eu-west-1', endpoint: 'https://kinesis.internal' })).toBe('h2');
    expect(protocolOf({ endpoint: 'http://127.0.0.1:4567' })).toBe('http/1.1');
  });

  it('gives a consumer a name that AWS takes', () => {
    expect(consumerNameOf('ware house/é')).toBe('ware-house--');
    expect(consumerNameOf('x'.repeat(200))).toBe('x'.repeat(128));
    expect(() => kinesis({ stream: 's', mode: 'fan-out', consumer: 'ware house' })).toThrow(
      'kinesis: expected a consumer of 1 to 128 letters, digits, _, . and -, got "ware house"',
    );
  });

  describe('reads no event before there is room for it', () => {
    const big = Array.from({ length: 40 }, (_, i) => Buffer.alloc(1024 * 1024, i));
    const each: Scene[] = big.map((_, i) => ({ records: [i + 1] }));

    for (const protocol of ['lean', 'stock'] as const)
      it(`and holds nothing for one that says nothing, as the first one of AWS (${protocol})`, async () => {
        const subscription: FanOutKinesisOptions['subscription'] = () => ['begins', { records: [1, 2, 3, 4, 5, 6] }];
        const { source } = await fanOut({ shards, subscription }, { protocol });
        const { completed, events } = readSource(source, {
          scheduler,
          ledger: new Ledger({ maxInFlightBytes: 1 }),
          stopAfter: 6,
        });
        await completed;
        expect(events).toHaveLength(6);
      });

    it.each([[[6]], [[5, 6]]])('and does not take what an event said then for what is so now: records %j', async (records) => {
      const nothingMore = { content: { Records: [], ContinuationSequenceNumber: '6', MillisBehindLatest: 0 } };
      const { source } = await fanOut(
        { shards, subscription: () => [{ records }, nothingMore, nothingMore, 'falls silent'] },
        { maxRecords: 1 },
      );
      const ledger = new Ledger({ maxInFlightBytes: 1 });
      let heldAtMs = 0;
      const { completed, stop } = readSource(source, {
        scheduler,
        ledger,
        onEvent(event) {
          heldAtMs ||= scheduler.now();
          event.hold();
          scheduler.schedule(() => event.release(), 4 * 60_000);
        },
        report: (diagnostic) => diagnostic.type === 'shard-lag' && diagnostic.behindMs === 0 && stop.abort(),
      });
      await completed;
      expect(scheduler.now() - heldAtMs).toBeGreaterThanOrEqual(4 * 60_000);
      expect(ledger.caughtUpAtMs('s')! - heldAtMs).toBeLessThan(60_000);
    });

    for (const http of [1, 2] as const)
      it(`and leaves it to flow control, by HTTP/${http}`, async () => {
        const given = await fanOut({
          shards: [{ id: 's', records: big }],
          http,
          subscription: () => [...each, 'falls silent'],
        });
        const ledger = new Ledger({ maxInFlightBytes: 1 });
        const held: (() => void)[] = [];
        // By the clock itself: a hurried one takes a machine that is busy for a stream that is silent.
        const { completed, events } = readSource(given.source, {
          ledger,
          stopAfter: 40,
          onEvent(event) {
            event.hold();
            held.push(() => event.release());
          },
        });
        await expect.poll(() => ledger.room.isFull, { timeout: 10_000 }).toBe(true);
        for (let i = 0; i < 50; i++) await nextTurn();
        expect(events).toHaveLength(1);
        expect(given.written()).toBeLessThan(http === 2 ? 3 : 20);
        while (held.length > 0 || events.length < 40) {
          held.shift()?.();
          await nextTurn();
        }
        await completed;
        expect(events.map(({ data }) => data[0])).toEqual(big.map((_, i) => i));
      });
  });
});
