import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../support/postgres.ts';

import { inFolder } from './place.ts';
import { WarehouseAct, type WarehouseActOptions } from './warehouse-act.ts';

const PLANTED = 'planted fault';

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.stop());

/** The names of what the checker finds when a pipeline with a fault is driven to where that shows. */
async function found(
  plant: string,
  play: (act: WarehouseAct) => Promise<void>,
  options: Pick<WarehouseActOptions, 'hasNoArchive' | 'settings'> = {},
): Promise<Set<string>> {
  const act = await WarehouseAct.open({
    seed: 1,
    number: 1,
    postgres,
    archive: inFolder,
    file: `test/crash/planted/${plant}.ts`,
    isPlain: true,
    ...options,
  });
  try {
    await play(act);
  } catch (error) {
    await act.abandon();
    throw error;
  }
  const { faults, folder } = await act.close();
  await rm(folder, { recursive: true, force: true });
  return new Set(faults.map(({ name }) => name));
}

describe('the checker, of a pipeline with a fault planted in it', { timeout: 120_000 }, () => {
  it('finds a checkpoint that is stored before the rows', async () => {
    const names = await found('checkpoint-first', async (act) => {
      const owner = act.startOwner();
      await owner.says(PLANTED);
      await act.kill(owner);
      await act.checkAtRest();
      expect(act.faults.map(({ name }) => name)).toContain('checkpoint ahead of sink');
    });
    expect(names).toContain('lost');
  });

  it('finds a store that does not look at the epoch', async () => {
    const zombie = async (act: WarehouseAct): Promise<void> => {
      const stopped = act.startOwner();
      await stopped.reads();
      await sleep(1500);
      stopped.signal('SIGSTOP');
      const next = act.startOwner();
      await next.reads();
      await sleep(2500);
      stopped.signal('SIGCONT');
      await stopped.says(PLANTED);
      await Promise.all([stopped.kill(), next.kill()]);
    };
    const names = await found('no-guard', zombie, { hasNoArchive: true });
    expect(names).toContain('fenced write accepted');
    expect(names).toContain('duplicate');
  });

  it('finds keys that come from the clock', async () => {
    const names = await found('clock-key', async (act) => {
      const owner = act.startOwner();
      await owner.says(PLANTED);
      await act.kill(owner);
    });
    expect(names).toContain('duplicate');
  });

  const lookUpFails = async (act: WarehouseAct): Promise<void> => {
    await sleep(1500);
    const owner = act.startOwner();
    expect(await owner.ended(), owner.output).toBe(1);
    expect(owner.output).toContain(PLANTED);
    await act.checkAtRest();
  };

  it('finds a window that is emitted on error', async () => {
    const names = await found('window-on-error', lookUpFails);
    expect(names).toContain('checkpoint ahead of sink');
    expect(names).toContain('lost');
  });

  it('finds nothing when that window is kept back', async () => {
    expect(await found('window-on-error', lookUpFails, { settings: { PLANTED: 'no' } })).toEqual(new Set());
  });
});
