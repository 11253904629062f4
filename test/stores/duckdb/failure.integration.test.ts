import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Table } from '../../../src/stores/database.ts';
import { duckdb } from '../../../src/stores/duckdb.ts';
import { emptyDuckdb } from '../../support/databases.ts';
import { startOwner } from '../../support/start-owner.ts';

const owner = { pipeline: 'warehouse', sink: 'copy' };
const at = (sequence: number) => ({ shard: 'a', sequence: String(sequence), subSequence: 0 });
const numbers: Table = { name: 'numbers', columns: [{ name: 'n', type: { kind: 'integer' }, required: true }] };
const report = (): void => {};

let database: Awaited<ReturnType<typeof emptyDuckdb>>;

beforeEach(async () => {
  database = await emptyDuckdb();
});

afterEach(() => database.close());

/** Opens the file in another process. */
async function openElsewhere(): Promise<void> {
  const open = `import { DuckDBInstance } from '@duckdb/node-api'; await DuckDBInstance.create(${JSON.stringify(database.path)});`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', open]);
}

test('a file that another process has open is an error that names the process', async () => {
  const { child, say } = startOwner(`duckdb:${database.path}`, 1, 0);
  expect([await say(), await say()]).toEqual(['acquired', 'committed']);
  await expect(database.declare().open({ report })).rejects.toThrow(
    new RegExp(`is held by process ${child.pid} \\(node\\); one process`),
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await database.declare().open({ report })).close();
});

test('a file that this process has open stays closed to others, also when it is checked meanwhile, or asked where a sink stands', async () => {
  const store = await database.declare().open({ report });
  await database.declare().check!();
  await database.declare().stands!(owner);
  // Whoever closes a file gives up the locks that its process has on it, however often that has it open.
  await expect(openElsewhere()).rejects.toThrow(`(PID ${process.pid})`);
  await store.close();
});

test('a file that another program has made, in blocks of another size, serves', async () => {
  await mkdir(dirname(database.path), { recursive: true });
  const instance = await DuckDBInstance.create(database.path);
  await (await instance.connect()).run('CREATE TABLE numbers AS SELECT 1::INTEGER AS n');
  instance.closeSync();
  const store = await database.declare().open({ report });
  await store.createTable(numbers);
  await store.acquire(owner, 'a');
  await store.commit(owner, { rows: { table: numbers, lines: [Buffer.from('2')] }, positions: new Map([['a', at(1)]]) });
  expect(await database.query('SELECT n FROM numbers ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  await store.close();
});

test('what a killed process committed is there, with its position', async () => {
  const { child, say } = startOwner(`duckdb:${database.path}`, 3000, 0);
  expect([await say(), await say()]).toEqual(['acquired', 'committed']);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const store = await database.declare().open({ report });
  expect(await store.acquire(owner, 'a')).toEqual(at(3000));
  expect(await database.query('SELECT CAST(count(*) AS integer) AS n FROM numbers')).toEqual([{ n: 3000 }]);
  await store.close();
});

test.each([
  ['was killed', 'SIGKILL', [null, 'SIGKILL']],
  ['exited', 'SIGTERM', [3, null]],
] as const)('what a process %s in the middle of is not there, and neither is its position', async (_, signal, ending) => {
  const { child, say } = startOwner(`duckdb:${database.path}`, 3_000_000, 0);
  expect(await say()).toBe('acquired');
  // Rows are written to the file before they are committed, once there are enough of them.
  const { size } = await stat(database.path);
  while ((await stat(database.path)).size === size) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill(signal);
  expect(await once(child, 'exit')).toEqual(ending);
  const store = await database.declare().open({ report });
  expect(await store.acquire(owner, 'a')).toBeUndefined();
  expect(await database.query('SELECT * FROM numbers')).toEqual([]);
  await store.close();
});

test.each(['removed', 'replaced'])(
  'a file that is %s while it is open stores nothing more, and the next opening begins with what is there',
  async (how) => {
    const store = await database.declare().open({ report });
    await store.createTable(numbers);
    await store.acquire(owner, 'a');
    const commit = (n: number): Promise<void> =>
      store.commit(owner, { rows: { table: numbers, lines: [Buffer.from(String(n))] }, positions: new Map([['a', at(n)]]) });
    await commit(1);
    if (how === 'replaced') await copyFile(database.path, `${database.path}.other`);
    await rm(database.path);
    if (how === 'replaced') await rename(`${database.path}.other`, database.path);
    await expect(commit(2)).rejects.toThrow(`${database.path} was removed, or another file was put in its place`);
    await store.close();
    if (how === 'replaced') return;
    const again = await database.declare().open({ report });
    expect(await again.acquire(owner, 'a')).toBeUndefined();
    await again.close();
  },
);

test('a file that is closed is whole: nothing is left beside it', async () => {
  const store = await database.declare().open({ report });
  await store.createTable(numbers);
  await store.acquire(owner, 'a');
  await store.commit(owner, { rows: { table: numbers, lines: [Buffer.from('1')] }, positions: new Map([['a', at(1)]]) });
  // Where DuckDB puts what does not fit into memory: the folder of the process may not be written to.
  expect(await database.query(`SELECT current_setting('temp_directory') AS beside`)).toEqual([
    { beside: `${database.path}.tmp` },
  ]);
  await store.close();
  await store.close();
  expect([existsSync(database.path), existsSync(`${database.path}.wal`), existsSync(`${database.path}.tmp`)]).toEqual([
    true,
    false,
    false,
  ]);
});

test('several users of one file in one process take turns', async () => {
  const stores = await Promise.all(Array.from({ length: 4 }, () => database.declare().open({ report })));
  await Promise.all(stores.map((store) => store.createTable(numbers)));
  await Promise.all(
    stores.map(async (store, i) => {
      const own = { pipeline: 'warehouse', sink: `sink ${i}` };
      await store.acquire(own, 'a');
      for (let j = 1; j <= 20; j++)
        await store.commit(own, {
          rows: { table: numbers, lines: [Buffer.from(String(j))] },
          positions: new Map([['a', at(j)]]),
        });
    }),
  );
  await stores[0]!.close();
  expect(await database.query('SELECT CAST(count(*) AS integer) AS n FROM numbers')).toEqual([{ n: 80 }]);
  for (const store of stores) await store.close();
});

/** Closes a store that has 200,000 rows under way; what is given is done with both. */
async function closedWhileItLoads(): Promise<{ done: Promise<unknown> }> {
  const store = await database.declare().open({ report });
  await store.createTable(numbers);
  await store.acquire(owner, 'a');
  const lines = Array.from({ length: 200_000 }, (_, i) => Buffer.from(String(i)));
  const loading = store.commit(owner, { rows: { table: numbers, lines }, positions: new Map([['a', at(1)]]) });
  const closing = store.close();
  return { done: Promise.all([loading, closing]) };
}

test('a file that is opened while a store that still loads is closed holds what both have stored', async () => {
  const { done } = await closedWhileItLoads();
  const next = await database.declare().open({ report });
  expect(await next.acquire(owner, 'a')).toEqual(at(1));
  await next.commit(owner, { rows: { table: numbers, lines: [Buffer.from('-1')] }, positions: new Map([['a', at(2)]]) });
  await done;
  expect(await database.query('SELECT CAST(count(*) AS integer) AS n FROM numbers')).toEqual([{ n: 200_001 }]);
  await next.close();
});

test('a file that is looked at while a store that still loads is closed is closed behind that', async () => {
  const other = await duckdb(`${database.path}.other`).open({ report });
  const { done } = await closedWhileItLoads();
  expect(await database.declare().stands!(owner)).toEqual([{ shard: 'a', epoch: 1, resume: at(1) }]);
  await done;
  await openElsewhere();
  await other.close();
});

test('a folder in the place of a file is named as one, and nobody is told to remove it', async () => {
  await mkdir(database.path, { recursive: true });
  await expect(database.declare().open({ report })).rejects.toThrow(/^IO Error: .*: Is a directory$/);
});

test.each([0, 8192])(
  'a file of %i bytes, which a full disk leaves of one that was to be made, is an error that says what to do',
  async (bytes) => {
    await mkdir(dirname(database.path), { recursive: true });
    await writeFile(database.path, new Uint8Array(bytes));
    const words = new RegExp(`warehouse.duckdb has ${bytes} bytes.*remove it`);
    await expect(database.declare().open({ report })).rejects.toThrow(words);
    await expect(database.declare().check!()).rejects.toThrow(words);
    expect((await stat(database.path)).size).toBe(bytes);
  },
);

test.each([
  ['volume/file.duckdb', 'link.duckdb', 'link.duckdb'],
  ['volume', 'link', 'link/file.duckdb'],
])('a file that a link names before it is there is one file, whoever opens it: by a link to %s', async (to, link, named) => {
  const folder = dirname(database.path);
  const file = join(folder, 'volume', 'file.duckdb');
  await mkdir(dirname(file), { recursive: true });
  await symlink(to, join(folder, link));
  const stores = [];
  const sinks = ['one', 'two', 'three'].map((sink) => ({ ...owner, sink }));
  for (const [i, own] of sinks.entries()) {
    const store = await duckdb(i === 2 ? file : join(folder, named)).open({ report });
    stores.push(store);
    await store.acquire(own, 'a');
    await store.commit(own, { positions: new Map([['a', at(1)]]) });
  }
  // Who opened it first knows least of what is in it.
  for (const store of stores.toReversed()) await store.close();
  for (const own of sinks) expect(await duckdb(file).stands!(own)).toEqual([{ shard: 'a', epoch: 1, resume: at(1) }]);
});

test('a load that needs more memory than there is finds more of it when it is tried again, and refuses no row', async () => {
  const wide: Table = {
    name: 'wide',
    columns: Array.from({ length: 131 }, (_, i) => ({ name: `c${i}`, type: { kind: 'text' }, required: false })),
  };
  const store = await duckdb(database.path, { memoryLimitBytes: 8 * 1024 * 1024 }).open({ report });
  await store.createTable(wide);
  await store.acquire(owner, 'a');
  const fields = (length: number): Buffer => Buffer.from(Array.from({ length: 131 }, (_, i) => `${i}`.repeat(length)).join('\t'));
  const loads = [Array(20_000).fill(fields(1)), Array(30).fill(fields(4000)), Array(3).fill(fields(40_000))] as Buffer[][];
  let failures = 0;
  for (const [i, lines] of loads.entries()) {
    const refuse = (): never => expect.unreachable('a row was refused');
    const load = { rows: { table: wide, lines }, refuse, positions: new Map([['a', at(i + 1)]]) };
    for (;;) {
      try {
        await store.commit(owner, load);
        break;
      } catch (error) {
        failures++;
        expect(error).toMatchObject({ isTransient: true });
        expect(await store.positions(owner, ['a'])).toEqual(i === 0 ? new Map() : new Map([['a', at(i)]]));
      }
    }
  }
  expect(failures).toBeGreaterThan(0);
  expect(await database.query('SELECT CAST(count(*) AS integer) AS n FROM wide')).toEqual([{ n: 20_033 }]);
  await store.close();
}, 30_000);

test('rejects that need more memory than there is find more of it, also where DuckDB cannot even undo what they began', async () => {
  const store = await duckdb(database.path, { memoryLimitBytes: 16 * 1024 * 1024 }).open({ report });
  await store.acquire(owner, 'a');
  const raw = randomBytes(1024 * 1024);
  const failures: string[] = [];
  for (let i = 1; i <= 25; i++) {
    const reject = { position: at(i), arrivedAtMs: 0, why: { step: 'decode', code: 'c', reason: 'r' }, raw };
    await store.commit(owner, { rejects: [reject], positions: new Map([['a', at(i)]]) }).catch((error: Error) => {
      expect(error).toMatchObject({ isTransient: true });
      failures.push(error.message);
      i--;
    });
  }
  expect(failures).toContainEqual(expect.stringMatching(/^FATAL Error: Failed to rollback/));
  expect(await database.query('SELECT CAST(count(*) AS integer) AS n FROM millrace.rejects')).toEqual([{ n: 25 }]);
  await store.close();
}, 30_000);
