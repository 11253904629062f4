import { setTimeout as sleep } from 'node:timers/promises';
import type { Act } from './act.ts';
import type { Owner } from './owner.ts';

/** No shard is split beyond so many open ones. */
const MAX_SHARDS = 5;
const LOCKED_OUT_MS = 8000;

/** What happens to the owners of an act; each ends with none alive, and most with a kill. */
export type Scene<A extends Act> = (act: A) => Promise<void>;

/** Scenes as often as each is to come. */
export function deckOf<A extends Act>(scenes: readonly (readonly [times: number, scene: Scene<A>])[]): Scene<A>[] {
  return scenes.flatMap(([times, scene]) => Array.from({ length: times }, () => scene));
}

/** At any time while it works. */
export async function crash(act: Act): Promise<void> {
  const owner = await act.reader(1600);
  await act.kill(owner);
}

/** Before it has begun to read, or just then. */
export async function earlyCrash(act: Act): Promise<void> {
  const owner = act.startOwner();
  await sleep(act.random.below(800));
  await act.kill(owner);
}

/** SIGTERM, with its sum checked. */
export async function orderlyStop(act: Act): Promise<void> {
  const owner = await act.reader(1600);
  await act.terminate(owner);
}

/** Stopped for longer than another owner takes to take over, and then woken up. */
export async function zombie(act: Act): Promise<void> {
  const stopped = await act.reader(1600);
  const shards = await act.stream.shards();
  // One that has not taken over all shards may do so when it is woken up: it has them then, and the newer one gives way.
  const mayTakeOver = !shards.every((shard) => stopped.output.includes(`${shard}: reading on from`));
  act.did('SIGSTOP', stopped.name);
  stopped.signal('SIGSTOP');
  let next = act.startOwner();
  // On one machine they share files: stopped while it writes to one, it keeps the lock, and its successor waits or gives up.
  await Promise.race([next.reads(), sleep(LOCKED_OUT_MS)]);
  while (gaveUp(next) && act.faults.length === 0) {
    await act.kill(next);
    next = act.startOwner();
    await Promise.race([next.reads(), sleep(LOCKED_OUT_MS)]);
  }
  const hasNotBegun = !next.hasRead;
  await sleep(act.random.below(1500));
  stopped.signal('SIGCONT');
  act.note(`SIGCONT ${stopped.name}`);
  if (hasNotBegun) {
    act.did('locked out', next.output.trim());
    await next.kill();
    return act.kill(stopped);
  }
  const isKilledFirst = act.random.chance(0.3);
  if (isKilledFirst) await act.kill(next, mayTakeOver);
  await act.isFenced(stopped);
  if (!isKilledFirst) await act.kill(next, mayTakeOver);
}

/** For another reason than that the stopped one has its files. */
function gaveUp(next: Owner): boolean {
  return next.hasEnded && !next.hasRead && !isLockedOut(next);
}

/** As the stopped one has its files. */
export function isLockedOut(next: Owner): boolean {
  return next.hasEnded && next.output.includes('is held by another run');
}

/** Whoever takes a shard over last has it; the other one gives way, or both do. */
export async function twoAtOnce(act: Act): Promise<void> {
  const owners = [act.startOwner(), act.startOwner()];
  await Promise.all(owners.map((owner) => owner.reads()));
  await sleep(act.random.below(2000));
  for (const owner of owners) await act.kill(owner, true);
}

/** A split or a merge while it works. */
export async function reshard(act: Act): Promise<void> {
  const owner = await act.reader(800);
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
