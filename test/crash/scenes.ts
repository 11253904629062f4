import { setTimeout as sleep } from 'node:timers/promises';
import { Act, type ActOptions, type ActResult } from './act.ts';
import type { Owner } from './owner.ts';

/** No shard is split beyond so many open ones. */
const MAX_SHARDS = 5;
const LOCKED_OUT_MS = 8000;

/** What happens to the owners of an act; each ends with none alive, and most with a kill. */
type Scene = (act: Act) => Promise<void>;

/** How often an act has each scene: some twenty kills in all. */
const SCENES: readonly (readonly [times: number, scene: Scene])[] = [
  [12, crash],
  [2, earlyCrash],
  [2, orderlyStop],
  [2, restartPostgres],
  [2, zombie],
  [1, twoAtOnce],
  [2, reshard],
];

/** Plays an act from its beginning to its end; it ends early when a fault was found. */
export async function playAct(options: ActOptions): Promise<ActResult> {
  const act = await Act.open(options);
  const deck = SCENES.flatMap(([times, scene]) => Array.from({ length: times }, () => scene));
  while (deck.length > 0 && act.faults.length === 0) {
    const [scene] = deck.splice(act.random.below(deck.length), 1);
    act.did(scene!.name);
    try {
      await scene!(act);
      await act.checkAtRest();
    } catch (error) {
      act.fault({ name: 'ended badly', where: scene!.name, what: String((error as Error).stack) });
    }
  }
  return act.close();
}

async function crash(act: Act): Promise<void> {
  const owner = await reader(act, 1600);
  await act.kill(owner);
}

/** Before it has begun to read, or just then. */
async function earlyCrash(act: Act): Promise<void> {
  const owner = act.startOwner();
  await sleep(act.random.below(800));
  await act.kill(owner);
}

async function orderlyStop(act: Act): Promise<void> {
  const owner = await reader(act, 1600);
  await act.terminate(owner);
}

/** In the middle of a load, or any time. */
async function restartPostgres(act: Act): Promise<void> {
  const owner = await reader(act, 1200);
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

/** Stopped for longer than another owner takes to take over, and then woken up. */
async function zombie(act: Act): Promise<void> {
  const stopped = await reader(act, 1600);
  act.did('SIGSTOP', stopped.name);
  stopped.signal('SIGSTOP');
  const next = act.startOwner();
  // On one machine they share files: stopped while it writes to one, it keeps the lock, and its successor waits or gives up.
  await Promise.race([next.reads(), sleep(LOCKED_OUT_MS)]);
  const isLockedOut = !next.hasRead;
  await sleep(act.random.below(1500));
  stopped.signal('SIGCONT');
  act.note(`SIGCONT ${stopped.name}`);
  if (isLockedOut) {
    const gaveUp = next.hasEnded && !next.output.includes('is held by another run');
    if (gaveUp) await act.kill(next);
    else act.did('locked out', next.output.trim());
    await next.kill();
    return act.kill(stopped);
  }
  if (act.random.chance(0.3)) await act.kill(next);
  await act.isFenced(stopped);
  if (!next.hasEnded) await act.kill(next);
}

/** Whoever takes a shard over last has it; the other one gives way, or both do. */
async function twoAtOnce(act: Act): Promise<void> {
  const owners = [act.startOwner(), act.startOwner()];
  await Promise.all(owners.map((owner) => owner.reads()));
  await sleep(act.random.below(2000));
  for (const owner of owners) await act.kill(owner, true);
}

async function reshard(act: Act): Promise<void> {
  const owner = await reader(act, 800);
  const shards = await act.stream.shards();
  const at = act.random.below(shards.length);
  const neighbour = shards[at + 1];
  if (shards.length < MAX_SHARDS && (neighbour === undefined || act.random.chance(0.5))) {
    act.did('split', shards[at]);
    await act.stream.split(shards[at]!);
  } else if (neighbour !== undefined) {
    act.did('merge', `${shards[at]} and ${neighbour}`);
    await act.stream.merge(shards[at]!, neighbour);
  }
  await sleep(act.random.below(1500));
  await act.kill(owner);
}

/** An owner that has read for a while. */
async function reader(act: Act, forUpToMs: number): Promise<Owner> {
  const owner = act.startOwner();
  await owner.reads();
  await sleep(act.random.below(forUpToMs));
  return owner;
}
