import type { Item } from '../event.ts';
import { type Resume, isBeyond, isPosition } from '../position.ts';
import type { Batch } from '../sinks/sink.ts';

/** What of a batch a sink that stood at `before` lacks, now that it says it stands at `now`. */
export function missing<T extends Item>(
  batch: Batch<T>,
  before: ReadonlyMap<string, Resume>,
  now: ReadonlyMap<string, Resume>,
): Batch<T> {
  const hasMoved = (shard: string): boolean => isBeyond(now.get(shard), before.get(shard));
  return {
    items: batch.items.flatMap((item) => (hasMoved(item.shard) ? behind(item, now.get(item.shard)) : item) ?? []),
    positions: new Map([...batch.positions].filter(([shard, to]) => isBeyond(to, now.get(shard)))),
  };
}

/** Whether a sink stands further in a shard than it was known to. */
export function isFurther(now: ReadonlyMap<string, Resume>, known: ReadonlyMap<string, Resume>): boolean {
  return [...now].some(([shard, resume]) => isBeyond(resume, known.get(shard)));
}

/** What of an item lies behind where a sink stands. */
export function behind<T extends Item>(item: T, stands: Resume | undefined): T | undefined {
  if (stands === 'SHARD_END') return undefined;
  return stands && isPosition(stands) ? item.after(stands) : item;
}
