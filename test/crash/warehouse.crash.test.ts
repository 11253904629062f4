import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/demo/random.ts';
import { shop } from '../../src/demo/shop.ts';
import { type Kinesis, startKinesis } from '../support/kinesis.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { foundInPostgres, linesInDirectory, linesOf, proveOnce, sendSlowly } from './stage.ts';
import { startVictim } from './victim.ts';

const RECORDS = 5000;
const KILLS = 5;
const SEED = Number(process.env['CRASH_SEED'] ?? 1);

const records = shop({ seed: SEED, shares: { repeat: 0.05, 'broken-label': 0.03, malformed: 0.01, noise: 0.03 } })
  .take(RECORDS)
  .toArray();

let kinesis: Kinesis;
let postgres: Postgres;
let s3: S3Server;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-crash-'));
  [kinesis, postgres, s3] = await Promise.all([startKinesis(), startPostgres(), startS3()]);
}, 60_000);

afterAll(async () => {
  await Promise.all([kinesis.stop(), postgres.stop(), s3.close()]);
  await rm(folder, { recursive: true, force: true });
});

describe('the warehouse, killed at random moments', () => {
  it('has every event once in Postgres and in S3, and every reject once', async () => {
    await crash('postgres-s3', {
      DATABASE_URL: postgres.url,
      ARCHIVE_URL: `s3://${s3.bucket}/crash`,
      S3_ENDPOINT: s3.endpoint,
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
    });
    proveOnce(records, { ...(await foundInPostgres(postgres.url)), archived: await linesInS3() });
  }, 240_000);

  it('has every event once in DuckDB and in a directory, and every reject once', async () => {
    const [file, archive] = [join(folder, 'warehouse.duckdb'), join(folder, 'archive')];
    await crash('duckdb-directory', { DATABASE_URL: `duckdb:${file}`, ARCHIVE_URL: `file:${archive}` });
    const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' });
    const connection = await instance.connect();
    const column = async (sql: string): Promise<string[]> =>
      (await connection.runAndReadAll(sql)).getRowsJson().flatMap((row) => row as string[]);
    const ids = await column('select event_id from snowplow_events');
    const rejects = await column('select decode(raw) from millrace.rejects');
    connection.closeSync();
    instance.closeSync();
    proveOnce(records, { ids, rejects, archived: await linesInDirectory(archive) });
  }, 240_000);
});

/** Sends the records while the pipeline runs, is killed and starts again; then lets it catch up. */
async function crash(name: string, stores: Readonly<Record<string, string>>): Promise<void> {
  const stream = await kinesis.createStream(name, 2);
  const settings = {
    ...stores,
    KINESIS_STREAM: name,
    KINESIS_ENDPOINT: kinesis.endpoint,
    AWS_REGION: 'us-east-1',
    STATE_FILE: join(folder, `${name}.state`),
    WINDOW: '1s',
  };
  const random = new Random(SEED, KILLS);
  const sending = sendSlowly(stream, records);
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = startVictim('warehouse.ts', settings);
    await victim.reading();
    await sleep(300 + random.below(3500));
    await victim.kill();
  }
  await sending;
  // A run that finds nothing more to read has left nothing behind.
  for (let run = 0; ; run++) {
    expect(run, 'runs to catch up').toBeLessThan(10);
    const { code, output } = await startVictim('warehouse.ts', settings, ['--for', '5s']).ended();
    expect(code, output).toBe(0);
    if (output.includes('read 0 = stored 0 + repeats 0 + rejected 0')) return;
  }
}

async function linesInS3(): Promise<string[]> {
  const lines: string[] = [];
  for (let token: string | undefined; ;) {
    const page = await s3.client.send(
      new ListObjectsV2Command({ Bucket: s3.bucket, Prefix: 'crash/snowplow/', ...(token && { ContinuationToken: token }) }),
    );
    for (const { Key } of page.Contents ?? []) {
      const object = await s3.client.send(new GetObjectCommand({ Bucket: s3.bucket, Key }));
      lines.push(...linesOf(await object.Body!.transformToByteArray()));
    }
    token = page.NextContinuationToken;
    if (!token) return lines;
  }
}
