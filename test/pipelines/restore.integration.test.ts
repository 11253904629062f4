import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { restore } from '../../pipelines/restore.ts';
import { logLine } from '../../src/observe/log/log.ts';
import { run } from '../../src/run/run.ts';
import { readSettings } from '../../src/command/settings.ts';
import { startVictim } from '../crash/victim.ts';
import { type TestDatabase, type TestPostgres, emptyPostgres } from '../support/databases.ts';
import { queryDuckdb } from '../support/duckdb.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { scratch } from '../support/scratch.ts';
import { type WarehousePlaces, runWarehouse } from '../support/shop-archive.ts';

/** Three hours from 08:30 on. */
const RECORDS = 1_800;
const hourOf = (time: string): string =>
  `collector_tstamp >= '2026-11-22 ${time}:00' AND collector_tstamp < '2026-11-22 ${time}:59:59.999'`;

/** What a restore said, and how many records it read. */
interface Restored {
  readonly output: string;
  readonly read: number;
}

/** Runs the pipeline in this process, with settings as its file reads them. */
async function restoring(environment: Readonly<Record<string, string>>): Promise<Restored> {
  const { settings } = readSettings(restore.settings, [], environment);
  const said: string[] = [];
  const { read } = await run(restore.pipeline(settings), {
    report: (diagnostic) => void said.push(logLine(diagnostic) ?? ''),
  });
  return { output: said.filter(Boolean).join('\n'), read };
}

/** What came of it: rows that were missing, and rows that were there. */
function outcomeOf(output: string): number[] {
  const [, stored, there] = /([\d,]+) rows? stored that were missing, ([\d,]+) rows? left out/.exec(output) ?? [];
  return [stored, there].map((text) => Number(text?.replaceAll(',', '')));
}

interface Setting {
  readonly places: WarehousePlaces & { readonly AWS_ACCESS_KEY_ID?: string; readonly AWS_SECRET_ACCESS_KEY?: string };
  readonly query: TestDatabase['query'];
  /** Each row by its id and a hash of all that is in it. */
  readonly rows: (table?: string) => Promise<unknown>;
}

function behaves(setting: () => Setting): void {
  let before: unknown;
  const count = async (where = 'true'): Promise<number> => {
    const [row] = await setting().query(`SELECT count(*) AS n FROM snowplow_events WHERE ${where}`);
    return Number(row!['n']);
  };
  let name = 0;
  /** Under a name of its own, as of a person who has not restored before. */
  const again = (settings: Record<string, string>): Promise<Restored> =>
    restoring({ ...setting().places, NAME: `restore-${name}`, ...settings });

  beforeEach(async () => {
    name++;
    before ??= await setting().rows();
    expect(await count()).toBeGreaterThan(RECORDS * 0.9);
  });

  it('puts back an hour that was deleted from the live table, row for row, and nothing twice when it is run again', async () => {
    const { query, rows } = setting();
    const inHour = await count(hourOf('09'));
    expect(inHour).toBeGreaterThan(500);
    await query(`DELETE FROM snowplow_events WHERE ${hourOf('09')}`);
    const settings = { ...setting().places, NAME: `restore-${name}`, RANGE: '2026-11-22T09' };
    const { code, output } = await startVictim('pipelines/restore.ts', settings).ended();
    expect(code, output).toBe(0);
    expect(await rows(), output).toEqual(before);
    expect(outcomeOf(output)).toEqual([inHour, 0]);
    expect(output).toContain(`read ${inHour} = stored ${inHour} + repeats 0 + rejected 0`);

    const second = await again({ RANGE: '2026-11-22T09' });
    expect(second.read).toBe(0);
    expect(second.output).toMatch(/nothing to do, \d+ objects read before; under another name/);
    expect(await rows()).toEqual(before);
  });

  it('puts back exactly what is missing of an hour of which a part was lost', async () => {
    const { query, rows } = setting();
    const inHour = await count(hourOf('10'));
    const lost = await count(`${hourOf('10')} AND event_id < '6'`);
    await query(`DELETE FROM snowplow_events WHERE ${hourOf('10')} AND event_id < '6'`);
    const { output } = await again({ RANGE: '2026-11-22T10' });
    expect(outcomeOf(output)).toEqual([lost, inHour - lost]);
    expect(lost).toBeGreaterThan(100);
    expect(await rows()).toEqual(before);
  });

  it('loads what is asked for in whatever order, ranges that overlap among it', async () => {
    const { query, rows } = setting();
    await query('DELETE FROM snowplow_events');
    for (const RANGE of ['2026-11-22T10/2026-11-22T12', '2026-11-22T09', '2026-11-22T08:30/2026-11-22T10:10'])
      await again({ RANGE });
    expect(await rows()).toEqual(before);
  });

  it('loads a day into another table, and again under another name after that was emptied', async () => {
    const { query, rows } = setting();
    const day = { RANGE: '2026-11-22', TABLE: `again_${name}` };
    await again(day);
    expect(await rows(day.TABLE)).toEqual(before);
    await query(`DELETE FROM ${day.TABLE}`);
    expect((await again(day)).read).toBe(0);
    expect(await rows(day.TABLE)).toEqual([]);
    await again({ ...day, NAME: `restore-${name}-once-more` });
    expect(await rows(day.TABLE)).toEqual(before);
  });
}

describe('pipelines/restore.ts, of a warehouse in DuckDB with a folder for an archive,', { timeout: 60_000 }, () => {
  let folder: string;
  let setting: Setting;
  beforeAll(async () => {
    folder = await scratch('restore');
    const file = join(folder, 'warehouse.duckdb');
    const places = {
      DATABASE_URL: `duckdb:${file}`,
      ARCHIVE_URL: `file:${join(folder, 'archive')}`,
      STATE_FILE: join(folder, 'state'),
    };
    await runWarehouse(places, RECORDS);
    setting = {
      places,
      query: (statement) => queryDuckdb(file, statement),
      rows: (table = 'snowplow_events') =>
        queryDuckdb(file, `SELECT event_id, CAST(hash(e) AS VARCHAR) AS row FROM ${table} e ORDER BY ALL`),
    };
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true }));
  behaves(() => setting);

  it('reads an archive that was copied by hand, without what the folder knew of its files', async () => {
    const copy = join(folder, 'copy');
    await cp(join(folder, 'archive', 'snowplow'), join(copy, 'snowplow'), { recursive: true });
    const places = { ...setting.places, ARCHIVE_URL: `file:${copy}` };
    const { output } = await restoring({ ...places, RANGE: '2026-11-22', TABLE: 'of_copy', NAME: 'of-copy' });
    expect(output).toMatch(/objects without metadata, first snowplow\/2026/);
    expect(await setting.rows('of_copy')).toEqual(await setting.rows());
  });

  it('ends with 1 and clear words when there is nothing in the range', async () => {
    const { code, output } = await startVictim('pipelines/restore.ts', { ...setting.places, RANGE: '2026-11-23' }).ended();
    expect(code).toBe(1);
    expect(output).toMatch(
      /has ended: Error: archived: expected objects of snowplow in .* in 2026-11-23T00:00Z\/2026-11-24T00:00Z, got none/,
    );
  });
});

describe('pipelines/restore.ts, of a warehouse in Postgres with an archive at an S3 API server,', { timeout: 60_000 }, () => {
  let folder: string;
  let server: Postgres;
  let s3: S3Server;
  let database: TestPostgres;
  let setting: Setting;
  beforeAll(async () => {
    [folder, server, s3] = await Promise.all([scratch('restore'), startPostgres(), startS3()]);
    database = await emptyPostgres(server);
    const keys = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER', AWS_REGION: 'us-east-1' };
    Object.assign(process.env, keys);
    const places = {
      DATABASE_URL: database.url,
      ARCHIVE_URL: `s3://${s3.bucket}/shop`,
      S3_ENDPOINT: s3.endpoint,
      STATE_FILE: join(folder, 'state'),
    };
    await runWarehouse(places, RECORDS);
    setting = {
      places: { ...places, ...keys },
      query: database.query,
      rows: (table = 'snowplow_events') => database.query(`SELECT event_id, md5(e::text) AS row FROM ${table} e ORDER BY 1, 2`),
    };
  }, 120_000);
  afterAll(async () => {
    await database.close();
    await Promise.all([server.stop(), s3.close(), rm(folder, { recursive: true })]);
  });
  behaves(() => setting);
});
