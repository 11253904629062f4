import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/demo/random.ts';
import { shop } from '../../src/demo/shop.ts';
import { s3 as s3Store } from '../../src/stores/s3.ts';
import { type WrittenWindow, storeWindows } from '../support/archive-of.ts';
import { type TestPostgres, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { startVictim } from './victim.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? 1);
const KILLS = 6;
const SHARDS = 3;
const WINDOWS = 12;
const LINES = 900;

let server: Postgres;
let s3: S3Server;
let database: TestPostgres;
let settings: Readonly<Record<string, string>>;
let eventIds: string[];

beforeAll(async () => {
  [server, s3] = await Promise.all([startPostgres(), startS3()]);
  database = await emptyPostgres(server);
  const nine = Date.UTC(2026, 10, 22, 9);
  const events = shop({ seed: SEED, shares: { repeat: 0, 'broken-label': 0, malformed: 0, noise: 0 } })
    .take(SHARDS * WINDOWS * LINES)
    .toArray();
  eventIds = events.map(({ eventId }) => eventId);
  const windows = Array.from({ length: SHARDS * WINDOWS }, (_, i): WrittenWindow => {
    const minute = Math.floor(i / SHARDS);
    const lines = events.slice(i * LINES, (i + 1) * LINES).map(({ data }) => Buffer.from(data).toString());
    return { shard: `shardId-00000000000${i % SHARDS}`, startMs: nine + minute * 60_000, first: 1 + minute * LINES, lines };
  });
  await storeWindows(s3Store(`s3://${s3.bucket}/crash`, { client: s3.client }), windows, { prefix: 'snowplow' });
  settings = {
    ARCHIVE_URL: `s3://${s3.bucket}/crash`,
    S3_ENDPOINT: s3.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
    DATABASE_URL: database.url,
    RANGE: '2026-11-22T09',
  };
}, 120_000);

afterAll(async () => {
  await database.close();
  await Promise.all([server.stop(), s3.close()]);
});

const rowsOf = (table: string): Promise<unknown> => database.query(`SELECT md5(e::text) AS row FROM ${table} e ORDER BY 1`);
const countOf = async (table: string): Promise<number> => {
  const [row] = await database.query(`SELECT count(*) AS n FROM ${table}`).catch(() => [{ n: 0 }]);
  return Number(row!['n']);
};

describe('a restore that is killed at random moments', () => {
  it.each([
    ['as it is', 'pipelines/restore.ts', 'as_it_is'],
    ['when it looks for no row in the table', 'test/crash/restore-all-rows.ts', 'all_rows'],
  ])('and run again until it is done has loaded each row once, %s', { timeout: 240_000 }, async (_, file, table) => {
    const own = { ...settings, TABLE: table, NAME: table };
    const random = new Random(SEED, KILLS);
    const loaded: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      // Little room, so that there are many commits to be killed between.
      const victim = startVictim(file, own, ['--max-in-flight', '2']);
      await victim.reading();
      await sleep(random.below(600));
      if (victim.hasEnded) break;
      victim.signal('SIGKILL');
      await victim.ended();
      loaded.push(await countOf(table));
    }
    const { code, output } = await startVictim(file, own).ended();
    expect(code, output).toBe(0);
    // It was met in the middle, or this proves nothing.
    expect(
      loaded.some((count) => count > 0 && count < eventIds.length),
      String(loaded),
    ).toBe(true);
    const rows = await database.query(`SELECT event_id FROM ${table} ORDER BY event_id`);
    expect(rows.map((row) => row['event_id'])).toEqual(eventIds.toSorted());
    expect(await rowsOf(table)).toEqual(await control());
    expect(await countOf('millrace.rejects')).toBe(0);
  });
});

let controlled: Promise<unknown> | undefined;

/** The rows of a restore that nobody disturbed. */
async function control(): Promise<unknown> {
  controlled ??= startVictim('pipelines/restore.ts', { ...settings, TABLE: 'control', NAME: 'control' }).ended();
  await controlled;
  return rowsOf('control');
}
