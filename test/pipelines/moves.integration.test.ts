import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { capture } from '../../pipelines/capture.ts';
import { restore } from '../../pipelines/restore.ts';
import { warehouse } from '../../pipelines/warehouse.ts';
import type { Pipeline } from '../../src/pipeline.ts';
import { type RunOptions, run, startRun } from '../../src/run/run.ts';
import { readSettings } from '../../src/command/settings.ts';
import { type Script, scripted } from '../../src/sources/scripted.ts';
import { lineOf } from '../snowplow/line.ts';
import { queryDuckdb } from '../support/duckdb.ts';
import { scratch } from '../support/scratch.ts';

const START_MS = Date.UTC(2026, 10, 22, 22);
const EVENT_ID = 6;
/** Half an hour of records of the stream; from then on the first shard is two. */
const BEFORE = 30;
const ALL = 60;
/** What the stream no longer keeps of them. */
const GONE = 10;

const idOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const shardOf = (number: number): string => (number % 2 === 1 ? 'b' : number < BEFORE ? 'a' : 'a1');
const line = (number: number): Buffer => {
  const at = new Date(START_MS + number * 60_000).toISOString().slice(0, -1).replace('T', ' ');
  return lineOf({ event_id: idOf(number), collector_tstamp: at, etl_tstamp: at });
};

/** The stream, with what it has between two numbers: an event a minute, past midnight. */
function stream(from: number, to: number): Script {
  const recordsOf = (shard: string): { data: Buffer; arrivedAtMs: number; sequence: number }[] =>
    numbers(from, to)
      .filter((number) => shardOf(number) === shard)
      .map((number) => ({ data: line(number), arrivedAtMs: START_MS + number * 60_000, sequence: number + 1 }));
  const isSplit = to > BEFORE;
  return {
    a: isSplit ? [recordsOf('a')] : [recordsOf('a'), 'until-stopped'],
    b: [recordsOf('b'), 'until-stopped'],
    ...(isSplit && { a1: { parents: ['a'], scenes: [recordsOf('a1'), 'until-stopped'] } }),
  };
}

let folder: string;
beforeEach(async () => {
  folder = await scratch('moves');
});
afterEach(() => rm(folder, { recursive: true }));

type Places = Readonly<Record<string, string>>;

function places(database = 'one', archive = 'one'): Places {
  return {
    KINESIS_STREAM: 'shop',
    DATABASE_URL: `duckdb:${join(folder, `${database}.duckdb`)}`,
    ARCHIVE_URL: `file:${join(folder, archive)}`,
    STATE_FILE: join(folder, 'state'),
  };
}

/** Runs the warehouse until it has read so many records, and stops it. */
async function live(script: Script, reads: number, at: Places, options: RunOptions = {}): Promise<void> {
  const { settings } = readSettings(warehouse.settings, [], at);
  const stop = new AbortController();
  const declared: Pipeline = { ...warehouse.pipeline(settings), source: scripted(script) };
  const running = startRun(declared, { ...options, stop: stop.signal });
  const over = running.finished.finally(() => stop.abort());
  while (!stop.signal.aborted && running.ledger.counts().read < reads) await sleep(5);
  stop.abort();
  expect((await over).read).toBe(reads);
}

async function restoring(at: Places, range = '2026-11-22/2026-11-24'): Promise<void> {
  const { settings } = readSettings(restore.settings, ['--range', range], at);
  await run(restore.pipeline(settings));
}

/** The numbers of the rows of a table. */
async function rows(at: Places, table = 'snowplow_events'): Promise<number[]> {
  const found = await queryDuckdb(at['DATABASE_URL']!.slice('duckdb:'.length), `SELECT event_id FROM ${table}`);
  return found.map((row) => Number(String(row['event_id']).slice(-12))).toSorted((a, b) => a - b);
}

/** The numbers of the lines of an archive. */
async function archived(at: Places): Promise<number[]> {
  const root = join(at['ARCHIVE_URL']!.slice('file:'.length), 'snowplow');
  const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.gz'));
  const texts = await Promise.all(names.map(async (name) => gunzipSync(await readFile(join(root, name))).toString()));
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  return lines.map((one) => Number(one.split('\t')[EVENT_ID]!.slice(-12))).toSorted((a, b) => a - b);
}

describe('docs/deployment.md: a warehouse that moves', { timeout: 60_000 }, () => {
  it('to another database has each event there once: what is archived is restored, then it goes on at LATEST', async () => {
    await live(stream(0, 50), 50, places());
    const to = places('two');
    await restoring(to);
    await live(stream(GONE, ALL), ALL - 50, to, { start: 'LATEST' });
    expect(await rows(to)).toEqual(numbers(0, ALL));
    expect(await archived(to)).toEqual(numbers(0, ALL));
  });

  it('to another database, or table, that is to have all that the stream keeps gets the rest by a restore behind that', async () => {
    await live(stream(0, 50), 50, places());
    const to = places('two');
    await live(stream(GONE, ALL), ALL - GONE, to);
    expect(await rows(to)).toEqual(numbers(GONE, ALL));
    await restoring(to);
    expect(await rows(to)).toEqual(numbers(0, ALL));
    expect(await archived(to)).toEqual(numbers(0, ALL));
  });

  it('to another table goes on in it, and has the rest by a restore', async () => {
    await live(stream(0, 50), 50, places());
    const to = { ...places(), TABLE: 'other' };
    await live(stream(GONE, ALL), ALL - 50, to);
    expect(await rows(to, 'other')).toEqual(numbers(50, ALL));
    await restoring(to);
    expect(await rows(to, 'other')).toEqual(numbers(0, ALL));
  });

  it('to another archive goes on in it at LATEST, and takes one that was copied as a whole for its own', async () => {
    await live(stream(0, 40), 40, places());
    await cp(join(folder, 'one'), join(folder, 'copy'), { recursive: true });
    await live(stream(GONE, 50), 10, places('one', 'two'), { start: 'LATEST' });
    expect(await archived(places('one', 'two'))).toEqual(numbers(40, 50));
    await live(stream(GONE, ALL), 20, places('one', 'copy'));
    expect(await archived(places('one', 'copy'))).toEqual(numbers(0, ALL));
    expect(await rows(places())).toEqual(numbers(0, ALL));
  });

  it('whose database is put back from a backup, or its archive, brings that up to date and leaves the other as it is', async () => {
    await live(stream(0, 25), 25, places());
    const [database, archive] = [join(folder, 'one.duckdb'), join(folder, 'one')];
    await cp(database, `${database}.backup`);
    await cp(archive, `${archive}.backup`, { recursive: true });
    await live(stream(0, 50), 25, places());
    await rename(`${database}.backup`, database);
    await live(stream(GONE, ALL), ALL - 25, places());
    await rm(archive, { recursive: true });
    await rename(`${archive}.backup`, archive);
    await live(stream(GONE, ALL), ALL - 25, places());
    expect(await rows(places())).toEqual(numbers(0, ALL));
    expect(await archived(places())).toEqual(numbers(0, ALL));
  });

  it('that lost an hour by collector_tstamp gets it back by a range that ends later', async () => {
    await live(stream(0, 50), 50, places());
    // Its last event arrived in the next hour.
    await queryDuckdb(
      join(folder, 'one.duckdb'),
      `UPDATE snowplow_events SET collector_tstamp = '2026-11-22 22:09:59' WHERE event_id = '${idOf(10)}'`,
    );
    await queryDuckdb(join(folder, 'one.duckdb'), `DELETE FROM snowplow_events WHERE collector_tstamp < '2026-11-22 22:10'`);
    await restoring(places(), '2026-11-22T22:00/2026-11-22T22:10');
    expect(await rows(places())).toEqual([...numbers(0, 10), ...numbers(11, 50)]);
    await restoring(places(), '2026-11-22T22:00/2026-11-22T23:00');
    expect(await rows(places())).toEqual(numbers(0, 50));
  });

  it('from the logs of a shell chain, of which the stream has a part, gets the rest of them', async () => {
    await live(stream(GONE, ALL), ALL - GONE, places());
    await mkdir(join(folder, 'logs'));
    await writeFile(
      join(folder, 'logs', 'good.1.log'),
      numbers(0, 40)
        .map((number) => `${line(number).toString()}\n`)
        .join(''),
    );
    const settings = { ...places(), STATE_FILE: join(folder, 'capture.state'), FILES: join(folder, 'logs', '*.log') };
    await run(capture.pipeline(readSettings(capture.settings, ['--missing-by', 'event_id'], settings).settings));
    expect(await rows(places())).toEqual(numbers(0, ALL));
    // A restore leaves out what the archive has twice by that.
    const to = places('two');
    await restoring(to);
    expect(await rows(to)).toEqual(numbers(0, ALL));
  });
});
