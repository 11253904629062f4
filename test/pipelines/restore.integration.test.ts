import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startVictim } from '../crash/victim.ts';
import { queryDuckdb } from '../support/duckdb.ts';
import { type WarehousePlaces, runWarehouse } from '../support/shop-archive.ts';

let folder: string;
let file: string;
let places: WarehousePlaces;

beforeEach(async () => {
  folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'millrace-restore-'));
  file = join(folder, 'warehouse.duckdb');
  places = { DATABASE_URL: `duckdb:${file}`, ARCHIVE_URL: `file:${join(folder, 'archive')}`, STATE_FILE: join(folder, 'state') };
});

afterEach(() => rm(folder, { recursive: true }));

/** Each row by its id and a hash of all that is in it. */
const rows = (): ReturnType<typeof queryDuckdb> =>
  queryDuckdb(file, 'SELECT event_id, CAST(hash(e) AS VARCHAR) AS row FROM snowplow_events e ORDER BY ALL');

describe('an hour that was deleted from the table', { timeout: 60_000 }, () => {
  it('is there again after a restore, row for row', async () => {
    await runWarehouse(places, 1_800);
    const before = await rows();
    await queryDuckdb(
      file,
      `DELETE FROM snowplow_events WHERE collector_tstamp >= '2026-11-22 09:00' AND collector_tstamp < '2026-11-22 10:00'`,
    );
    expect((await rows()).length).toBeLessThan(before.length - 150);
    const { code, output } = await startVictim('pipelines/restore.ts', { ...places, RANGE: '2026-11-22T09' }).ended();
    expect(code, output).toBe(0);
    expect(await rows(), output).toEqual(before);
  });
});
