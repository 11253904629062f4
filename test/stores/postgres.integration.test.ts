import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Position } from '../../src/position.ts';
import { postgres } from '../../src/stores/postgres.ts';
import { emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { databaseConformance } from './database.conformance.ts';
import { rejectSourceConformance } from './reject-source.conformance.ts';

let server: Postgres;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.stop());

databaseConformance('postgres', () => emptyPostgres(server));
rejectSourceConformance('postgres', () => emptyPostgres(server));

it('postgres finds a page of rejects by the index, and reads none of those behind it', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  await (await postgres(url).open({ report: () => {} })).close();
  await query(`INSERT INTO millrace.rejects (pipeline, sink, shard, sequence, sub_sequence, arrived_at, step, code, reason, path, raw)
SELECT 'warehouse', CASE i % 10 WHEN 0 THEN 'copy' ELSE 'rejects' END, 's', i, 0, '2026-11-22T09:00Z', 'validate', 'c', 'r', '', repeat('x', 1000)::bytea
FROM generate_series(1, 10000) i`);
  await query('ANALYZE millrace.rejects');
  const hour = { pipeline: 'warehouse', since: new Date('2026-11-22T09:00Z'), until: new Date('2026-11-22T10:00Z') };
  const rejects = await postgres(url).openRejects();
  const found: number[] = [];
  for (let after: Position | undefined; ;) {
    const page = await rejects.records(hour, 's', after, 500);
    if (page.length === 0) break;
    found.push(...page.map(({ position }) => Number(position.sequence)));
    after = page.at(-1)!.position;
  }
  // Its session tells what it read when it ends.
  await rejects.close();
  expect(found).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
  const read = `SELECT (seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_user_tables WHERE schemaname = 'millrace' AND relname = 'rejects'`;
  await expect.poll(async () => (await query(read))[0]!['read'], { timeout: 10_000 }).toBeGreaterThan(10_000);
  // ANALYZE and the inserts read, too; a sort for each page would read 100,000.
  expect((await query(read))[0]!['read']).toBeLessThan(40_000);
});

it('postgres has no rejects where nobody has made their table; any other failure is no want of them', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  const hour = { pipeline: 'warehouse', since: new Date('2026-11-22T09:00Z'), until: new Date('2026-11-22T10:00Z') };
  const shards = async (): Promise<ReadonlyMap<string, number>> => {
    const rejects = await postgres(url).openRejects();
    return rejects.shards(hour).finally(() => rejects.close());
  };
  expect(await shards()).toEqual(new Map());
  await (await postgres(url).open({ report: () => {} })).close();
  await query('ALTER TABLE millrace.rejects RENAME COLUMN arrived_at TO came_at');
  await expect(shards()).rejects.toMatchObject({ code: '42703' });
});

it('postgres gives rejects back whatever style its sessions write times and bytes in', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  const name = new URL(url).pathname.slice(1);
  await query(`ALTER DATABASE ${name} SET datestyle = 'SQL, DMY'`);
  await query(`ALTER DATABASE ${name} SET bytea_output = 'escape'`);
  const store = await postgres(url).open({ report: () => {} });
  const [position, arrivedAtMs] = [{ shard: 's', sequence: '1', subSequence: 0 }, Date.UTC(2026, 10, 22, 9, 0, 0, 7)];
  const why = { step: 'validate', code: 'c', reason: 'r' };
  await store.acquire({ pipeline: 'warehouse', sink: 'rejects' }, 's');
  await store.commit(
    { pipeline: 'warehouse', sink: 'rejects' },
    { rejects: [{ position, arrivedAtMs, why, raw: Buffer.from('\0\\é') }], positions: new Map([['s', position]]) },
  );
  await store.close();
  const rejects = await postgres(url).openRejects();
  const of = { pipeline: 'warehouse', since: new Date(arrivedAtMs), until: new Date(arrivedAtMs + 1) };
  expect(await rejects.records(of, 's', undefined, 10)).toEqual([{ position, arrivedAtMs, data: Buffer.from('\0\\é') }]);
  await rejects.close();
});

it('postgres takes as long for a load as that takes, whatever limits its user has on statements and transactions', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  const table = { name: 'slow', columns: [{ name: 'id', type: { kind: 'text' }, required: true }] } as const;
  const owner = { pipeline: 'p', sink: 'copy' };
  const store = await postgres(url).open({ report: () => {} });
  await store.createTable(table);
  await store.close();
  await query(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.2); RETURN NEW; END $$`);
  await query('CREATE TRIGGER slow BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION slow()');
  // The second came with Postgres 17.
  for (const limit of ['statement_timeout', 'transaction_timeout'])
    await query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET ${limit} = '1s'`);
  const limited = await postgres(url).open({ report: () => {} });
  await limited.acquire(owner, 's');
  const positions = new Map([['s', { shard: 's', sequence: '1', subSequence: 0 }]]);
  await limited.commit(owner, { rows: { table, lines: [Buffer.from('a')] }, positions });
  await limited.close();
  expect(await query('SELECT id FROM slow')).toEqual([{ id: 'a' }]);
});

it('postgres loads missing rows once, whatever isolation its user has', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  await query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET default_transaction_isolation = 'repeatable read'`);
  const columns = [{ name: 'id', type: { kind: 'text' }, required: true }] as const;
  const table = { name: 'known', columns, missingBy: 'id' };
  const lines = Array.from({ length: 500 }, (_, i) => Buffer.from(String(i)));
  const owner = { pipeline: 'p', sink: 'copy' };
  const loaded = async (shard: string): Promise<void> => {
    const store = await postgres(url).open({ report: () => {} });
    onTestFinished(() => store.close());
    await store.createTable(table);
    await store.acquire(owner, shard);
    await store.commit(owner, {
      rows: { table, lines },
      positions: new Map([[shard, { shard, sequence: '1', subSequence: 0 }]]),
    });
  };
  await Promise.all(['a', 'b', 'c'].map(loaded));
  expect(await query('SELECT count(*)::int AS n FROM known')).toEqual([{ n: 500 }]);
});
