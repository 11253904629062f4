import { setTimeout as sleep } from 'node:timers/promises';
import type { ActOptions, ActResult } from './act.ts';
import type { Owner } from './owner.ts';
import { RealtimeAct } from './realtime-act.ts';
import { type Scene, crash, deckOf, earlyCrash, isLockedOut, orderlyStop, reshard, twoAtOnce, zombie } from './scenes.ts';

const NOTICES_WITHIN_MS = 6000;

/** How often an act has each scene: some twenty kills in all. */
const SCENES: readonly (readonly [times: number, scene: Scene<RealtimeAct>])[] = [
  [7, crash],
  [2, earlyCrash],
  [2, orderlyStop],
  [3, lostBatch],
  [2, restartRedis],
  [2, zombie],
  [1, twoAtOnce],
  [2, reshard],
  [2, failOver],
  [1, zombieOverFailOver],
];

const SHORT: typeof SCENES = [lostBatch, restartRedis, zombie, reshard, failOver].map((scene) => [1, scene]);

/** Plays an act of the realtime pipeline, or a short one, from its beginning to its end; it ends early when a fault was found. */
export async function playRealtime(options: ActOptions, { isShort = false } = {}): Promise<ActResult> {
  return (await RealtimeAct.open(options)).play(deckOf(isShort ? SHORT : SCENES));
}

/** A batch of which its owner hears nothing, or that comes when nobody expects it any more. */
async function lostBatch(act: RealtimeAct): Promise<void> {
  const owner = await act.reader(800);
  const kind = act.random.pick(['late', 'late', 'drop-answer', 'reset-answer', 'reset-request', 'silence'] as const);
  const delayMs = act.random.below(600);
  act.did(`batch: ${kind}`, `${delayMs} ms`);
  await act.batchMeets(kind, delayMs);
  await sleep(act.random.below(900));
  await act.kill(owner);
}

async function restartRedis(act: RealtimeAct): Promise<void> {
  const owner = await act.reader(1200);
  act.did('Redis killed');
  await act.restartRedis();
  await sleep(act.random.below(1500));
  await act.kill(owner);
}

/** A replica takes over that has not got all that was acknowledged; the owner goes on with it, or the next one does. */
async function failOver(act: RealtimeAct): Promise<void> {
  const owner = await act.reader(800);
  const replica = await act.addReplica();
  await sleep(act.random.below(600));
  await replica.client.replicaof('NO', 'ONE');
  await sleep(200 + act.random.below(1200));
  const goesOn = act.random.chance(0.7);
  if (!goesOn) await act.kill(owner);
  act.did('failover', goesOn ? `under ${owner.name}` : 'while nobody runs');
  await act.promote(replica);
  if (!goesOn) return;
  await notices(act, owner);
  await sleep(act.random.below(1500));
  if (act.random.chance(0.3)) await act.terminate(owner);
  else await act.kill(owner);
}

/** The take-over itself is lost: who was taken over and who did so have epochs that mean nothing any more. */
async function zombieOverFailOver(act: RealtimeAct): Promise<void> {
  const stopped = await act.reader(800);
  const replica = await act.addReplica();
  await sleep(act.random.below(400));
  await replica.client.replicaof('NO', 'ONE');
  await sleep(act.random.below(400));
  act.did('SIGSTOP', stopped.name);
  stopped.signal('SIGSTOP');
  const next = act.startOwner();
  await Promise.race([next.reads(), sleep(NOTICES_WITHIN_MS)]);
  await sleep(act.random.below(800));
  const isFirst = act.random.chance(0.5);
  if (isFirst) stopped.signal('SIGCONT');
  act.did('failover', `after ${next.name} has taken over`);
  await act.promote(replica);
  if (!isFirst) {
    await sleep(act.random.below(1000));
    stopped.signal('SIGCONT');
  }
  await sleep(500 + act.random.below(2000));
  // Each batch looks where the other one has left the shard, so nothing is applied twice even when both have one epoch.
  await act.kill(stopped, true);
  if (isLockedOut(next)) act.did('locked out', next.output.trim());
  else await act.kill(next, true);
}

/** Waits until an owner that lost something has begun anew. */
async function notices(act: RealtimeAct, owner: Owner): Promise<void> {
  const hasBegunAnew = (): boolean => owner.output.lastIndexOf('reading on from') > owner.output.lastIndexOf('went back in time');
  await Promise.race([owner.says('went back in time'), sleep(NOTICES_WITHIN_MS)]);
  if (!owner.output.includes('went back in time')) return act.note(`${owner.name} has lost nothing`);
  act.did('went back', owner.name);
  for (let waitedMs = 0; !hasBegunAnew() && !owner.hasEnded && waitedMs < NOTICES_WITHIN_MS; waitedMs += 20) await sleep(20);
}
