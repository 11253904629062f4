import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Position } from '../../src/position.ts';
import { type RejectedOptions, rejected } from '../../src/sources/rejected.ts';
import type { Database } from '../../src/stores/database.ts';
import type { OpenRejects, RejectSource } from '../../src/stores/reject-source.ts';
import { type TestDatabase, emptyDuckdb, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type Reading, type ReadOptions, readSource, textsByShard } from '../support/read-source.ts';
import { sourceConformance } from './conformance.ts';

const nine = Date.UTC(2026, 10, 22, 9);
const MINUTE_MS = 60_000;
const hour = { of: 'warehouse', since: new Date(nine), until: new Date(nine + 60 * MINUTE_MS) };
const range = '2026-11-22T09:00Z/2026-11-22T10:00Z';
const at = (sequence: number, shard = 's'): Position => ({ shard, sequence: String(sequence), subSequence: 0 });

let fixtures: TestDatabase[] = [];
afterEach(async () => {
  for (const fixture of fixtures) await fixture.close();
  fixtures = [];
});

interface Kept {
  readonly position: Position;
  readonly raw: string;
  readonly arrivedAtMs: number;
  readonly step?: string;
}

/** Stores rejects as the warehouse does. */
async function keep(database: Database, kept: readonly Kept[]): Promise<void> {
  const open = await database.open({ report: () => {} });
  const owner = { pipeline: 'warehouse', sink: 'rejects' };
  for (const [shard, its] of Map.groupBy(kept, ({ position }) => position.shard)) {
    await open.acquire(owner, shard);
    const rejects = its.map(({ position, arrivedAtMs, raw, step = 'decode' }) => ({
      position,
      arrivedAtMs,
      why: { step, code: 'c', reason: 'r' },
      raw: Buffer.from(raw),
    }));
    await open.commit(owner, { rejects, positions: new Map([[shard, its.at(-1)!.position]]) });
  }
  await open.close();
}

/** A database with rejects: of each batch a minute after the one before. */
async function filled(
  fixture: TestDatabase,
  shards: readonly (readonly (readonly string[])[])[],
  maxRecords: number,
): Promise<{ source: ReturnType<typeof rejected>; shards: string[]; times: Date[] }> {
  fixtures.push(fixture);
  const database = fixture.declare() as Database & RejectSource;
  const kept = shards.flatMap((batches, i) =>
    batches.flatMap((lines, n) =>
      lines.map((raw, k) => ({ position: at(n * 100 + k, `shardId-${i}`), raw, arrivedAtMs: nine + n * MINUTE_MS })),
    ),
  );
  await keep(database, kept);
  return {
    source: rejected(database, { ...hour, maxRecords }),
    shards: shards.map((_, i) => `test warehouse ${range} shardId-${i}`),
    times: shards[0]!.map((_, n) => new Date(nine + n * MINUTE_MS)),
  };
}

describe('rejected, from DuckDB', () => {
  it('makes no file where there is none', async () => {
    const fixture = await emptyDuckdb();
    fixtures.push(fixture);
    const source = rejected(fixture.declare() as Database & RejectSource, hour);
    await expect(readSource(source).completed).rejects.toThrow(`duckdb: expected a file at ${fixture.path}, got none`);
    expect(existsSync(fixture.path)).toBe(false);
  });
});

describe('rejected, from Postgres', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());
  sourceConformance(async (shards, maxRecords) => filled(await emptyPostgres(server), shards, maxRecords));

  it('finds none where no pipeline has made a table for them', async () => {
    const fixture = await emptyPostgres(server);
    fixtures.push(fixture);
    const source = rejected(fixture.declare() as Database & RejectSource, hour);
    await expect(readSource(source).completed).rejects.toThrow(
      /^rejected: expected rejects of warehouse in postgres:.*, got none$/,
    );
  });
});

describe('rejected', () => {
  let database: Database & RejectSource;
  beforeEach(async () => {
    const fixture = await emptyDuckdb();
    fixtures.push(fixture);
    database = fixture.declare() as Database & RejectSource;
    await keep(database, [
      { position: at(1), raw: 'a', arrivedAtMs: nine },
      { position: at(2), raw: 'b', arrivedAtMs: nine + MINUTE_MS, step: 'validate' },
      { position: at(3), raw: 'c', arrivedAtMs: nine + 60 * MINUTE_MS },
    ]);
  });
  const read = (options: Partial<RejectedOptions> = {}, how?: ReadOptions, store: RejectSource = database): Reading =>
    readSource(rejected(store, { ...hour, ...options }), how);

  it('gives the records that arrived in the range, as they arrived, and says how many there are', async () => {
    const { completed, events, diagnostics } = read();
    await completed;
    expect(textsByShard(events)).toEqual({ [`test warehouse ${range} s`]: ['a', 'b'] });
    expect(events.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([nine, nine + MINUTE_MS]);
    expect(diagnostics).toContainEqual({
      type: 'rejects-found',
      where: `rejects of warehouse in ${database.describe}`,
      range,
      records: 2,
      shards: 1,
    });
  });

  it('names what else was asked for in the name of the shard, as places in it say nothing of others', async () => {
    const { completed, events } = read({ step: 'validate', code: 'c' });
    await completed;
    expect(textsByShard(events)).toEqual({ [`test warehouse ${range} (step validate, code c) s`]: ['b'] });
  });

  it('says of a range that was read that nothing is to do, and writes no end down, as more may be rejected yet', async () => {
    const shard = `test warehouse ${range} s`;
    const again = read({}, { acquire: async () => at(2, shard), end: async () => expect.unreachable('an end is written down') });
    await again.completed;
    expect(again.events).toEqual([]);
    expect(again.diagnostics).toContainEqual({ type: 'read-before', shard, count: 2, what: 'record', isAll: true });
    await keep(database, [{ position: at(4), raw: 'd', arrivedAtMs: nine + 2 * MINUTE_MS }]);
    const later = read({}, { acquire: async () => at(2, shard) });
    await later.completed;
    expect(textsByShard(later.events)).toEqual({ [shard]: ['d'] });
    expect(later.diagnostics).toContainEqual({ type: 'read-before', shard, count: 2, what: 'record', isAll: false });
  });

  it('gives none from before the range, where the run begins at a time before that', async () => {
    await keep(database, [{ position: at(1, 'other'), raw: 'before', arrivedAtMs: nine - MINUTE_MS }]);
    await keep(database, [{ position: at(2, 'other'), raw: 'in it', arrivedAtMs: nine }]);
    const { completed, events } = read({}, { acquire: async () => new Date(nine - 2 * MINUTE_MS) });
    await completed;
    expect(textsByShard(events)[`test warehouse ${range} other`]).toEqual(['in it']);
  });

  it('gives all parts of a packed record, page by page', async () => {
    const parts = ['x', 'y', 'z'];
    const place = (subSequence: number): Position => ({ ...at(1, 'other'), subSequence });
    await keep(
      database,
      parts.map((raw, i) => ({ position: place(i + 1), raw, arrivedAtMs: nine })),
    );
    const { completed, events } = read({ maxRecords: 1 }, { stopAfter: 20 });
    await completed;
    expect(textsByShard(events)[`test warehouse ${range} other`]).toEqual(parts);
  });

  it('ends with an error that says what was looked for where there is none', async () => {
    const message = async (options: Partial<RejectedOptions>): Promise<string> =>
      read(options).completed.then(
        () => 'it completed',
        (error: Error) => error.message,
      );
    expect(await message({ of: 'nobody' })).toBe(
      `rejected: expected rejects of nobody in ${database.describe} in ${range}, got none`,
    );
    expect(await message({ step: 'copy' })).toMatch(/^rejected: expected rejects of warehouse \(step copy\) in duckdb:/);
  });

  it('tries again what fails for a passing reason, opening the store among it, and says so', async () => {
    let calls = 0;
    /** Every other call fails, as long as there is something new to fail. */
    const shaken = async <T>(act: () => Promise<T>): Promise<T> => {
      calls++;
      if (calls < 6 && calls % 2 === 1) throw Object.assign(new Error('not now'), { isTransient: true });
      return act();
    };
    const closed = vi.fn<() => void>();
    const flaky: RejectSource = {
      describe: 'flaky',
      openRejects: () =>
        shaken(async (): Promise<OpenRejects> => {
          const open = await database.openRejects();
          return {
            shards: (of) => shaken(() => open.shards(of)),
            records: (...args) => shaken(() => open.records(...args)),
            close: () => open.close().then(closed),
          };
        }),
    };
    const { completed, events, diagnostics } = read({}, {}, flaky);
    await completed;
    expect(textsByShard(events)).toEqual({ [`test warehouse ${range} s`]: ['a', 'b'] });
    expect(diagnostics.filter(({ type }) => type === 'source-retry')).toHaveLength(3);
    await vi.waitUntil(() => closed.mock.calls.length === 1);
  });

  it('is not read by the pipeline that it is about, which would read what it rejects again', async () => {
    const message =
      'rejected: expected another pipeline than warehouse to read its rejects: what it rejects again, it would read again';
    await expect(read({}, { pipeline: 'warehouse' }).completed).rejects.toThrow(message);
    await expect(rejected(database, hour).check('warehouse')).rejects.toThrow(message);
  });

  it('refuses what is no range, and no number of records', () => {
    expect(() => rejected(database, { ...hour, until: hour.since })).toThrow(/^rejected: expected until after since/);
    expect(() => rejected(database, { ...hour, maxRecords: 0 })).toThrow('rejected: expected maxRecords of 1 or more, got 0');
  });

  it('asks the store whether it answers, and changes nothing', async () => {
    const fixture = await emptyDuckdb();
    fixtures.push(fixture);
    const empty = fixture.declare() as Database & RejectSource;
    await expect(rejected(empty, hour).check('p')).resolves.toMatch(/the file is not there: a run makes it$/);
    await expect(rejected(database, hour).check('p')).resolves.toMatch(
      /^rejects of warehouse in duckdb:.*, 2026-11-22T09:00Z\/2026-11-22T10:00Z: schema millrace is there$/,
    );
  });
});
