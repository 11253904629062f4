import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { shopLabels } from '../../pipelines/labels.ts';
import { recover } from '../../pipelines/recover.ts';
import { restore } from '../../pipelines/restore.ts';
import { Random } from '../../src/demo/random.ts';
import {
  archive,
  copyInto,
  databaseFrom,
  decode,
  dedupe,
  enriched,
  enrichedColumns,
  eventId,
  label,
  minuteWindow,
  objectStoreFrom,
  pipeline,
  rejectsIntoDatabase,
  run,
  stripCheckpoints,
  validate,
} from '../../src/index.ts';
import { logLine } from '../../src/observe/log/log.ts';
import { readSettings } from '../../src/command/settings.ts';
import { startVictim } from '../crash/victim.ts';
import { type TestDatabase, emptyPostgres } from '../support/databases.ts';
import { queryDuckdb } from '../support/duckdb.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { runWarehouse, shopTraffic } from '../support/shop-archive.ts';

const RECORDS = 1_500;
const SEED = Number(process.env['CRASH_SEED'] ?? 1);
const KILLS = 4;
const RANGE = '2026-11-22';

/** In these there is a mistake: the shop sells things that cost less. */
const tooStrict = { ...shopLabels, 'product/view': shopLabels['product/view'].extend({ price: z.number().min(60) }) };

interface Setting {
  readonly places: {
    readonly DATABASE_URL: string;
    readonly ARCHIVE_URL: string;
    /** Of the warehouse: recover has a folder, and is told of this one as where both run in one container. */
    readonly STATE_FILE: string;
    readonly STATE_FOLDER: string;
  };
  readonly query: TestDatabase['query'];
}

/** Runs the warehouse with labels that are too strict. */
async function runMistaken({ DATABASE_URL, ARCHIVE_URL }: Setting['places']): Promise<void> {
  const database = databaseFrom(DATABASE_URL);
  const declared = pipeline('warehouse')
    .from(shopTraffic(RECORDS))
    .pipe(
      stripCheckpoints(),
      decode(enriched),
      validate(label(tooStrict)),
      dedupe({ by: eventId, within: { hours: 1 } }),
      minuteWindow(),
    )
    .to(archive(objectStoreFrom(ARCHIVE_URL), { prefix: 'snowplow' }), copyInto(database, { table: 'snowplow_events' }))
    .rejects(rejectsIntoDatabase(database));
  await run(declared);
}

/** Runs a pipeline file in this process, with settings as it reads them; gives what it said. */
async function running(file: typeof recover | typeof restore, environment: Readonly<Record<string, string>>): Promise<string> {
  const said: string[] = [];
  // One of both, and its own settings.
  const { settings, pipeline: declare } = file as typeof recover;
  await run(declare(readSettings(settings, [], environment).settings), {
    report: (diagnostic) => void said.push(logLine(diagnostic) ?? ''),
  });
  return said.filter(Boolean).join('\n');
}

/** @param recovered recovers all that the warehouse rejected, and gives what that said */
function behaves(
  setUp: () => { readonly mistaken: Setting; readonly right: Setting },
  recovered: (mistaken: Setting) => Promise<string>,
): void {
  /** The rows of a table, by what tells them apart. */
  const rows = async ({ query }: Setting, table = 'snowplow_events'): Promise<unknown> =>
    (await query(`SELECT event_id FROM ${table} ORDER BY event_id`)).map((row) => row['event_id']);
  const rejects = async ({ query }: Setting, by: string): Promise<unknown[]> =>
    (await query(`SELECT DISTINCT sequence, step, code FROM millrace.rejects WHERE pipeline = '${by}'`))
      .map(({ sequence, step, code }) => `${String(sequence)} ${String(step)} ${String(code)}`)
      .toSorted();

  it('stores what was rejected by mistake, once, and rejects again what is wrong, as if there had been no mistake', async () => {
    const { mistaken, right } = setUp();
    const expected = await rows(right);
    expect(await rows(mistaken)).not.toEqual(expected);
    const wrong = await rejects(right, 'warehouse');
    expect((await rejects(mistaken, 'warehouse')).length).toBeGreaterThan(wrong.length + 100);
    expect(wrong.length).toBeGreaterThan(10);

    const output = await recovered(mistaken);
    expect(await rows(mistaken), output).toEqual(expected);
    expect(await rejects(mistaken, 'recover')).toEqual(wrong);
  });

  it('has nothing to do when it is run again, and under another name leaves out what is there', async () => {
    const { mistaken, right } = setUp();
    expect(await running(recover, { ...mistaken.places, RANGE })).toMatch(/nothing to do, \d+ records read before/);
    const output = await running(recover, { ...mistaken.places, NAME: 'recover-again', RANGE });
    expect(output).toMatch(/ 0 rows stored that were missing, [\d,]+ rows left out/);
    expect(await rows(mistaken)).toEqual(await rows(right));
  });

  it('has put it into the archive, too, from which a day is restored with it', async () => {
    const { mistaken, right } = setUp();
    await running(restore, { ...mistaken.places, RANGE, TABLE: 'restored' });
    expect(await rows(mistaken, 'restored')).toEqual(await rows(right));
  });

  it('takes a step alone, and of another pipeline, when it is told so', async () => {
    const { mistaken } = setUp();
    const own = { ...mistaken.places, RANGE, TABLE: 'of_a_step', NAME: 'of-a-step' };
    const output = await running(recover, { ...own, STEP: 'validate', CODE: 'label_price' }).catch(String);
    expect(output).toMatch(/rejected: expected rejects of warehouse \(step validate, code label_price\) in .*, got none/);
    expect(await running(recover, { ...own, STEP: 'decode' })).toMatch(
      /rejects of warehouse \(step decode\) in .*: \d+ records of 2 shards/,
    );
    expect(await running(recover, { ...own, REJECTED_BY: 'recover' })).toMatch(
      /rejects of recover in .*: \d+ records of 2 shards/,
    );
    expect(await rows(mistaken, 'of_a_step')).toEqual([]);
  });

  it('brings in what another range had read and not stored when it failed', async () => {
    const { mistaken } = setUp();
    const { places } = mistaken;
    // A folder of the archive that is a file: nothing can be put there.
    const broken = `${places.STATE_FOLDER}-broken`;
    await mkdir(broken);
    await writeFile(join(broken, 'snowplow'), '');
    const own = { ...places, NAME: 'widened', TABLE: 'widened' };
    const failed = running(recover, { ...own, ARCHIVE_URL: `file:${broken}`, RANGE: `${RANGE}T09` });
    await expect(failed).rejects.toThrow(/ENOTDIR/);
    await running(recover, { ...own, RANGE });
    await running(recover, { ...places, NAME: 'alone', TABLE: 'alone', RANGE });
    expect(await rows(mistaken, 'widened')).toEqual(await rows(mistaken, 'alone'));
    await rm(broken, { recursive: true });
  });
}

/** Kills the process at random moments of its archiving, and runs it again until it is done. */
async function afterKills({ places }: Setting): Promise<string> {
  const random = new Random(SEED, KILLS);
  const stored: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const goal = (await countRecovered(places)) + 1 + random.below(40);
    const victim = startVictim('pipelines/recover.ts', { ...places, RANGE }, ['--max-in-flight', '1']);
    while (!victim.hasEnded && (await countRecovered(places)) < goal) await sleep(1);
    victim.signal('SIGKILL');
    await victim.ended();
    stored.push(await countRecovered(places));
  }
  const { code, output } = await startVictim('pipelines/recover.ts', { ...places, RANGE }).ended();
  expect(code, output).toBe(0);
  // It was met in the middle, or this proves nothing.
  const all = await countRecovered(places);
  expect(
    stored.some((count) => count > 0 && count < all),
    `${String(stored)} of ${all}`,
  ).toBe(true);
  return output;
}

/** How many objects of what was recovered are in the archive. */
async function countRecovered({ ARCHIVE_URL }: Setting['places']): Promise<number> {
  const files = await readdir(join(ARCHIVE_URL.slice('file:'.length), 'snowplow'), { recursive: true });
  return files.filter((name) => name.includes('-recover%20warehouse%20')).length;
}

const placesIn = (folder: string, url: string): Setting['places'] => ({
  DATABASE_URL: url,
  ARCHIVE_URL: `file:${join(folder, 'archive')}`,
  STATE_FILE: join(folder, 'state'),
  STATE_FOLDER: join(folder, 'states'),
});

describe('pipelines/recover.ts, of a warehouse in DuckDB,', { timeout: 120_000 }, () => {
  let folders: string[];
  let settings: Setting[];
  beforeAll(async () => {
    folders = await Promise.all([scratch('recover'), scratch('recover')]);
    settings = folders.map((folder) => {
      const file = join(folder, 'warehouse.duckdb');
      return { places: placesIn(folder, `duckdb:${file}`), query: (statement) => queryDuckdb(file, statement) };
    });
    await runMistaken(settings[0]!.places);
    await runWarehouse(settings[1]!.places, RECORDS);
  }, 120_000);
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));
  behaves(
    () => ({ mistaken: settings[0]!, right: settings[1]! }),
    ({ places }) => running(recover, { ...places, RANGE }),
  );
});

describe('pipelines/recover.ts, of a warehouse in Postgres,', { timeout: 120_000 }, () => {
  let server: Postgres;
  let folders: string[];
  let databases: Awaited<ReturnType<typeof emptyPostgres>>[];
  let settings: Setting[];
  beforeAll(async () => {
    server = await startPostgres();
    folders = await Promise.all([scratch('recover'), scratch('recover')]);
    databases = [await emptyPostgres(server), await emptyPostgres(server)];
    settings = databases.map(({ url, query }, i) => ({ places: placesIn(folders[i]!, url), query }));
    await runMistaken(settings[0]!.places);
    await runWarehouse(settings[1]!.places, RECORDS);
  }, 120_000);
  afterAll(async () => {
    for (const database of databases) await database.close();
    await Promise.all([server.stop(), ...folders.map((folder) => rm(folder, { recursive: true }))]);
  });
  behaves(() => ({ mistaken: settings[0]!, right: settings[1]! }), afterKills);

  it('leaves what the table alone refused to a restore, and archives it once more', async () => {
    const folder = await scratch('recover');
    const database = await emptyPostgres(server);
    const places = placesIn(folder, database.url);
    const count = async (): Promise<number> =>
      (await database.query('SELECT count(*)::int AS n FROM snowplow_events'))[0]!['n'] as number;
    const open = await databaseFrom(database.url).open({ report: () => {} });
    await open.createTable({ name: 'snowplow_events', columns: enrichedColumns });
    await open.close();
    await database.query('ALTER TABLE snowplow_events ALTER page_title TYPE varchar(12)');
    await runWarehouse(places, 200);
    const narrow = await count();
    await database.query('ALTER TABLE snowplow_events ALTER page_title TYPE varchar(2000)');
    await running(restore, { ...places, RANGE });
    const all = await count();
    expect(all).toBeGreaterThan(narrow + 50);
    expect(await countRecovered(places)).toBe(0);
    await database.query('DELETE FROM snowplow_events WHERE length(page_title) > 12');
    expect(await count()).toBe(narrow);
    await running(recover, { ...places, RANGE });
    expect(await count()).toBe(all);
    expect(await countRecovered(places)).toBeGreaterThan(0);
    await database.close();
    await rm(folder, { recursive: true });
  });
});
