import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Table } from '../../../src/stores/database.ts';
import { duckdb } from '../../../src/stores/duckdb.ts';
import { emptyDuckdb } from '../../support/databases.ts';

const owner = { pipeline: 'warehouse', sink: 'copy' };
const at = (sequence: number, shard = 'a') => ({ shard, sequence: String(sequence), subSequence: 0 });
const numbers: Table = { name: 'numbers', columns: [{ name: 'n', type: { kind: 'integer' }, required: true }] };
const COUNTS = `SELECT CAST(count(*) AS INTEGER) AS n, CAST(count(DISTINCT n) AS INTEGER) AS distinct, min(n) AS least, max(n) AS most
  FROM numbers`;
const report = (): void => {};
const lines = (first: number, count: number): Buffer[] => Array.from({ length: count }, (_, i) => Buffer.from(String(first + i)));

let database: Awaited<ReturnType<typeof emptyDuckdb>>;

beforeEach(async () => {
  database = await emptyDuckdb();
});

afterEach(() => database.close());

test('the thread is there once while a store is open, and ends with the last one', async () => {
  const workers: Worker[] = [];
  const note = (worker: Worker): void => void workers.push(worker);
  process.on('worker', note);
  const stores = await Promise.all([database.declare(), duckdb(`${database.path}.other`)].map((one) => one.open({ report })));
  await stores[0]!.close();
  await stores[1]!.createTable(numbers);
  expect(workers.map(({ threadId }) => threadId > 0)).toEqual([true]);
  await stores[1]!.close();
  await expect(duckdb(`${database.path}/no/folder`).open({ report })).rejects.toThrow(/ENOTDIR|EEXIST/);
  process.off('worker', note);
  // The one that could not be opened had a thread of its own.
  expect(workers.map(({ threadId }) => threadId)).toEqual([-1, -1]);
});

test('loads of one store that are under way at once keep their lines apart', async () => {
  const store = await database.declare().open({ report });
  await store.createTable(numbers);
  const shards = ['a', 'b', 'c'];
  for (const shard of shards) await store.acquire(owner, shard);
  const load = (shard: string, i: number) =>
    store.commit(owner, {
      rows: { table: numbers, lines: lines(i * 30_000, 30_000) },
      positions: new Map([[shard, at(i + 1, shard)]]),
    });
  // One by itself first, which leaves its memory to the next.
  await load('a', 0);
  await Promise.all(shards.map((shard, i) => load(shard, i + 1)));
  expect(await database.query(COUNTS)).toEqual([{ n: 120_000, distinct: 120_000, least: 0, most: 119_999 }]);
  await store.close();
});

test('a load that fails in the middle leaves none of its lines to the one behind it', async () => {
  const store = await database.declare().open({ report });
  await database.query('CREATE TABLE numbers (n INTEGER NOT NULL CHECK (n <> 1000000))');
  await store.createTable(numbers);
  await store.acquire(owner, 'a');
  for (let round = 1; round <= 5; round++) {
    const positions = new Map([['a', at(round)]]);
    const failed = store.commit(owner, { rows: { table: numbers, lines: lines(1_000_000, 50_000) }, positions });
    // Whatever the first one still does, this one begins in the same moment as its end.
    const next = failed.catch(() =>
      store.commit(owner, { rows: { table: numbers, lines: lines(round * 20_000, 20_000) }, positions }),
    );
    await expect(failed).rejects.toThrow(/CHECK/);
    await next;
  }
  expect(await database.query(COUNTS)).toEqual([{ n: 100_000, distinct: 100_000, least: 20_000, most: 119_999 }]);
  await store.close();
});

test('what refuses a row may fail: then the load fails, and stores nothing', async () => {
  const store = await database.declare().open({ report });
  await store.createTable(numbers);
  await store.acquire(owner, 'a');
  const refuse = (): never => {
    throw new RangeError('no such event');
  };
  const rows = { table: numbers, lines: [Buffer.from('1'), Buffer.from('bad')] };
  const failed = store.commit(owner, { rows, refuse, positions: new Map([['a', at(1)]]) });
  await expect(failed).rejects.toThrow(new RangeError('no such event'));
  expect(await store.positions(owner, ['a'])).toEqual(new Map());
  expect(await database.query('SELECT * FROM numbers')).toEqual([]);
  await store.close();
});
