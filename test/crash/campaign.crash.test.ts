import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { formatFault } from './checker.ts';
import { inFolder } from './place.ts';
import { playWarehouse } from './warehouse-scenes.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? 1);
const ACTS = [1, 2];

let servers: Postgres[];

beforeAll(async () => {
  servers = await Promise.all(ACTS.map(() => startPostgres()));
}, 60_000);

afterAll(() => Promise.all(servers.map((server) => server.stop())));

describe('two acts of the crash campaign', () => {
  it('leave every event once in the database and in the archive, or once among the rejects', { timeout: 300_000 }, async () => {
    const acts = ACTS.map((number, i) => playWarehouse({ seed: SEED, number, postgres: servers[i]!, archive: inFolder }));
    let kills = 0;
    for (const { faults, log, tally, folder } of await Promise.all(acts)) {
      expect(faults.map(formatFault), `seed ${SEED}, kept in ${folder}:\n${log.join('\n')}`).toEqual([]);
      expect(tally.get('fenced')).toBeGreaterThan(0);
      kills += tally.get('SIGKILL')!;
    }
    expect(kills).toBeGreaterThanOrEqual(30);
  });
});
