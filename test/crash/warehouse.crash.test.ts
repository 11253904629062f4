import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/demo/random.ts';
import { type Kinesis, startKinesis } from '../support/kinesis.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { ArchiveReader, bucketView } from './archive-evidence.ts';
import { type FoundReject, type Row, orderFaults, rejectFaults, rowsOf, storeFaults } from './checker.ts';
import { oracleOf, placeOf } from './oracle.ts';
import { Producer } from './producer.ts';
import { startVictim } from './victim.ts';

const KILLS = 5;
const SEED = Number(process.env['CRASH_SEED'] ?? 1);

let kinesis: Kinesis;
let s3: S3Server;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-crash-'));
  [kinesis, s3] = await Promise.all([startKinesis(), startS3()]);
}, 60_000);

afterAll(async () => {
  await Promise.all([kinesis.stop(), s3.close()]);
  await rm(folder, { recursive: true, force: true });
});

// The campaign is about Postgres and stores with conditional writes.
describe('the warehouse in DuckDB and an S3 without conditional writes, killed at random moments', () => {
  it('has every event once in both, and every reject once', { timeout: 240_000 }, async () => {
    await kinesis.createStream('duckdb', 2);
    const file = join(folder, 'warehouse.duckdb');
    const settings = {
      KINESIS_STREAM: 'duckdb',
      KINESIS_ENDPOINT: kinesis.endpoint,
      AWS_REGION: 'us-east-1',
      DATABASE_URL: `duckdb:${file}`,
      ARCHIVE_URL: `s3://${s3.bucket}/crash`,
      S3_ENDPOINT: s3.endpoint,
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
      STATE_FILE: join(folder, 'state'),
      WINDOW: '1s',
    };
    const random = new Random(SEED, KILLS);
    const producer = new Producer({
      client: kinesis.client,
      stream: 'duckdb',
      rate: 100,
      shop: { seed: SEED, shares: { repeat: 0.05, 'broken-label': 0.03, malformed: 0.01, noise: 0.03 } },
    });
    for (let kill = 0; kill < KILLS; kill++) {
      const victim = startVictim('pipelines/warehouse.ts', settings);
      await victim.reading();
      await sleep(300 + random.below(3000));
      await victim.kill();
    }
    await producer.stop();
    // A run that finds nothing more to read has left nothing behind.
    for (let runs = 1, output = ''; !output.includes('read 0 = stored 0 + repeats 0 + rejected 0'); runs++) {
      expect(runs, output).toBeLessThan(10);
      const end = await startVictim('pipelines/warehouse.ts', settings, ['--for', '4s']).ended();
      output = end.output;
      expect(end.code, output).toBe(0);
    }

    const { rows, rejects } = await readDuckdb(file);
    const { objects } = await new ArchiveReader(bucketView(s3.client, s3.bucket, 'crash')).read();
    const lines = objects.map(rowsOf);
    const expected = oracleOf(producer.sent, new Set(rejects.map(placeOf)));
    expect(producer.sent.length).toBeGreaterThan(300);
    expect(storeFaults('database', rows, expected, ({ eventId }) => eventId)).toEqual([]);
    expect(lines.flatMap(({ faults }) => faults)).toEqual([]);
    expect(
      storeFaults(
        'archive',
        lines.flatMap((one) => one.rows),
        expected,
      ),
    ).toEqual([]);
    expect(rejectFaults(rejects, expected)).toEqual([]);
    expect(orderFaults(objects, producer.sent)).toEqual([]);
  });
});

async function readDuckdb(file: string): Promise<{ rows: Row[]; rejects: FoundReject[] }> {
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  const select = async (sql: string): Promise<string[][]> =>
    (await connection.runAndReadAll(sql)).getRowsJson() as unknown as string[][];
  const events = await select('select event_id from snowplow_events');
  const rejects = await select('select shard, sequence::text, sub_sequence::text, hex(raw) from millrace.rejects');
  connection.closeSync();
  instance.closeSync();
  return {
    rows: events.map(([eventId]) => ({ eventId: eventId!, text: eventId! })),
    rejects: rejects.map(([shard, sequence, subSequence, raw]) => ({
      shard: shard!,
      sequence: sequence!,
      subSequence: Number(subSequence),
      text: Buffer.from(raw!, 'hex').toString('latin1'),
    })),
  };
}
