import { setTimeout as sleep } from 'node:timers/promises';
import type { ActResult } from './act.ts';
import { type Scene, crash, deckOf, earlyCrash, orderlyStop, reshard, twoAtOnce, zombie } from './scenes.ts';
import { WarehouseAct, type WarehouseActOptions } from './warehouse-act.ts';

/** How often an act has each scene: some twenty kills in all. */
const SCENES: readonly (readonly [times: number, scene: Scene<WarehouseAct>])[] = [
  [12, crash],
  [2, earlyCrash],
  [2, orderlyStop],
  [2, restartPostgres],
  [2, zombie],
  [1, twoAtOnce],
  [2, reshard],
];

/** Plays an act of the warehouse from its beginning to its end; it ends early when a fault was found. */
export async function playWarehouse(options: WarehouseActOptions): Promise<ActResult> {
  return (await WarehouseAct.open(options)).play(deckOf(SCENES));
}

/** In the middle of a load, or any time. */
async function restartPostgres(act: WarehouseAct): Promise<void> {
  const owner = await act.reader(1200);
  const how = act.random.chance(0.5) ? 'crash' : 'orderly';
  const isInLoad = act.random.chance(0.6);
  const delayMs = act.random.below(60);
  if (isInLoad) {
    await act.nextLoad();
    await sleep(delayMs);
  }
  act.did(`Postgres ${how}`, isInLoad ? `${delayMs} ms after a load began` : '');
  await act.postgres.restart(how);
  await sleep(act.random.below(1500));
  await act.kill(owner);
}
