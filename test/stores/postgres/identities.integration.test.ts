import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { faultOf } from '../../../src/fault.ts';
import { SIGHT_WORDS } from '../../../src/operators/dedupe/sight.ts';
import type { OpenIdentityState } from '../../../src/operators/identity-state.ts';
import { postgres } from '../../../src/stores/postgres.ts';
import { emptyPostgres } from '../../support/databases.ts';
import { type Postgres, startPostgres } from '../../support/postgres.ts';
import { identityLog } from '../../../src/stores/identity-log.ts';
import { identitiesConformance } from '../identities.conformance.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

identitiesConformance('postgres', async () => {
  const { url, query, close } = await emptyPostgres(server);
  return {
    url,
    declare: (at) => postgres(at),
    loseLast: async (log) => {
      await query(`UPDATE millrace.identity_logs SET last_block = last_block - 1 WHERE log = '${log}'`);
      await query(
        `DELETE FROM millrace.identity_blocks b USING millrace.identity_logs l WHERE l.log = b.log AND b.id > l.last_block`,
      );
    },
    standAt: async (log, last) => {
      await query(`UPDATE millrace.identity_logs SET first_block = ${last + 1}, last_block = ${last} WHERE log = '${log}'`);
    },
    loseSecond: async (log) => {
      await query(`DELETE FROM millrace.identity_blocks WHERE log = '${log}' AND id = 2`);
    },
    close,
  };
});

it('a user who may not make the tables is told what to grant, by --check as by a run; with them there, rights in them are enough', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  await query(`CREATE ROLE loader LOGIN`);
  onTestFinished(async () => void (await query('DROP OWNED BY loader'), await query('DROP ROLE loader')));
  const state = identityLog(url.replace('postgres@', 'loader@'));
  const denied = 'the schema millrace is not there, and loader may not make it: CREATE SCHEMA "millrace"; GRANT USAGE, CREATE';
  await expect(state.check!()).rejects.toThrow(denied);
  await expect(state.prepare!('shop')).rejects.toThrow(`identityLog: ${state.describe}: ${denied}`);

  const admin = await identityLog(url).prepare!('shop');
  await admin();
  await query('GRANT USAGE ON SCHEMA millrace TO loader');
  await query('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA millrace TO loader');
  const mayNotUpdate = 'loader may not UPDATE in "millrace".identity_logs: GRANT SELECT, INSERT, UPDATE ON';
  await expect(state.check!()).rejects.toThrow(mayNotUpdate);
  await expect(state.prepare!('shop')).rejects.toThrow(mayNotUpdate);
  await query('GRANT UPDATE ON millrace.identity_logs TO loader');
  const mayNotDelete = 'loader may not DELETE in "millrace".identity_blocks';
  await expect(state.check!()).rejects.toThrow(mayNotDelete);
  const letGo = await state.prepare!('shop');
  const log = state.open();
  log.append({ sights: new Uint32Array(SIGHT_WORDS), count: 1, newestMs: 1 }, { beforeMs: undefined, capacity: Infinity });
  await expect(log.flush!()).rejects.toThrow(mayNotDelete);
  await letGo();
  await query('GRANT DELETE ON millrace.identity_blocks TO loader');
  expect(await state.check!()).toBe('schema millrace is there');
  const release = await state.prepare!('shop');
  await release();
});

it('a limit that its user has for statements neither ends a run nor keeps it from reading its log', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  const prepared = async (): Promise<OpenIdentityState> => {
    const state = identityLog(url);
    onTestFinished(await state.prepare!('shop'));
    return state.open();
  };
  const append = (log: OpenIdentityState): Promise<unknown> => {
    log.append({ sights: new Uint32Array(SIGHT_WORDS), count: 1, newestMs: 1 }, { beforeMs: undefined, capacity: Infinity });
    return log.flush!()!.catch((error: unknown) => error);
  };
  await append(await prepared());
  await query(`ALTER ROLE postgres SET statement_timeout = '1s'`);
  onTestFinished(async () => void (await query('ALTER ROLE postgres RESET statement_timeout')));

  await query('BEGIN');
  await query('LOCK TABLE millrace.identity_blocks');
  const reading = prepared();
  await query('SELECT pg_sleep(2)');
  await query('COMMIT');
  const log = await reading;

  await query('BEGIN');
  await query('LOCK TABLE millrace.identity_blocks');
  const error = await append(log);
  expect(error).toMatchObject({ message: expect.stringContaining('canceling statement due to statement timeout') });
  expect(faultOf(error)).toBe('transient');
  await query('COMMIT');
  expect(await log.flush!()).toBeUndefined();
});
