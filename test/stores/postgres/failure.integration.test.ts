import { once } from 'node:events';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FencedError, WentBackError } from '../../../src/errors.ts';
import { faultOf } from '../../../src/fault.ts';
import type { Column, OpenDatabase, RejectRow, RowFault, Table } from '../../../src/stores/database.ts';
import { LOCK_CATALOG, createOwnTables } from '../../../src/stores/postgres/sql.ts';
import { postgres } from '../../../src/stores/postgres.ts';
import { type TestPostgres, emptyPostgres } from '../../support/databases.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { type Postgres, startPostgres } from '../../support/postgres.ts';
import { startOwner } from '../../support/start-owner.ts';

const owner = { pipeline: 'warehouse', sink: 'copy' };
const at = (sequence: number) => ({ shard: 'a', sequence: String(sequence), subSequence: 0 });
const n: Column = { name: 'n', type: { kind: 'integer' }, required: true };
const numbers: Table = { name: 'numbers', columns: [n] };

let server: Postgres;
let database: TestPostgres;
const opened: OpenDatabase[] = [];

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.stop());

beforeEach(async () => {
  database = await emptyPostgres(server);
});

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await database.close();
});

async function open(url = database.url, timeoutMs = 10_000): Promise<OpenDatabase> {
  const store = await postgres(url, { timeoutMs }).open({ report: () => {} });
  opened.push(store);
  await store.createTable(numbers);
  await store.acquire(owner, 'a');
  return store;
}

const load = (lines: readonly string[], to: number) => ({
  rows: { table: numbers, lines: lines.map((line) => Buffer.from(line)) },
  refuse: (index: number, fault: RowFault): RejectRow => ({
    position: at(index + 1),
    arrivedAtMs: 0,
    why: { step: 'copyInto', ...fault },
    raw: Buffer.from(lines[index]!),
  }),
  positions: new Map([['a', at(to)]]),
});
const many = Array.from({ length: 400_000 }, (_, i) => String(i));
const count = async (table = 'numbers') => Number((await database.query(`SELECT count(*) AS n FROM ${table}`))[0]!['n']);

/** Asks until the answer is yes. */
async function until(question: () => Promise<boolean>): Promise<void> {
  while (!(await question())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const isPassing = (error: unknown): boolean => faultOf(error) === 'transient';

const backends = (state: string) =>
  database.query(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'millrace' AND datname = current_database() AND ${state}`,
  );

describe('a connection that is lost', () => {
  test('while it is idle is made again, and nobody notices', async () => {
    const store = await open();
    await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace'`);
    await until(async () => (await backends('true')).length === 0);
    await new Promise(setImmediate);
    await store.commit(owner, load(['1'], 1));
    expect(await count()).toBe(1);
  });

  test('in the middle of a COPY stores nothing, and refuses no row', async () => {
    const store = await open();
    // It waits in its middle for what somebody else may or may not insert.
    await database.query('CREATE UNIQUE INDEX ON numbers (n)');
    const other = new pg.Client(database.url);
    await other.connect();
    await other.query('BEGIN');
    await other.query('INSERT INTO numbers VALUES (200000)');
    const trying = store.commit(owner, load(many, many.length));
    const failing = expect(trying).rejects.toThrow(/terminat/);
    await until(async () => (await backends(`query LIKE '%COPY%' AND wait_event_type = 'Lock'`)).length > 0);
    await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace'`);
    await failing;
    await other.end();
    expect(await store.positions(owner, ['a'])).toEqual(new Map());
    await store.commit(owner, load(['1'], 1));
    expect([await count(), await count('millrace.rejects')]).toEqual([1, 0]);
  });

  test.each([
    ['in the middle of what it sends', 100_000],
    ['just before COMMIT', Infinity],
  ])('%s has stored nothing, and the position says so', async (_, bytes) => {
    const proxy = await startFaultProxy({ target: database.url });
    const store = await open(proxy.url);
    const cut = proxy.inject({ kind: 'reset-request', on: 'COMMIT', bytes });
    await expect(store.commit(owner, load(many, many.length))).rejects.toSatisfy(isPassing);
    await cut;
    expect(await store.positions(owner, ['a'])).toEqual(new Map());
    expect(await count()).toBe(0);
    await store.commit(owner, load(['1', '2'], 2));
    expect(await count()).toBe(2);
    await proxy.close();
  });

  test('just after COMMIT has stored everything, and the position says so', async () => {
    const proxy = await startFaultProxy({ target: database.url });
    const store = await open(proxy.url);
    const cut = proxy.inject({ kind: 'drop-answer', on: 'COMMIT' });
    await expect(store.commit(owner, load(['1', '2'], 2))).rejects.toSatisfy(isPassing);
    await cut;
    expect(await store.positions(owner, ['a'])).toEqual(new Map([['a', at(2)]]));
    await store.commit(owner, load(['3'], 3));
    expect(await count()).toBe(3);
    await proxy.close();
  });

  test('and whose COMMIT comes through after another has taken over stores nothing', async () => {
    const proxy = await startFaultProxy({ target: database.url });
    const store = await open(proxy.url);
    const cut = proxy.inject({ kind: 'late', on: 'COMMIT', delayMs: 300 });
    await expect(store.commit(owner, load(['1', '2'], 2))).rejects.toSatisfy(isPassing);
    await cut;
    const newer = await open();
    await newer.commit(owner, load(['3'], 3));
    await until(async () => (await backends('true')).length === 1);
    expect(await database.query('SELECT n FROM numbers')).toEqual([{ n: 3 }]);
    expect(await newer.positions(owner, ['a'])).toEqual(new Map([['a', at(3)]]));
    await proxy.close();
  });

  test('and whose COMMIT comes through after the next try stores its rows once', async () => {
    const proxy = await startFaultProxy({ target: database.url });
    const store = await open(proxy.url);
    const cut = proxy.inject({ kind: 'late', on: 'COMMIT', delayMs: 300 });
    await expect(store.commit(owner, load(['1', '2'], 2))).rejects.toSatisfy(isPassing);
    await cut;
    await store.commit(owner, load(['1', '2'], 2));
    await until(async () => (await backends('true')).length === 1);
    expect(await count()).toBe(2);
    await proxy.close();
  });

  test('and whose COMMIT comes through before the next try is found out, and passes', async () => {
    const proxy = await startFaultProxy({ target: database.url });
    const store = await open(proxy.url);
    void proxy.inject({ kind: 'late', on: 'COMMIT', delayMs: 50 });
    await expect(store.commit(owner, load(['1', '2'], 2))).rejects.toSatisfy(isPassing);
    await until(async () => (await count()) === 2);
    await expect(store.commit(owner, load(['1', '2'], 2))).rejects.toSatisfy(isPassing);
    expect(await store.positions(owner, ['a'])).toEqual(new Map([['a', at(2)]]));
    expect(await count()).toBe(2);
    await proxy.close();
  });

  test('and whose COMMIT of no rows comes through before the next try is no sign that the server went back', async () => {
    const proxy = await startFaultProxy({ target: database.url });
    const store = await open(proxy.url);
    const moves = { positions: new Map([['a', at(2)]]) };
    const cut = proxy.inject({ kind: 'late', on: 'COMMIT', delayMs: 300 });
    await expect(store.commit(owner, moves)).rejects.toSatisfy(isPassing);
    await cut;
    expect(await store.positions(owner, ['a'])).toEqual(new Map());
    await until(async () => (await database.query('SELECT position FROM millrace.positions'))[0]!['position'] === '2:0');
    await store.commit(owner, moves);
    await store.commit(owner, load(['3'], 3));
    expect(await count()).toBe(1);
    await proxy.close();
  });

  test('while it takes a shard over takes nothing away when that comes through late', async () => {
    const proxy = await startFaultProxy({ target: database.url });
    const store = await open(proxy.url);
    for (const shard of ['a', 'b']) {
      const cut = proxy.inject({ kind: 'late', on: 'COMMIT', delayMs: 300 });
      await expect(store.acquire(owner, shard)).rejects.toSatisfy(isPassing);
      await cut;
      await store.acquire(owner, shard);
      await until(async () => (await backends('true')).length === 1);
      await store.commit(owner, { positions: new Map([[shard, { ...at(1), shard }]]) });
    }
    await proxy.close();
  });

  test('because the server crashed is made again once it is back', async () => {
    const store = await open();
    await store.commit(owner, load(['1'], 1));
    const other = await startPostgres();
    const elsewhere = await emptyPostgres(other);
    const there = await open(elsewhere.url);
    await there.commit(owner, load(['1', '2'], 2));
    await elsewhere.close();
    await other.restart('crash');
    await new Promise(setImmediate);
    expect(await there.positions(owner, ['a'])).toEqual(new Map([['a', at(2)]]));
    await there.close();
    await other.stop();
  });

  test('to a server that became a standby is made again, to whatever has taken its place', async () => {
    const store = await open();
    const mine = async () => (await backends('true')).map(({ pid }) => pid);
    const [before] = await mine();
    const set = async (readOnly: 'on' | 'off') => {
      await database.query(`ALTER SYSTEM SET default_transaction_read_only = ${readOnly}`);
      await database.query('SELECT pg_reload_conf()');
    };
    await set('on');
    let error: unknown;
    // Each session learns of it when it next does something.
    await until(async () => {
      error = await store.commit(owner, { positions: new Map([['a', at(1)]]) }).catch((thrown: unknown) => thrown);
      return error !== undefined;
    });
    await set('off');
    expect(error).toMatchObject({ code: '25006' });
    expect(error).toSatisfy(isPassing);
    await until(async () => (await database.query('SHOW transaction_read_only'))[0]!['transaction_read_only'] === 'off');
    await store.commit(owner, load(['1'], 2));
    expect(await count()).toBe(1);
    const after = await mine();
    expect(after).toHaveLength(1);
    expect(after).not.toEqual([before]);
  });

  test('to a server whose place one has taken that lacks the last commits is noticed by the next one', async () => {
    const store = await open();
    await store.commit(owner, load(['1'], 1));
    const [before] = await database.query('SELECT position FROM millrace.positions');
    await store.commit(owner, load(['2'], 2));
    // What a failover to a standby that was behind leaves.
    await database.query(`UPDATE millrace.positions SET position = '${String(before!['position'])}'`);
    await database.query('DELETE FROM numbers WHERE n = 2');
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace' AND datname = current_database()`,
    );
    await until(async () => (await backends('true')).length === 0);
    let error: unknown;
    // Its end may not have been heard of yet.
    await until(async () => {
      error = await store.commit(owner, load(['3'], 3)).catch((thrown: unknown) => thrown);
      return !isPassing(error);
    });
    expect(error).toBeInstanceOf(WentBackError);
    expect((error as Error).message).toMatch(/2:0.*1:0/);
    expect(await count()).toBe(1);
    expect(await store.acquire(owner, 'a')).toEqual(at(1));
    await store.commit(owner, load(['2', '3'], 3));
    expect(await count()).toBe(3);
  });

  test('to a server whose place one has taken that lacks all commits, or the run itself, is noticed, too', async () => {
    const store = await open();
    await database.query('DELETE FROM millrace.positions');
    await expect(store.commit(owner, load(['0'], 1))).rejects.toThrow(WentBackError);
    await store.acquire(owner, 'a');
    await store.commit(owner, load(['1'], 1));
    await database.query('UPDATE millrace.positions SET position = NULL');
    await expect(store.commit(owner, load(['2'], 2))).rejects.toThrow(/1:0.*nothing/);
    expect(await store.acquire(owner, 'a')).toBeUndefined();
    await store.commit(owner, load(['2'], 2));
    await database.query('DELETE FROM millrace.positions');
    await expect(store.commit(owner, load(['3'], 3))).rejects.toThrow(WentBackError);
    await expect(store.positions(owner, ['a'])).rejects.toThrow(WentBackError);
    expect(await database.query('SELECT n FROM numbers ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('is none that nobody asks anything of, however long', async () => {
    const store = await open(database.url, 1000);
    const before = await backends('true');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await store.commit(owner, load(['1'], 1));
    expect(await backends('true')).toEqual(before);
  });

  test('to a server that fell silent counts as lost', async () => {
    const store = await open(database.url, 200);
    const [{ pid }] = (await backends('true')) as [{ pid: number }];
    process.kill(pid, 'SIGSTOP');
    try {
      await expect(store.commit(owner, load(['1'], 1))).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});

test('a load that meets a take-over which is not over yet waits for it, and stores nothing', async () => {
  const store = await open();
  const newer = new pg.Client(database.url);
  await newer.connect();
  await newer.query('BEGIN');
  await newer.query('UPDATE millrace.positions SET epoch = epoch + 1');
  const refused = expect(store.commit(owner, load(['1'], 1))).rejects.toThrow(FencedError);
  await until(async () => (await backends(`wait_event_type = 'Lock'`)).length > 0);
  await newer.query('COMMIT');
  await refused;
  await newer.end();
  expect(await count()).toBe(0);
});

test('two runs that have taken shards from each other are both told so, and neither waits for the other', async () => {
  const one = await open();
  const two = await open();
  await one.acquire(owner, 'a');
  await one.acquire(owner, 'b');
  await two.acquire(owner, 'b');
  // Each has moved its first shard, in the order in which it names them, before the other one is through.
  await database.query(`CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$`);
  await database.query('CREATE TRIGGER slowly BEFORE UPDATE ON millrace.positions FOR EACH ROW EXECUTE FUNCTION slowly()');
  const moved = await Promise.allSettled(
    [[one, 'a', 'b'] as const, [two, 'b', 'a'] as const].map(([store, ...shards]) =>
      store.commit(owner, { positions: new Map(shards.map((shard) => [shard, { ...at(1), shard }])) }),
    ),
  );
  expect(moved).toEqual([1, 2].map(() => ({ status: 'rejected', reason: expect.any(FencedError) })));
});

test('a take-over that fails leaves no transaction behind: the next one succeeds', async () => {
  const store = await open();
  await database.query(`CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never'; END $$`);
  await database.query('CREATE TRIGGER never BEFORE UPDATE ON millrace.positions FOR EACH ROW EXECUTE FUNCTION never()');
  await expect(store.acquire(owner, 'a')).rejects.toThrow('never');
  await database.query('DROP TRIGGER never ON millrace.positions');
  expect(await store.acquire(owner, 'a')).toBeUndefined();
});

test('a run that finds another one making the tables waits for it', async () => {
  const other = new pg.Client(database.url);
  await other.connect();
  await other.query(`BEGIN; ${LOCK_CATALOG}; ${createOwnTables('millrace')}`);
  const opening = open();
  await until(async () => (await backends(`wait_event_type = 'Lock'`)).length > 0);
  await other.query('COMMIT');
  await other.end();
  await (await opening).commit(owner, load(['1'], 1));
});

test('a shard that cannot be taken over as often as it is tried is told of, and passes', async () => {
  const store = await open();
  await database.query('CREATE FUNCTION nobody() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$');
  await database.query('CREATE TRIGGER nobody BEFORE INSERT ON millrace.positions FOR EACH ROW EXECUTE FUNCTION nobody()');
  await expect(store.acquire(owner, 'b')).rejects.toSatisfy(
    (error: Error) => isPassing(error) && error.message.endsWith('others took b over at the same time, 30 times'),
  );
});

test('a load waits for no lock of a stranger longer than ten seconds, and keeps none when it is cut off', async () => {
  const setting = (name: string): string => `text NOT NULL DEFAULT current_setting('${name}')`;
  const limits = ['lock_timeout', 'idle_in_transaction_session_timeout', 'statement_timeout'];
  await database.query(
    `CREATE TABLE numbers (n integer NOT NULL, ${limits.map((name) => `${name} ${setting(name)}`).join(', ')})`,
  );
  await (await open()).commit(owner, load(['1'], 1));
  expect(await database.query(`SELECT ${limits.join(', ')} FROM numbers`)).toEqual([
    { lock_timeout: '10s', idle_in_transaction_session_timeout: '1min', statement_timeout: '0' },
  ]);
});

test('a lock that a stranger keeps is told with who it is, and passes', async () => {
  await database.query('CREATE TABLE numbers (n integer NOT NULL) PARTITION BY RANGE (n)');
  await database.query('CREATE TABLE few PARTITION OF numbers FOR VALUES FROM (0) TO (1000)');
  // In a copy of the database a table has the same number. Nobody may be in what is copied.
  await database.close();
  const connected = async (url: string): Promise<pg.Client> => {
    const client = new pg.Client(url);
    await client.connect();
    return client;
  };
  const admin = await connected(server.url);
  await admin.query(`CREATE DATABASE copied TEMPLATE ${new URL(database.url).pathname.slice(1)}`);
  await admin.end();
  const inCopy = await connected(server.url.replace(/postgres$/, 'copied'));
  await inCopy.query('BEGIN');
  await inCopy.query('LOCK TABLE numbers');
  const store = await open(database.url, 30_000);
  const other = await connected(database.url);
  await other.query('BEGIN');
  await other.query('ALTER TABLE few\n  ADD CHECK (n > 0)');
  const [asked] = (await other.query('SELECT pg_backend_pid() AS pid')).rows as [{ pid: number }];
  await expect(store.commit(owner, load(['1'], 1))).rejects.toSatisfy(
    (error: Error) =>
      isPassing(error) &&
      error.message ===
        `canceling statement due to lock timeout: numbers is kept locked by process ${asked.pid} of postgres (SELECT pg_backend_pid() AS pid)`,
  );
  await other.query('ROLLBACK');
  await store.commit(owner, load(['1'], 1));
  expect((await other.query('SELECT FROM numbers')).rowCount).toBe(1);
  await other.end();
  await inCopy.end();
});

describe('a process that is stopped in the middle of a load', () => {
  test.each([
    ['all at once', 2_000_000, 0],
    ['around rows that are refused', 300_000, 500],
  ])(
    '%s holds nobody up, and stores nothing when it goes on',
    async (_, rows, every) => {
      const { child, say } = startOwner(database.url, rows, every);
      try {
        expect(await say()).toBe('acquired');
        // With refused rows, in one of the COPYs between savepoints.
        const loading = every > 0 ? '%SAVEPOINT lines;%COPY%' : '%COPY%';
        await until(async () => (await backends(`query LIKE '${loading}' AND state = 'active'`)).length > 0);
        child.kill('SIGSTOP');

        const newer = await open();
        await newer.commit(owner, load(['1', '2'], 2));
        expect(await count()).toBe(2);

        child.kill('SIGCONT');
        expect(await say()).toMatch(/^FencedError: /);
        expect([await count(), await count('millrace.rejects')]).toEqual([2, 0]);
        expect(await newer.positions(owner, ['a'])).toEqual(new Map([['a', at(2)]]));
      } finally {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
    30_000,
  );
});

describe('what only Postgres refuses', () => {
  test('a NUL byte, in a table that is all text too', async () => {
    const store = await open();
    const table = { name: 'texts', columns: [{ name: 'line', type: { kind: 'text' }, required: false } as const] };
    await store.createTable(table);
    const refused: (readonly [number, string])[] = [];
    const { refuse, positions } = load(['a', 'b\0', 'c'], 3);
    await store.commit(owner, {
      rows: { table, lines: ['a', 'b\0', 'c'].map((line) => Buffer.from(line)) },
      refuse: (index, fault) => {
        refused.push([index, fault.code]);
        return refuse(index, fault);
      },
      positions,
    });
    expect(refused).toEqual([[1, '22021']]);
    expect(await database.query('SELECT line FROM texts')).toEqual([{ line: 'a' }, { line: 'c' }]);
  });

  test('a row that a trigger refuses, in the words of the trigger', async () => {
    const store = await open();
    await database.query(`CREATE FUNCTION odd_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.n % 2 = 0 THEN RAISE EXCEPTION '% is even', NEW.n; END IF; RETURN NEW; END $$`);
    await database.query('CREATE TRIGGER odd BEFORE INSERT ON numbers FOR EACH ROW EXECUTE FUNCTION odd_only()');
    await store.commit(owner, load(['1', '2', '3', '4', '5'], 5));
    expect((await database.query('SELECT n FROM numbers ORDER BY n')).map((row) => row['n'])).toEqual([1, 3, 5]);
    expect(await database.query('SELECT code, reason FROM millrace.rejects ORDER BY sequence')).toEqual([
      { code: 'P0001', reason: '2 is even' },
      { code: 'P0001', reason: '4 is even' },
    ]);
  });

  test('what is checked only after all rows, by a foreign key', async () => {
    await database.query('CREATE TABLE known (n integer PRIMARY KEY)');
    await database.query('INSERT INTO known SELECT generate_series(1, 50)');
    await database.query('CREATE TABLE numbers (n integer NOT NULL REFERENCES known)');
    const store = await open();
    await store.commit(
      owner,
      load(
        Array.from({ length: 60 }, (_, i) => String(i)),
        60,
      ),
    );
    expect(await count()).toBe(50);
    expect(
      (await database.query('SELECT raw FROM millrace.rejects')).map(({ raw }) => Buffer.from(raw as string, 'hex').toString()),
    ).toEqual(['0', ...Array.from({ length: 9 }, (_, i) => String(51 + i))]);
  });
});

describe('a row is to blame, whatever the code', () => {
  const loaded = async (type: string, lines: readonly string[]): Promise<unknown> => {
    await database.query(`CREATE TABLE odd (x ${type})`);
    const store = await open();
    const table = { name: 'odd', columns: [{ name: 'x', type: { kind: 'text' }, required: false } as const] };
    await store.createTable(table);
    await store.commit(owner, { ...load(lines, 3), rows: { table, lines: lines.map((line) => Buffer.from(line)) } });
    return database.query('SELECT code, sequence, path FROM millrace.rejects');
  };

  test.each([
    ['jsonpath', ['$.a', '$$bad(', '$.b'], '42601'],
    ['tsquery', ['cat', 'cat &', 'dog'], '42601'],
    ['regclass', ['pg_class', 'nothing', 'pg_type'], '42P01'],
  ])('for a value that is no %s', async (type, lines, code) => {
    expect(await loaded(type, lines)).toEqual([{ code, sequence: '2', path: 'x' }]);
    expect(await count('odd')).toBe(2);
  });

  /** Makes a trigger that runs so much before each row. */
  const runBefore = async (body: string): Promise<void> => {
    await database.query(`CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE found integer; BEGIN ${body}; RETURN NEW; END $$`);
    await database.query('CREATE TRIGGER judge BEFORE INSERT ON numbers FOR EACH ROW EXECUTE FUNCTION judge()');
  };

  test.each([
    ['that finds nothing', 'SELECT 1 INTO STRICT found WHERE NEW.n <> 2', 'P0002'],
    ['that asserts', 'ASSERT NEW.n <> 2', 'P0004'],
    ['with a code of its own', `IF NEW.n = 2 THEN RAISE 'no' USING ERRCODE = 'SH001'; END IF`, 'SH001'],
  ])('for a trigger %s', async (_, body, code) => {
    const store = await open();
    await runBefore(body);
    await store.commit(owner, load(['1', '2', '3'], 3));
    expect(await count()).toBe(2);
    expect(await database.query('SELECT code, sequence FROM millrace.rejects')).toEqual([{ code, sequence: '2' }]);
  });

  test.each([
    ['lacks its table', 'INSERT INTO gone VALUES (1)', '42P01'],
    ['meets a full disk', `RAISE 'no' USING ERRCODE = '53100'`, '53100'],
    ['loses to a deadlock', `RAISE 'no' USING ERRCODE = '40P01'`, '40P01'],
    ['waits too long for a lock', `RAISE 'no' USING ERRCODE = '55P03'`, '55P03'],
    ['meets what is broken in the server', `RAISE 'no' USING ERRCODE = 'XX001'`, 'XX001'],
  ])('but not for a trigger that %s: that ends the load', async (_, body, code) => {
    const store = await open();
    await runBefore(body);
    await expect(store.commit(owner, load(['1', '2', '3'], 3))).rejects.toMatchObject({ code });
    expect([await count(), await count('millrace.rejects')]).toEqual([0, 0]);
  });
});

describe('a constraint that is deferred refuses its rows, and no others', () => {
  const deferred = 'DEFERRABLE INITIALLY DEFERRED';
  test.each([
    ['of uniqueness', [`CREATE TABLE numbers (n integer NOT NULL UNIQUE ${deferred})`], ['1', '2', '1', '3'], '23505'],
    [
      'of a foreign key',
      [
        'CREATE TABLE known (n integer PRIMARY KEY)',
        'INSERT INTO known SELECT generate_series(1, 3)',
        `CREATE TABLE numbers (n integer NOT NULL REFERENCES known ${deferred})`,
      ],
      ['1', '2', '4', '3'],
      '23503',
    ],
    [
      'of a trigger',
      [
        'CREATE TABLE numbers (n integer NOT NULL)',
        `CREATE FUNCTION up_to_three() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF NEW.n > 3 THEN RAISE EXCEPTION 'too many'; END IF; RETURN NULL; END $$`,
        `CREATE CONSTRAINT TRIGGER three AFTER INSERT ON numbers ${deferred} FOR EACH ROW EXECUTE FUNCTION up_to_three()`,
      ],
      ['1', '2', '4', '3'],
      'P0001',
    ],
  ])('%s', async (_, made, lines, code) => {
    for (const statement of made) await database.query(statement);
    const store = await open();
    await store.commit(owner, load(lines, lines.length));
    expect(await database.query('SELECT n FROM numbers ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(await database.query('SELECT code, sequence FROM millrace.rejects')).toEqual([{ code, sequence: '3' }]);
  });
});

test('a COPY that is cancelled is not taken for one that was asked to fail, and passes', async () => {
  const store = await open();
  await database.query('CREATE UNIQUE INDEX ON numbers (n)');
  const other = new pg.Client(database.url);
  await other.connect();
  await other.query('BEGIN');
  await other.query('INSERT INTO numbers VALUES (1000)');
  // Behind a line in doubt and its next ones the server is asked to fail, while it is still at the first ones.
  const lines = [...many.slice(0, 1990), '+1990', '1991', '1992', '1993'];
  const failing = expect(store.commit(owner, load(lines, lines.length))).rejects.toSatisfy(
    (error: { code?: string }) => error.code === '57014' && isPassing(error),
  );
  await until(async () => (await backends(`query LIKE '%COPY%' AND wait_event_type = 'Lock'`)).length > 0);
  await database.query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace'`);
  await failing;
  await other.query('ROLLBACK');
  await other.end();
  expect([await count(), await store.positions(owner, ['a'])]).toEqual([0, new Map()]);
  await store.commit(owner, load(lines, lines.length));
  expect(await count()).toBe(1994);
});

test('a schema that is there serves a user who may make none', async () => {
  await (await open()).close();
  await database.query(`CREATE ROLE loader_${process.pid} LOGIN`);
  const role = `loader_${process.pid}`;
  await database.query(`GRANT USAGE ON SCHEMA millrace TO ${role}`);
  await database.query(`GRANT SELECT, INSERT, UPDATE ON millrace.positions, millrace.rejects, numbers TO ${role}`);
  const url = database.url.replace('postgres@', `${role}@`);
  await (await open(url)).commit(owner, load(['1', 'x', '2'], 3));
  expect([await count(), await count('millrace.rejects')]).toEqual([2, 1]);
});

test('a user who may make no temporary table is told before anything is read', async () => {
  const [{ name }] = (await database.query('SELECT current_database() AS name')) as [{ name: string }];
  const role = `hindered_${process.pid}`;
  await database.query(`CREATE ROLE ${role} LOGIN`);
  await database.query(`REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
  const url = database.url.replace('postgres@', `${role}@`);
  await expect(open(url)).rejects.toThrow(
    `/${name}: expected the right to make temporary tables, by which rejects are stored; GRANT TEMPORARY ON DATABASE ${name} TO ${role}`,
  );
});

test('a database that has not all characters keeps the words of rejects in those of ASCII', async () => {
  await database.query(`CREATE DATABASE latin_${process.pid} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
  const url = database.url.replace(/[^/]+$/, `latin_${process.pid}`);
  const store = await open(url);
  const why = { step: 'decode', code: 'odd', reason: 'expected é, got 日本 🛒', path: 'prix_€' };
  const raw = Buffer.from('日本');
  await store.commit(owner, { rejects: [{ position: at(1), arrivedAtMs: 0, why, raw }], positions: new Map([['a', at(1)]]) });
  const client = new pg.Client(url);
  await client.connect();
  expect((await client.query('SELECT reason, path, raw FROM millrace.rejects')).rows).toEqual([
    { reason: String.raw`expected \u{e9}, got \u{65e5}\u{672c} \u{1f6d2}`, path: String.raw`prix_\u{20ac}`, raw },
  ]);
  await client.end();
});
