import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/demo/random.ts';
import { shop } from '../../src/demo/shop.ts';
import { s3 as s3Store } from '../../src/stores/s3.ts';
import { startVictim } from '../crash/victim.ts';
import { queryDuckdb } from '../support/duckdb.ts';
import { startS3 } from '../support/s3.ts';
import { scratch } from '../support/scratch.ts';

const RECORDS = 3_000;
const FILES = 60;
const KILLS = 4;
const SEED = Number(process.env['CRASH_SEED'] ?? 1);
const START_MS = Date.UTC(2026, 10, 22, 9);
const EVENT_ID = 6;

/** What an enricher printed: events with lines of its log between and inside them, and some of which the label is wrong. */
const printed = shop({
  seed: SEED,
  timeOf: (number) => START_MS + number * 200,
  shares: { repeat: 0, malformed: 0, noise: 0.05, 'broken-label': 0.02 },
})
  .take(RECORDS)
  .toArray();
const text = Buffer.concat(printed.flatMap(({ data }) => [data, Buffer.from('\n')]));
/** Where each ends in the text, its newline included. */
const ends = printed.map(
  (
    (at) =>
    ({ data }) =>
      (at += data.length + 1)
  )(0),
);

/** The text in files, cut anywhere. */
function cut(random: Random): Buffer[] {
  const cuts = Array.from({ length: FILES - 1 }, () => random.below(text.length)).toSorted((a, b) => a - b);
  return [0, ...cuts].map((from, i) => text.subarray(from, cuts[i] ?? text.length));
}

interface Places {
  readonly DATABASE_URL: string;
  readonly ARCHIVE_URL: string;
  readonly STATE_FILE: string;
  readonly SPOOL: string;
}

const folders: string[] = [];
async function emptyPlaces(): Promise<Places & { readonly folder: string }> {
  const folder = await scratch('capture');
  folders.push(folder);
  return {
    folder,
    DATABASE_URL: `duckdb:${join(folder, 'warehouse.duckdb')}`,
    ARCHIVE_URL: `file:${join(folder, 'archive')}`,
    STATE_FILE: join(folder, 'state'),
    SPOOL: join(folder, 'spool'),
  };
}
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

async function objectsIn({ ARCHIVE_URL }: Places): Promise<string[]> {
  const folder = join(ARCHIVE_URL.slice('file:'.length), 'snowplow');
  if (!existsSync(folder)) return [];
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith('.tsv.gz')).map((name) => join(folder, name));
}

const query = ({ DATABASE_URL }: Places, sql: string): ReturnType<typeof queryDuckdb> =>
  queryDuckdb(DATABASE_URL.slice('duckdb:'.length), sql);

/** The events of the table, and those of the archive. */
async function idsIn(places: Places): Promise<{ readonly rows: string[]; readonly lines: string[] }> {
  const rows = (await query(places, 'SELECT event_id FROM snowplow_events')).map((row) => String(row['event_id']));
  const objects = await Promise.all((await objectsIn(places)).map(async (path) => gunzipSync(await readFile(path)).toString()));
  const lines = objects.flatMap((object) => object.split('\n').slice(0, -1)).map((line) => line.split('\t')[EVENT_ID]!);
  return { rows, lines };
}

/** The bytes of all rejects, one behind the other. */
async function refusedIn(places: Places): Promise<string> {
  const rejects = await query(places, 'SELECT raw FROM millrace.rejects');
  return rejects.map(({ raw }) => Buffer.from(raw as Uint8Array).toString()).join('\n');
}

/** What of the standard input is not stored yet. */
async function spooledIn({ SPOOL }: Places): Promise<string[]> {
  return (await readdir(join(SPOOL, 'capture', 'stdin'))).filter((name) => name.endsWith('.lines'));
}

function spawnPiped(places: Places, flags: readonly string[] = []): ChildProcessByStdio<Writable, null, null> {
  const child = spawn(process.execPath, ['pipelines/capture.ts', ...flags], {
    env: { ...process.env, ...pick(places) },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.stdin.on('error', () => {}); // it is no longer read
  return child;
}

/**
 * Expects every event once: as a row and in the archive, or among the rejects, which are few.
 *
 * @param endOf where in the text what has a position ends
 */
async function expectAll(places: Places, endOf: (shard: string, sequence: string) => number): Promise<void> {
  const { rows, lines } = await idsIn(places);
  const rejects = await query(places, 'SELECT shard, sequence, raw FROM millrace.rejects');
  const rejected = rejects.map(({ shard, sequence, raw }) => {
    const to = endOf(String(shard), String(sequence));
    return { from: to - (raw as Uint8Array).length, to };
  });

  for (const ids of [rows, lines]) expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  expect(new Set(lines).isSupersetOf(new Set(rows))).toBe(true);
  const isRejected = (i: number): boolean => rejected.some(({ from, to }) => from < ends[i]! && to > (ends[i - 1] ?? 0));
  expect(printed.filter(({ eventId }, i) => !rows.includes(eventId) && !isRejected(i)).map(({ number }) => number)).toEqual([]);
  expect(rows.length).toBeGreaterThan(RECORDS * 0.95);
}

describe('pipelines/capture.ts', { timeout: 120_000 }, () => {
  describe('of files that were rotated, killed at random moments,', () => {
    let places: Places & { readonly folder: string };
    let logs: string;
    let parts: Buffer[];
    let runs = 0;
    /** None has the memory of the one before: what is read twice is there twice. */
    const run = (): ReturnType<typeof startVictim> => {
      const settings = { ...pick(places), STATE_FILE: join(places.folder, `state-${runs++}`), FILES: join(logs, 'good.*.log') };
      return startVictim('pipelines/capture.ts', settings, ['--max-in-flight', '1']);
    };
    beforeAll(async () => {
      places = await emptyPlaces();
      logs = join(places.folder, 'logs');
      await mkdir(logs);
      parts = cut(new Random(SEED, KILLS));
      for (const [i, part] of parts.slice(0, -1).entries()) await writeFile(join(logs, `good.${i}.log`), part);
    });

    it('has every event once in both, or once among the rejects', async () => {
      const random = new Random(SEED, KILLS + 1);
      const met: number[] = [];
      for (let kill = 0; kill < KILLS; kill++) {
        const goal = (await objectsIn(places)).length + 1 + random.below(12);
        const victim = run();
        while (!victim.hasEnded && (await objectsIn(places)).length < goal) await sleep(1);
        victim.signal('SIGKILL');
        await victim.ended();
        met.push((await objectsIn(places)).length);
      }
      const { code, output } = await run().ended();
      expect(code, output).toBe(0);
      const all = (await objectsIn(places)).length;
      expect(
        met.some((count) => count > 0 && count < all),
        `${String(met)} of ${all}`,
      ).toBe(true);

      // One more file has come, in which the last line goes on.
      await writeFile(join(logs, `good.${FILES - 1}.log`), parts.at(-1)!);
      const last = await run().ended();
      expect(last.code, last.output).toBe(0);
      const begins = beginningsOf(parts);
      await expectAll(places, (shard, sequence) => begins[Number(/good\.(\d+)\.log#/.exec(shard)![1])]! + Number(sequence));
    });

    it('has nothing more to do then', async () => {
      const { output } = await run().ended();
      expect(output).toMatch(/^read 0 = stored 0 /m);
    });
  });

  it('of packed minutes in S3, killed in the middle, has every event once in both, or once among the rejects', async () => {
    const s3 = await startS3();
    try {
      const places = await emptyPlaces();
      const parts = cut(new Random(SEED, KILLS + 2));
      const open = await s3Store(`s3://${s3.bucket}/old`, { client: s3.client }).open({ report: () => {} });
      for (const [i, part] of parts.entries()) await open.put(`2026/11/22/09/${i}.gz`, gzipSync(part));
      await open.close();
      const settings = {
        ...pick(places),
        FILES_URL: `s3://${s3.bucket}/old`,
        FILES: '2026/11/22/**/*.gz',
        S3_ENDPOINT: s3.endpoint,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'S3RVER',
        AWS_SECRET_ACCESS_KEY: 'S3RVER',
      };
      const run = (): ReturnType<typeof startVictim> =>
        startVictim('pipelines/capture.ts', { ...settings, STATE_FILE: `${places.STATE_FILE}-${runs++}` }, [
          '--max-in-flight',
          '1',
        ]);
      let runs = 0;
      const victim = run();
      while (!victim.hasEnded && (await objectsIn(places)).length < 5) await sleep(1);
      victim.signal('SIGKILL');
      await victim.ended();
      const met = (await objectsIn(places)).length;
      const { code, output } = await run().ended();
      expect(code, output).toBe(0);
      expect(met).toBeGreaterThan(0);
      expect(met).toBeLessThan((await objectsIn(places)).length);
      const begins = beginningsOf(parts);
      await expectAll(places, (shard, sequence) => begins[Number(/(\d+)\.gz#/.exec(shard)![1])]! + Number(sequence));
    } finally {
      await s3.close();
    }
  });

  it('of its standard input has every event once in both, or once among the rejects', async () => {
    const places = await emptyPlaces();
    const child = spawnPiped(places);
    child.stdin.end(text);
    expect(await once(child, 'exit')).toEqual([0, null]);
    await expectAll(places, (_, sequence) => Number(sequence.slice(-13)));
    expect(await spooledIn(places)).toEqual([]);
  });

  it('of its standard input, killed at random moments while the writer begins again each time, has every event once in both', async () => {
    const [whole, places] = [await emptyPlaces(), await emptyPlaces()];
    const untroubled = spawnPiped(whole);
    untroubled.stdin.end(text);
    expect(await once(untroubled, 'exit')).toEqual([0, null]);

    const random = new Random(SEED, KILLS + 3);
    const met: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      // Of a later run most is a repeat: it may have no more to store.
      const [goal, patienceMs] = kill === 0 ? [1 + random.below(4), Infinity] : [Infinity, random.below(3000)];
      const beganAtMs = performance.now();
      const victim = spawnPiped(places, ['--max-in-flight', '1']);
      const gone = once(victim, 'exit');
      // Not its end: no window closes for that.
      victim.stdin.write(text);
      const isTime = async (): Promise<boolean> =>
        performance.now() - beganAtMs > patienceMs || (await objectsIn(places)).length >= goal;
      while (victim.exitCode === null && !(await isTime())) await sleep(1);
      victim.kill('SIGKILL');
      expect(await gone).toEqual([null, 'SIGKILL']);
      met.push((await objectsIn(places)).length);
    }
    const last = spawnPiped(places);
    last.stdin.end(text);
    expect(await once(last, 'exit')).toEqual([0, null]);

    const all = await idsIn(whole);
    const found = await idsIn(places);
    for (const ids of [found.rows, found.lines]) expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
    // Which records with a log line in them are events, and which are rejects, rests on what the text had told before: a run that is killed learns it anew.
    const refused = (await refusedIn(whole)) + (await refusedIn(places));
    const isRefused = (id: string): boolean => refused.includes(id.slice(0, 8)) || refused.includes(id.slice(-12));
    for (const [ids, others] of [
      [all.rows, found.rows],
      [all.lines, found.lines],
    ] as const)
      expect(
        new Set(ids)
          .symmetricDifference(new Set(others))
          .values()
          .filter((id) => !isRefused(id))
          .toArray(),
      ).toEqual([]);
    expect(met[0]).toBeLessThan((await objectsIn(places)).length);
    expect(await spooledIn(places)).toEqual([]);
  });

  it.each([
    ['', true],
    [', and whoever read its log is gone', false],
  ])('of its standard input ends with what it has read when it is told to%s', async (_, isHeard) => {
    const places = await emptyPlaces();
    const victim = spawn(process.execPath, ['pipelines/capture.ts'], { env: { ...process.env, ...pick(places) }, stdio: 'pipe' });
    let output = '';
    for (const stream of [victim.stdout, victim.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    victim.stdin.on('error', () => {}); // it is no longer read
    victim.stdin.write(text);
    await expect.poll(() => output, { timeout: 20_000 }).toContain('reading on from');
    await sleep(500);
    if (!isHeard) victim.stderr.destroy();
    victim.kill('SIGTERM');
    expect(await once(victim, 'exit')).toEqual([0, null]);
    expect(output).toMatch(/read (\d+) = stored [1-9]/);
  });
});

function pick({ DATABASE_URL, ARCHIVE_URL, STATE_FILE, SPOOL }: Places): Record<keyof Places, string> {
  return { DATABASE_URL, ARCHIVE_URL, STATE_FILE, SPOOL };
}

/** Where each part begins in the text. */
function beginningsOf(parts: readonly Buffer[]): number[] {
  let at = 0;
  return parts.map(({ length }) => (at += length) - length);
}
