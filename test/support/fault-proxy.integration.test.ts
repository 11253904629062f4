import { GetRecordsCommand, GetShardIteratorCommand, ListShardsCommand } from '@aws-sdk/client-kinesis';
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { kinesisClient } from '../../src/sources/kinesis/client.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { FaultPlan, type PlannedFault } from './fault-proxy/plan.ts';
import { type Kinesis, startKinesis } from './kinesis.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { type S3Server, startS3 } from './s3.ts';

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function proxied(target: string, ...faults: PlannedFault[]): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ target, faults });
  closing.push(() => proxy.close());
  return proxy;
}

const errorOf = (work: Promise<unknown>): Promise<Error & { code?: string; $metadata?: { httpStatusCode: number } }> =>
  work.then(
    () => expect.unreachable('it succeeded'),
    (error) => error,
  );

describe('a plan', () => {
  const operations = ['GetRecords', 'GetRecords', 'PutObject', 'GetRecords', 'ListShards'].flatMap((one) => Array(200).fill(one));
  const seeded = { seed: 7, rates: { delay: 0.1, 'drop-answer': 0.05, ExpiredIteratorException: 0.05 } };

  test('of a seed is the same for the same requests, whatever comes in between', () => {
    const [one, other, third] = [new FaultPlan(seeded), new FaultPlan(seeded), new FaultPlan({ ...seeded, seed: 8 })];
    const faults = operations.map((operation) => one.next(operation));
    const reads = operations.filter((operation) => operation === 'GetRecords').map((operation) => other.next(operation));
    expect(reads).toEqual(faults.filter((_, i) => operations[i] === 'GetRecords'));
    expect(operations.map((operation) => third.next(operation))).not.toEqual(faults);
    const of = (kind: string, on: string) => faults.filter((fault, i) => fault?.kind === kind && operations[i] === on).length;
    expect(of('delay', 'GetRecords')).toBeGreaterThan(40);
    expect(of('delay', 'GetRecords')).toBeLessThan(80);
    expect(of('ExpiredIteratorException', 'GetRecords')).toBeGreaterThan(15);
    expect(of('ExpiredIteratorException', 'PutObject')).toBe(0);
  });

  test('of a list counts the requests of an operation, and meets each once', () => {
    const plan = new FaultPlan([
      { kind: 'delay', on: 'PutObject', at: 1 },
      { kind: 'silence', at: 2 },
    ]);
    const kinds = ['PutObject', 'GetObject', 'PutObject', 'PutObject'].map((operation) => plan.next(operation)?.kind);
    expect(kinds).toEqual([undefined, undefined, 'delay', 'silence']);
  });

  test('that is calm injects nothing', () => {
    const plan = new FaultPlan({ seed: 1, rates: { delay: 1 } });
    expect(plan.next('GetRecords')).toMatchObject({ kind: 'delay' });
    plan.calm();
    expect(plan.next('GetRecords')).toBeUndefined();
  });
});

describe('before a Kinesis server', () => {
  let server: Kinesis;
  let iterator: string;
  const StreamName = 'shop';
  const data = Buffer.alloc(100_000, 'x');

  beforeAll(async () => {
    server = await startKinesis();
    const stream = await server.createStream(StreamName, 1);
    const [ShardId] = await stream.shards();
    await stream.put([data]);
    const at = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const;
    iterator = (await server.client.send(new GetShardIteratorCommand(at))).ShardIterator!;
  }, 30_000);
  afterAll(() => server.stop());

  const records = () => new GetRecordsCommand({ ShardIterator: iterator });
  async function through(...faults: PlannedFault[]) {
    const proxy = await proxied(server.endpoint, ...faults);
    const client = kinesisClient({ endpoint: proxy.url });
    closing.push(() => client.destroy());
    return { proxy, client };
  }

  test('it passes requests and answers on', async () => {
    const { client, proxy } = await through();
    expect((await client.send(records())).Records![0]!.Data).toEqual(new Uint8Array(data));
    expect(proxy.injected).toEqual({});
  });

  test.each([
    ['ProvisionedThroughputExceededException', 400],
    ['LimitExceededException', 400],
    ['KMSThrottlingException', 400],
    ['ExpiredIteratorException', 400],
    ['ExpiredNextTokenException', 400],
    ['InternalFailure', 500],
  ] as const)('it answers %s in place of the server', async (kind, status) => {
    const { client, proxy } = await through({ kind, on: 'ListShards' });
    expect((await client.send(records())).Records).toHaveLength(1);
    const error = await errorOf(client.send(new ListShardsCommand({ StreamName })));
    expect([error.name, error.$metadata!.httpStatusCode]).toEqual([kind, status]);
    expect((await client.send(new ListShardsCommand({ StreamName }))).Shards).toHaveLength(1);
    expect(proxy.injected).toEqual({ [kind]: 1 });
  });

  test.each([
    { kind: 'reset-request', bytes: 20 },
    { kind: 'reset-request' },
    { kind: 'reset-answer', bytes: 70_000 },
    { kind: 'reset-answer', bytes: Infinity },
    { kind: 'reset-answer' },
    { kind: 'drop-answer' },
  ] as const)('it resets the connection: $kind after $bytes', async (fault) => {
    const { client, proxy } = await through({ ...fault, at: 1 });
    await client.send(records());
    expect(await errorOf(client.send(records()))).toMatchObject({ code: 'ECONNRESET' });
    expect((await client.send(records())).Records).toHaveLength(1);
    expect(proxy.injected).toEqual({ [fault.kind]: 1 });
  });

  test('it delays, and falls silent until it is closed', async () => {
    const { client, proxy } = await through({ kind: 'delay', delayMs: 50 }, { kind: 'silence' });
    const beganAt = performance.now();
    await client.send(records());
    expect(performance.now() - beganAt).toBeGreaterThan(45);
    const waiting = errorOf(client.send(records()));
    await expect.poll(() => proxy.injected).toEqual({ delay: 1, silence: 1 });
    await proxy.close();
    closing.splice(0, 1);
    expect((await waiting).name).toBeDefined();
  });

  test('it lets go of the client when the server is gone', async () => {
    const proxy = await proxied('http://127.0.0.1:1');
    const client = kinesisClient({ endpoint: proxy.url });
    closing.push(() => client.destroy());
    expect(await errorOf(client.send(records()))).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('before an S3 server', () => {
  let server: S3Server;
  const body = Buffer.alloc(200_000, 'y');

  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server.close());

  const at = (Key: string) => ({ Bucket: server.bucket, Key });
  const isThere = (key: string) =>
    server.client.send(new HeadObjectCommand(at(key))).then(
      ({ ContentLength }) => ContentLength === body.length,
      () => false,
    );
  async function through(...faults: PlannedFault[]) {
    const proxy = await proxied(server.endpoint, ...faults);
    const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
    const client = new S3Client({ endpoint: proxy.url, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1, credentials });
    closing.push(() => client.destroy());
    const put = (key: string) => client.send(new PutObjectCommand({ ...at(key), Body: body }));
    return { proxy, client, put };
  }

  test('it passes requests and answers on, each by its name', async () => {
    const { client, put } = await through({ kind: 'InternalError', on: 'GetObject', at: 1 });
    await put('plain');
    await client.send(new HeadObjectCommand(at('plain')));
    const list = await client.send(new ListObjectsV2Command({ Bucket: server.bucket }));
    expect(list.Contents!.map(({ Key }) => Key)).toContain('plain');
    const answer = await client.send(new GetObjectCommand(at('plain')));
    expect(Buffer.from(await answer.Body!.transformToByteArray())).toEqual(body);
    expect(await errorOf(client.send(new GetObjectCommand(at('plain'))))).toMatchObject({ name: 'InternalError' });
  });

  test.each([
    [{ kind: 'SlowDown' }, { name: 'SlowDown', $metadata: { httpStatusCode: 503 } }, false],
    [{ kind: 'InternalError' }, { name: 'InternalError', $metadata: { httpStatusCode: 500 } }, false],
    [{ kind: 'InternalError-after-effect' }, { name: 'InternalError', $metadata: { httpStatusCode: 500 } }, true],
    [{ kind: 'reset-request', bytes: 90_000 }, { code: 'ECONNRESET' }, false],
    [{ kind: 'reset-request', bytes: Infinity }, { code: 'ECONNRESET' }, false],
    [{ kind: 'drop-answer' }, { code: 'ECONNRESET' }, true],
  ] as const)('of a put: %o', async (fault, expected, hasEffect) => {
    const { put, proxy } = await through({ ...fault, on: 'PutObject' });
    const key = JSON.stringify(fault).replaceAll(/\W+/g, '-');
    expect(await errorOf(put(key))).toMatchObject(expected);
    expect(await isThere(key)).toBe(hasEffect);
    await put(key);
    expect(await isThere(key)).toBe(true);
    expect(proxy.injected).toEqual({ [fault.kind]: 1 });
  });

  test('a put may take effect long after its client has given up', async () => {
    const { put } = await through({ kind: 'late', delayMs: 200 });
    expect(await errorOf(put('late'))).toMatchObject({ code: 'ECONNRESET' });
    expect(await isThere('late')).toBe(false);
    await expect.poll(() => isThere('late')).toBe(true);
  });

  test('a put may answer with an error under status 200', async () => {
    const { put } = await through({ kind: 'error-in-200' });
    // The SDK looks into the body, and makes it a server's error.
    expect(await errorOf(put('none'))).toMatchObject({ name: 'InternalError' });
    expect(await isThere('none')).toBe(false);
  });
});

describe('before Postgres', () => {
  let server: Postgres;
  let direct: pg.Client;

  beforeAll(async () => {
    server = await startPostgres();
    direct = new pg.Client(server.url);
    await direct.connect();
    await direct.query('CREATE TABLE seen (n integer)');
  }, 30_000);
  afterAll(async () => {
    await direct.end();
    await server.stop();
  });
  afterEach(() => direct.query('TRUNCATE seen'));

  const count = async () => Number((await direct.query('SELECT count(*) FROM seen')).rows[0].count);
  const insert = 'BEGIN; INSERT INTO seen VALUES (1); COMMIT';
  async function through(...faults: PlannedFault[]) {
    const proxy = await proxied(server.url, ...faults);
    const client = new pg.Client(proxy.url);
    client.on('error', () => {});
    closing.push(() => client.end().catch(() => {}));
    return { proxy, client };
  }

  test('it passes messages on, encryption asked for or not', async () => {
    const { client, proxy } = await through();
    await client.connect();
    await client.query(insert);
    expect((await client.query('SELECT $1::text AS long', ['x'.repeat(1e6)])).rows[0].long).toHaveLength(1e6);
    expect(await count()).toBe(1);
    const encrypted = new pg.Client({ connectionString: proxy.url, ssl: true });
    expect((await errorOf(encrypted.connect())).message).toMatch(/does not support SSL/);
  });

  test.each([
    ['reset-request', {}, 0],
    ['reset-request', { bytes: 10 }, 0],
    ['drop-answer', {}, 1],
    ['reset-answer', { bytes: 5 }, 1],
  ] as const)('of a COMMIT: %s %o', async (kind, more, rows) => {
    const { client, proxy } = await through({ kind, on: 'COMMIT', ...more });
    await client.connect();
    await errorOf(client.query(insert));
    await expect.poll(count).toBe(rows);
    expect(proxy.injected).toEqual({ [kind]: 1 });
  });

  test('a COMMIT may take effect long after its client has given up', async () => {
    const { client } = await through({ kind: 'late', on: 'COMMIT', delayMs: 200 });
    await client.connect();
    await errorOf(client.query(insert));
    expect(await count()).toBe(0);
    await expect.poll(count).toBe(1);
  });

  test('of a query: its answer is lost, comes late, never', async () => {
    const [dropped, slow] = [await through({ kind: 'drop-answer', on: 'QUERY' }), await through({ kind: 'delay', on: 'QUERY' })];
    await dropped.client.connect();
    await errorOf(dropped.client.query('SELECT 1'));
    await slow.client.connect();
    expect((await slow.client.query('SELECT $1::int AS n', [1])).rows).toEqual([{ n: 1 }]);
    expect(slow.proxy.injected).toEqual({ delay: 1 });
    const silent = await through({ kind: 'silence', on: 'COMMIT' });
    await silent.client.connect();
    const waiting = errorOf(silent.client.query(insert));
    await expect.poll(count).toBe(1);
    await silent.client.end();
    await waiting;
  });

  test('a server may be starting up', async () => {
    const { client, proxy } = await through({ kind: 'cannot-connect-now' });
    expect(await errorOf(client.connect())).toMatchObject({ code: '57P03' });
    const again = new pg.Client(proxy.url);
    await again.connect();
    await again.end();
  });
});
