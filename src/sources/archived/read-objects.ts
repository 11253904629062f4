import { compareSequences, isPosition } from '../../position.ts';
import type { OpenObjectStore } from '../../stores/object-store.ts';
import { emitInTurn } from '../delivery/emit-in-turn.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import { ArchivedLines } from './archived-lines.ts';
import { type FetchedObject, fetchObject } from './fetch-object.ts';
import type { FoundObject } from './find-objects.ts';
import { patiently } from '../waiting/patiently.ts';
import { unpackLines } from './unpack-lines.ts';

export interface ObjectsReading {
  readonly store: OpenObjectStore;
  readonly prefix: string;
  /** The most lines of one delivery. */
  readonly maxLines: number;
  /** The end of the range, for how far behind it reading is. */
  readonly untilMs: number;
}

/**
 * Reads the objects of one shard one after the other, behind where it is resumed. Resolves with false when the signal ended it.
 *
 * @throws {Error} when an object is damaged, is not what it was when the run before was in the middle of it, or stands in the place of another
 */
export async function readObjects(
  reading: ShardReading,
  objects: readonly FoundObject[],
  { store, prefix, maxLines, untilMs }: ObjectsReading,
): Promise<boolean> {
  const { resume, signal, report, scheduler } = reading;
  const shard = reading.shard.id;
  const stand = isPosition(resume) ? resume : undefined;
  const sinceMs = resume instanceof Date ? resume.getTime() : Number.NEGATIVE_INFINITY;
  const rest = stand ? objects.filter(({ sequence }) => compareSequences(sequence, stand.sequence) >= 0) : objects;
  const bare = { objects: 0, key: '' };
  let emitted = 0;
  let passed = objects.length - rest.length;
  let before: { readonly sequence: string; readonly key: string } | undefined;
  let wasMet = stand === undefined;

  for (const { key, sequence } of rest) {
    const object = await patiently(reading, shard, signal, () => fetchObject(store, prefix, key));
    if (!object) return false;
    report({ type: 'shard-lag', shard, behindMs: Math.max(0, untilMs - object.startMs), readAtMs: scheduler.now() });
    if (!object.hasMetadata && bare.objects++ === 0) bare.key = key;
    // Beside an object there may be an empty one with its first position, which closed a key: one with lines there may not.
    if (object.count === 0) continue;
    if (before?.sequence === sequence)
      throw new Error(
        `archived: expected one object that begins where ${before.key} does, got ${key} as well: remove the one that is wrong`,
      );
    before = { sequence, key };
    const done = sequence === stand?.sequence ? stand.subSequence : 0;
    if (done > object.count)
      throw new Error(
        `archived: expected ${done} lines or more in ${key}, in the middle of which ${shard} stands, got ${object.count}`,
      );
    if (done === 0) makeSureItWasMet();
    wasMet = true;
    if (done === object.count) passed++;
    if (object.startMs < sinceMs || done === object.count) continue;
    if (!(await emitLines(object, sequence, done))) return false;
    emitted += object.count - done;
  }

  makeSureItWasMet();
  if (bare.objects > 0) report({ type: 'no-metadata', shard, ...bare });
  const isAll = emitted === 0;
  if (stand && (isAll || passed > 0))
    report({ type: 'read-before', shard, count: isAll ? objects.length : passed, what: 'object', isAll });
  return true;

  /** Of an object that is gone, or empty now, nobody knows which of its lines were stored. */
  function makeSureItWasMet(): void {
    if (!wasMet)
      throw new Error(`archived: expected the object in which ${shard} stands, got none that begins at ${stand!.sequence}`);
  }

  /** Emits an object's lines behind those that are done. False when the signal ended it. */
  async function emitLines({ body, compression, startMs }: FetchedObject, sequence: string, done: number): Promise<boolean> {
    const origin = { shard, sequence, startMs };
    let seen = 0;
    for await (const blocks of unpackLines(body, compression))
      for (const block of blocks) {
        const { count } = block;
        const first = Math.min(count, Math.max(0, done - seen));
        const free = block.freeing(Math.ceil((count - first) / maxLines));
        for (let from = first; from < count; from += maxLines) {
          const to = Math.min(from + maxLines, count);
          const lines = new ArchivedLines(origin, block, { from, to, before: seen, free });
          if (!(await emitInTurn(reading, lines))) return false;
        }
        seen += count;
      }
    return true;
  }
}
