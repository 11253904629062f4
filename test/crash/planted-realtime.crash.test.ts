import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RealtimeAct } from './realtime-act.ts';

const PLANTED = 'planted fault';

/** The names of what the checker finds at rest and at the end, when a pipeline with a fault is driven to where that shows. */
async function found(
  plant: string,
  play: (act: RealtimeAct) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
): Promise<Set<string>> {
  const act = await RealtimeAct.open({
    seed: 1,
    number: 1,
    file: `test/crash/planted/${plant}.ts`,
    isPlain: true,
    settings,
  });
  try {
    await play(act);
    await act.checkAtRest();
  } catch (error) {
    await act.abandon();
    throw error;
  }
  const { faults, folder } = await act.close();
  await rm(folder, { recursive: true, force: true });
  return new Set(faults.map(({ name }) => name));
}

async function killedThere(act: RealtimeAct): Promise<void> {
  const owner = act.startOwner();
  await owner.says(PLANTED);
  await act.kill(owner);
}

describe('the checker, of the realtime pipeline with a fault planted in it', { timeout: 120_000 }, () => {
  it('finds a position that is moved before the commands are run', async () => {
    expect(await found('position-first', killedThere)).toEqual(new Set(['wrong key']));
  });

  it('finds a batch that is run twice, as nobody asked whether it had', async () => {
    const later = async (act: RealtimeAct): Promise<void> => {
      const owner = act.startOwner();
      await owner.says(PLANTED);
      await sleep(1000);
      await act.kill(owner);
    };
    expect(await found('no-question', later)).toEqual(new Set(['wrong key']));
    expect(await found('no-question', later, { PLANTED: 'no' })).toEqual(new Set());
  });

  it('finds a store that does not look at the epoch', async () => {
    const names = await found('no-fence', async (act) => {
      const stopped = await act.reader(500);
      stopped.signal('SIGSTOP');
      const next = act.startOwner();
      await next.reads();
      await sleep(1500);
      stopped.signal('SIGCONT');
      await stopped.says(PLANTED);
      await Promise.all([stopped.kill(), next.kill()]);
    });
    expect(names).toEqual(new Set(['wrong key', 'unguarded write']));
  });
});
