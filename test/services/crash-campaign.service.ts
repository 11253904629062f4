import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatFault } from '../crash/checker.ts';
import { type OpenPlace, openPlace } from '../crash/place.ts';
import { playWarehouse } from '../crash/warehouse-scenes.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? 1);

let postgres: Postgres | undefined;
let minio: OpenPlace | undefined;

beforeAll(async () => {
  [postgres, minio] = await Promise.all([startPostgres(), openPlace('MinIO')]);
});
afterAll(() => Promise.all([postgres?.stop(), minio?.close()]));

test('an act of the crash campaign leaves every event once in Postgres and in S3', { timeout: 300_000 }, async () => {
  const { faults, log, folder } = await playWarehouse({ seed: SEED, number: 3, postgres: postgres!, archive: minio! });
  expect(faults.map(formatFault), `seed ${SEED}, kept in ${folder}:\n${log.join('\n')}`).toEqual([]);
});
