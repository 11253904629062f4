import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Counts } from '../../src/ledger.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { transform } from '../../src/operators/transform.ts';
import { type Pipeline, pipeline } from '../../src/pipeline.ts';
import { startRun } from '../../src/run/run.ts';
import { apply } from '../../src/sinks/apply.ts';
import { archive } from '../../src/sinks/archive.ts';
import { copyInto } from '../../src/sinks/copy-into.ts';
import { rejectsIntoDatabase } from '../../src/sinks/rejects-into-database.ts';
import { rejectsIntoRedis } from '../../src/sinks/rejects-into-redis.ts';
import { type Script, scripted } from '../../src/sources/scripted.ts';
import * as commands from '../../src/stores/commands.ts';
import { directory } from '../../src/stores/directory.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { redis } from '../../src/stores/redis.ts';
import { type TestDatabase, emptyDuckdb, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';

const page = await readFile(join(import.meta.dirname, '../../docs/deployment.md'), 'utf8');
const [, section] = /## To rename a pipeline\n([^]*?)\n## /.exec(page)!;

/** The statements of a kind that the section has, in its order. */
const statements = (kind: string): string[] =>
  [...section!.matchAll(new RegExp(`\`(${kind} [^\`]*)\``, 'g'))].map(([, one]) => one!);

/** The stream before and after: one record was sent twice, one is a reject, once on either side. */
const BEFORE: Script = { s: [['a', 'bad', 'b'], 'until-stopped'] };
const AFTER: Script = {
  s: [
    ['a', 'bad', 'b'],
    ['c', 'a', 'bad too', 'd'],
  ],
};
const NEW = { read: 4, stored: 2, dropped: { dedupe: 1 }, rejected: 1 };

const checked = transform((bytes: Uint8Array) => {
  if (Buffer.from(bytes).toString().startsWith('bad')) throw new TypeError('it is bad');
  return { id: Buffer.from(bytes).toString(), bytes, toRow: () => bytes };
});

/** Runs a pipeline until it has read so many records, and stops it: a stream has no end. */
async function live(declared: Pipeline, reads: number): Promise<Counts> {
  const stop = new AbortController();
  const running = startRun(declared, { stop: stop.signal });
  const over = running.finished.finally(() => stop.abort());
  while (!stop.signal.aborted && running.ledger.counts().read < reads) await sleep(5);
  stop.abort();
  return over;
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-rename-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('docs/deployment.md: a pipeline that is renamed as it says goes on where it stood', { timeout: 60_000 }, () => {
  async function goesOn(database: TestDatabase, state: string, renameRows: () => Promise<unknown>): Promise<void> {
    const columns = [{ name: 'line', type: { kind: 'text' }, required: true }] as const;
    const named = (name: string, script: Script) =>
      pipeline(name)
        .from(scripted(script))
        .pipe(checked, dedupe({ by: ({ id }) => id, within: { hours: 1 }, state: identityLog(state) }), minuteWindow())
        .to(
          archive(directory(join(folder, 'archive')), { prefix: 'events' }),
          copyInto(database.declare(), { table: 'events', columns }),
        )
        .rejects(rejectsIntoDatabase(database.declare()));
    expect(await live(named('warehouse', BEFORE), 3)).toMatchObject({ read: 3, stored: 2, rejected: 1 });
    await renameRows();
    const [, from, to] = /`(_millrace\/\w+\/)` of `ARCHIVE_URL`, to `(_millrace\/\w+\/)`/.exec(section!)!;
    await rename(join(folder, 'archive', from!), join(folder, 'archive', to!));
    expect(await live(named('events', AFTER), 4)).toMatchObject(NEW);
    expect(existsSync(join(folder, 'archive', from!))).toBe(false);
    const rows = await database.query('SELECT line FROM events ORDER BY line');
    expect(rows.map(({ line }) => line)).toEqual(['a', 'b', 'c', 'd']);
    const rejects = await database.query('SELECT pipeline, raw FROM millrace.rejects ORDER BY pipeline');
    expect(rejects.map((row) => row['pipeline'])).toEqual(['events', 'warehouse']);
  }

  describe('with Postgres', () => {
    let server: Postgres;
    beforeAll(async () => void (server = await startPostgres()));
    afterAll(() => server.stop());

    it('the ids of dedupe among them', async () => {
      const database = await emptyPostgres(server);
      const [positions, logs] = statements('UPDATE');
      await goesOn(database, database.url, async () => {
        for (const one of [positions!, logs!, logs!.replace('identity_logs', 'identity_blocks')]) await database.query(one);
      }).finally(() => database.close());
    });
  });

  it('with DuckDB and a file of ids', async () => {
    const database = await emptyDuckdb();
    await goesOn(database, join(folder, 'ids'), () => database.query(statements('UPDATE')[0]!)).finally(() => database.close());
  });

  it('with Redis: each event counts once', async () => {
    const server = await startRedis();
    const named = (name: string, script: Script) =>
      pipeline(name)
        .from(scripted(script))
        .pipe(checked, dedupe({ by: ({ id }) => id, within: { hours: 1 }, state: identityLog(server.url) }))
        .to(apply(redis(server.url), ({ id }) => [commands.hincrby('counts', id, 1)]))
        .rejects(rejectsIntoRedis(redis(server.url)));
    try {
      expect(await live(named('realtime', BEFORE), 3)).toMatchObject({ read: 3, stored: 2, rejected: 1 });
      const [positions, ids] = statements('RENAME');
      const also = [positions!.replaceAll(':apply', ':rejects'), ids!.replaceAll('}', '}:blocks')];
      for (const one of [positions!, ids!, ...also]) {
        const [, ...keys] = one.split(' ');
        await server.client.rename(keys[0]!, keys[1]!);
      }
      expect(await live(named('visitors', AFTER), 4)).toMatchObject(NEW);
      expect(await server.client.hgetall('counts')).toEqual({ a: '1', b: '1', c: '1', d: '1' });
      expect(await server.client.zcard('millrace:rejects:visitors')).toBe(1);
    } finally {
      await server.stop();
    }
  });
});
