import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { faultOf } from '../../src/fault.ts';
import type { Database, Table } from '../../src/stores/database.ts';
import { directory } from '../../src/stores/directory.ts';
import { duckdb } from '../../src/stores/duckdb.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { postgres } from '../../src/stores/postgres.ts';
import { redis } from '../../src/stores/redis.ts';
import { s3 } from '../../src/stores/s3.ts';
import { type TestDatabase, type TestPostgres, emptyDuckdb, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';

const table: Table = {
  name: 'events',
  columns: [
    { name: 'id', type: { kind: 'text' }, required: true },
    { name: 'n', type: { kind: 'integer' }, required: false },
  ],
};

let server: Postgres;
let folder: string;

beforeAll(async () => {
  server = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), 'millrace-check-'));
}, 60_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function made(database: Database, like = table): Promise<void> {
  const open = await database.open({ report: () => {} });
  await open.createTable(like);
  await open.close();
}

describe.each<[string, () => Promise<TestDatabase>]>([
  ['postgres', () => emptyPostgres(server)],
  ['duckdb', emptyDuckdb],
])('a check of %s', (_, setUp) => {
  let place: TestDatabase;
  beforeAll(async () => {
    place = await setUp();
  });
  afterAll(() => place.close());
  const tables = () =>
    place.query(`SELECT table_schema, table_name FROM information_schema.tables
      WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY 1, 2`);

  test('says of a table that a run makes it, and does not make it, then finds it', async () => {
    expect(await place.declare().check!(table)).toMatch(/not there: a run makes it/);
    expect(await tables()).toEqual([]);
    await made(place.declare());
    const before = await tables();
    expect(before).toHaveLength(3);
    expect(await place.declare().check!(table)).toBe('table events is there, schema millrace is there');
    expect(await place.declare().check!()).toBe('schema millrace is there');
    expect(await place.declare().check!({ ...table, name: 'evnets' })).toMatch(/^table evnets is not there: a run makes it/);
    expect(await place.declare().check!({ ...table, name: 'shop.events' })).toMatch(/^table shop.events is not there/);
    expect(await tables()).toEqual(before);
  });

  test('names columns that are missing, and views', async () => {
    const more = { kind: 'text' } as const;
    const wide = { ...table, columns: [...table.columns, { name: 'more', type: more, required: false }] };
    await expect(place.declare().check!(wide)).rejects.toThrow(
      /^\S+: the table events is there, but lacks more; add them or name another table$/,
    );
    await place.query('CREATE VIEW seen AS SELECT * FROM events');
    await expect(place.declare().check!({ ...table, name: 'seen' })).rejects.toThrow(/seen is a view.*name a table/);
  });
});

describe('a check of postgres', () => {
  let place: TestPostgres;
  let database: string;
  beforeAll(async () => {
    place = await emptyPostgres(server);
    database = new URL(place.url).pathname.slice(1);
    await place.query('CREATE ROLE loader LOGIN');
    await place.query('CREATE ROLE "Odd-loader" LOGIN');
  });
  afterAll(() => place.close());
  const as = (role: string) => postgres(place.url.replace('postgres@', `${encodeURIComponent(role)}@`));
  /** What it says to run, run. */
  const mend = async (database: Database): Promise<string> => {
    const { message } = (await database.check!(table).catch((error: unknown) => error)) as Error;
    for (const [statement] of message.matchAll(/(GRANT|CREATE SCHEMA) [^;:]+/g)) await place.query(statement);
    return message;
  };

  test('names what the user may not do, with the statements that let it, which a run then needs no more of', async () => {
    await place.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    await place.query(`REVOKE TEMPORARY ON DATABASE ${database} FROM PUBLIC`);
    const first = await mend(as('loader'));
    expect(first).toContain('loader may not make events: GRANT USAGE, CREATE ON SCHEMA "public" TO loader');
    expect(first).toContain('the schema millrace is not there, and loader may not make it: CREATE SCHEMA "millrace"; GRANT');
    expect(first).toContain(`GRANT TEMPORARY ON DATABASE ${database} TO loader`);
    await made(as('loader'));
    expect(await as('loader').check!(table)).toBe('table events is there, schema millrace is there');
    // Another user finds tables that are not its own.
    for (let tries = 0; tries < 2; tries++) await mend(as('Odd-loader'));
    expect(await as('Odd-loader').check!(table)).toBe('table events is there, schema millrace is there');
    await made(as('Odd-loader'));
  });

  test('is what a run that may not says, too', async () => {
    await place.query('REVOKE ALL ON SCHEMA millrace FROM "Odd-loader"');
    const opening = as('Odd-loader').open({ report: () => {} });
    await expect(opening).rejects.toThrow(/may not use "millrace".positions: GRANT USAGE ON SCHEMA "millrace" TO "Odd-loader"/);
    await expect(opening).rejects.toMatchObject({ cause: { code: '42501' } });
  });
});

describe('a table of Postgres that is there', () => {
  let place: TestPostgres;
  let role: string;
  let loader: Database;
  beforeAll(async () => {
    place = await emptyPostgres(server);
    role = `clerk_${process.pid}`;
    await made(place.declare());
    await place.query(`CREATE ROLE ${role} LOGIN`);
    await place.query(`GRANT USAGE ON SCHEMA millrace TO ${role}`);
    await place.query(`GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA millrace TO ${role}`);
    loader = postgres(place.url.replace('postgres@', `${role}@`));
  });
  afterAll(() => place.close());
  /** What a run says that takes a shard over and loads a row. */
  async function load(into: Table): Promise<unknown> {
    const open = await loader.open({ report: () => {} });
    const owner = { pipeline: 'warehouse', sink: 'copy' };
    const position = { shard: randomUUID(), sequence: '1', subSequence: 0 };
    try {
      await open.createTable(into);
      await open.acquire(owner, position.shard);
      const lines = [Buffer.from('a\t1')];
      await open.commit(owner, { rows: { table: into, lines }, positions: new Map([[position.shard, position]]) });
      return undefined;
    } catch (error) {
      return error;
    } finally {
      await open.close();
    }
  }

  test('of which the user may fill some columns alone is told of, by a run as well', async () => {
    await place.query(`GRANT INSERT (id) ON events TO ${role}`);
    const expected = new RegExp(`${role} may not INSERT in events: GRANT INSERT ON events TO ${role}`);
    await expect(loader.check!(table)).rejects.toThrow(expected);
    const error = await load(table);
    expect(error).toMatchObject({ message: expect.stringMatching(expected), cause: { code: '42501' } });
    await place.query(`GRANT INSERT ON events TO ${role}`);
    expect([await loader.check!(table), await load(table)]).toEqual([
      'table events is there, schema millrace is there',
      undefined,
    ]);
  });

  test('in a schema that the user may not use is told of, by a run as well', async () => {
    await place.query('CREATE SCHEMA hidden');
    await place.query('CREATE TABLE hidden.events (LIKE events)');
    await place.query(`GRANT INSERT ON hidden.events TO ${role}`);
    const hidden = { ...table, name: 'hidden.events' };
    const expected = `${role} may not use hidden.events: GRANT USAGE ON SCHEMA "hidden" TO ${role}`;
    await expect(loader.check!(hidden)).rejects.toThrow(expected);
    expect(await load(hidden)).toMatchObject({ message: expected, cause: { code: '42501' } });
    await place.query(`GRANT USAGE ON SCHEMA hidden TO ${role}`);
    expect([await loader.check!(hidden), await load(hidden)]).toEqual([expect.any(String), undefined]);
  });

  test('may be a view whose trigger stores rows, and lie anywhere on the search path', async () => {
    await place.query('CREATE SCHEMA elsewhere');
    await place.query('CREATE VIEW elsewhere.filled AS SELECT id, n FROM events');
    await place.query(`CREATE FUNCTION elsewhere.fill() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN INSERT INTO public.events VALUES (NEW.id, 77); RETURN NEW; END $$`);
    await place.query('CREATE TRIGGER fill INSTEAD OF INSERT ON elsewhere.filled FOR EACH ROW EXECUTE FUNCTION elsewhere.fill()');
    await place.query(`GRANT USAGE ON SCHEMA elsewhere TO ${role}`);
    await place.query(`GRANT INSERT ON elsewhere.filled TO ${role}`);
    await place.query(`ALTER ROLE ${role} SET search_path = public, elsewhere`);
    const filled = { ...table, name: 'filled' };
    expect(await loader.check!(filled)).toBe('table filled is there, schema millrace is there');
    expect(await load(filled)).toBeUndefined();
    expect(await place.query('SELECT id FROM events WHERE n = 77')).toEqual([{ id: 'a' }]);
  });

  test('of which the user may not read the column that rows are known by is told of, by a run as well', async () => {
    const missing = { ...table, missingBy: 'id' };
    const expected = new RegExp(`${role} may not SELECT in events: GRANT INSERT, SELECT ON events TO ${role}`);
    await expect(loader.check!(missing)).rejects.toThrow(expected);
    expect(await load(missing)).toMatchObject({ message: expect.stringMatching(expected), cause: { code: '42501' } });
    await place.query(`GRANT SELECT (id) ON events TO ${role}`);
    expect([await loader.check!(missing), await load(missing)]).toEqual([expect.any(String), undefined]);
  });

  test('of which policies decide what the user sees and stores is told of, by a run as well', async () => {
    await place.query('CREATE TABLE guarded (id text NOT NULL, n integer)');
    await place.query('ALTER TABLE guarded ENABLE ROW LEVEL SECURITY');
    await place.query('CREATE POLICY all_may ON guarded USING (true)');
    await place.query(`GRANT SELECT, INSERT ON guarded TO ${role}`);
    const expected = new RegExp(`guarded has row-level security for ${role}.*: ALTER ROLE ${role} BYPASSRLS, or name its owner$`);
    // With missingBy, too: a row that is not seen would be loaded once more.
    for (const guarded of [
      { ...table, name: 'guarded' },
      { ...table, name: 'guarded', missingBy: 'id' },
    ]) {
      await expect(loader.check!(guarded)).rejects.toThrow(expected);
      expect(await load(guarded)).toMatchObject({ message: expect.stringMatching(expected) });
      expect(await place.declare().check!(guarded)).toMatch(/^table guarded is there/);
    }
    await place.query(`ALTER TABLE guarded OWNER TO ${role}`);
    expect(await load({ ...table, name: 'guarded' })).toBeUndefined();
    await place.query('ALTER TABLE guarded FORCE ROW LEVEL SECURITY');
    await expect(loader.check!({ ...table, name: 'guarded' })).rejects.toThrow(
      `ALTER ROLE ${role} BYPASSRLS, or ALTER TABLE guarded NO FORCE ROW LEVEL SECURITY`,
    );
    await place.query(`ALTER ROLE ${role} BYPASSRLS`);
    expect(await load({ ...table, name: 'guarded' })).toBeUndefined();
  });
});

test('a check of a Postgres that only lets read says so, as does a run', async () => {
  const place = await emptyPostgres(server);
  onTestFinished(place.close);
  await made(place.declare());
  await place.query(`ALTER DATABASE ${new URL(place.url).pathname.slice(1)} SET default_transaction_read_only = on`);
  await expect(place.declare().check!(table)).rejects.toThrow(/^the server only lets read.*: name the primary/);
  await expect(identityLog(place.url).check!()).rejects.toThrow(/^the server only lets read/);
  const opening = place.declare().open({ report: () => {} });
  await expect(opening).rejects.toThrow(/: the server only lets read.*: name the primary/);
  // As a standby does until it is promoted.
  await expect(opening).rejects.toSatisfy((error) => faultOf(error) === 'transient');
});

test('neither a check of a Postgres nor a run that cannot begin leaves a connection behind, which would keep the process alive', async () => {
  const place = await emptyPostgres(server);
  onTestFinished(place.close);
  const others = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
  await place.declare().check!(table);
  await expect.poll(() => place.query(others)).toEqual([]);
  await place.query(`ALTER DATABASE ${new URL(place.url).pathname.slice(1)} SET default_transaction_read_only = on`);
  await expect(place.declare().open({ report: () => {} })).rejects.toThrow(/only lets read/);
  await expect.poll(() => place.query(others)).toEqual([]);
});

describe('a check of duckdb', () => {
  test('makes no file and no folder', async () => {
    const path = join(folder, 'not', 'there.duckdb');
    expect(await duckdb(path).check!(table)).toBe('the file is not there: a run makes it');
    expect(await readdir(folder)).not.toContain('not');
  });

  test('goes on when a file of another kind, or a folder, is in its place', async () => {
    await writeFile(join(folder, 'text'), 'no database, but long enough to be one'.repeat(1000));
    await expect(duckdb(join(folder, 'text')).check!(table)).rejects.toThrow(/not a valid DuckDB/);
    await expect(duckdb(join(folder, 'text', 'x.duckdb')).check!(table)).rejects.toThrow(/ENOTDIR|expected a folder/);
    await expect(duckdb(folder).check!(table)).rejects.toThrow(/expected a file, got a folder/);
  });

  test.each(['clicks.csv', 'clicks.json'])(
    'goes on, and no run begins, where %s is: it would be held in memory',
    async (name) => {
      const path = join(folder, name);
      await writeFile(path, '{}\n'.repeat(5000));
      await expect(duckdb(path).check!(table)).rejects.toThrow(/not a valid DuckDB/);
      await expect(duckdb(path).open({ report: () => {} })).rejects.toThrow(/not a valid DuckDB/);
    },
  );

  test('looks at a file that a run of this process has open', async () => {
    const database = duckdb(join(folder, 'open.duckdb'));
    const open = await database.open({ report: () => {} });
    expect(await database.check!(table)).toBe('table events is not there: a run makes it, schema millrace is there');
    await open.createTable(table);
    expect(await database.check!(table)).toBe('table events is there, schema millrace is there');
    await open.close();
  });
});

describe('a check of a directory', () => {
  test('makes none, and says whether a run can', async () => {
    expect(await directory(join(folder, 'a', 'b')).check!()).toBe('the folder is not there: a run makes it');
    expect(await readdir(folder)).not.toContain('a');
    await mkdir(join(folder, 'there'));
    expect(await directory(join(folder, 'there')).check!()).toBe('the folder is there');
    expect(await readdir(join(folder, 'there'))).toEqual([]);
    await writeFile(join(folder, 'file'), '');
    await expect(directory(join(folder, 'file')).check!()).rejects.toThrow(/expected a folder/);
  });

  test.skipIf(process.getuid?.() === 0)('says of one that may not be written to that it may not', async () => {
    await mkdir(join(folder, 'closed'));
    await chmod(join(folder, 'closed'), 0o500);
    await expect(directory(join(folder, 'closed', 'x')).check!()).rejects.toThrow(/closed may not be written to/);
  });
});

test('a check of S3 puts nothing, and says of a bucket that is not there what to do', async () => {
  const server = await startS3();
  const { bucket, client } = server;
  await client.send(new CreateBucketCommand({ Bucket: 'fresh' }));
  const store = s3('s3://fresh/some', { client });
  expect(await store.check!()).toMatch(/^the bucket answers, with nothing there/);
  const open = await s3(`s3://${bucket}/some`, { client }).open({ report: () => {} });
  expect(await s3(`s3://${bucket}/some`, { client }).check!()).toMatch(/^the bucket answers, with objects there/);
  expect(await store.check!()).toMatch(/with nothing there/);
  await open.close();
  await expect(s3('s3://nowhere', { client }).check!()).rejects.toThrow(
    /^s3:\/\/nowhere: .*bucket.*Create the bucket, or correct/,
  );
  await server.close();
});

test('a check of Redis leaves no key behind, and says what may be wrong with the URL', async () => {
  const server = await startRedis();
  expect(await redis(server.url).check!()).toBe('the server answers, and runs scripts');
  expect(await server.client.dbsize()).toBe(0);
  await server.client.call('ACL', 'SETUSER', 'weak', 'on', '>pw', '~*', '+ping', '+info', '+client', '+hello');
  await expect(redis(server.url.replace('redis:', 'redis-cluster:')).check!()).rejects.toThrow(
    /cluster support disabled\. Where there is no cluster, expected redis:\/\//,
  );
  await expect(redis(server.url.replace('redis:', 'rediss:'), { timeoutMs: 200 }).check!()).rejects.toThrow(
    /Where the server does not speak TLS, expected redis:\/\//,
  );
  const weak = redis(server.url.replace('//', '//weak:pw@'));
  await expect(weak.check!()).rejects.toThrow(/the user of its URL may not do what is needed: NOPERM/);
  await server.stop();
});
