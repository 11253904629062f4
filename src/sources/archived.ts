import { checkCounts } from '../check-counts.ts';
import { counted } from '../counted.ts';
import { checkPrefix } from '../sinks/object-key.ts';
import type { ObjectStore, OpenObjectStore } from '../stores/object-store.ts';
import { type FoundObject, findObjects } from './archived/find-objects.ts';
import { readObjects } from './archived/read-objects.ts';
import { readRange } from './shards/read-range.ts';
import { type Source, readingDeliveries } from './source.ts';
import { type TimeRange, checkRange, formatRange } from './time-range.ts';

/** How many shards are read at a time: each has a compressed object and two pieces of 1 MiB in memory, which nothing counts. */
const SHARDS_AT_ONCE = 8;

export interface ArchivedOptions extends TimeRange {
  /** The folder that the objects' keys begin with: that of the `archive` which wrote them. */
  readonly prefix: string;
  /** The window that is read first is the first to begin then or later: a whole minute. */
  readonly since: Date;
  /** No window is read that begins then or later: a whole minute. */
  readonly until: Date;
  /**
   * The most lines of one delivery.
   *
   * @default 1_000
   */
  readonly maxLines?: number;
}

/**
 * Reads again what `archive` wrote: the objects whose windows begin in [since, until), in UTC, line by line, then completes.
 *
 *     archived(store, { prefix: 'snowplow', since: new Date('2026-11-22T09:00Z'), until: new Date('2026-11-22T10:00Z') })
 *
 * A line is an event, without its newline, which arrived when its window began: `minuteWindow` makes the same minutes of them. Shards are
 * read side by side, eight at a time, each in the order of the stream. The range is a part of a shard's name, so what was read of one
 * range says nothing of another, nor of one that overlaps it. A shard has no end: what was archived since is read when the same range is
 * read once more.
 *
 * An object is looked through from end to end before the first of its lines is emitted. One that cannot be unpacked, has another number of
 * lines than its metadata say, or lies under a foreign key, is an error, as is a range without objects. One that lost its metadata is read
 * by what its key tells, and told of (`no-metadata`). Stores that fail for a passing reason are tried again (`source-retry`).
 * Holds the range's keys, some 250 bytes an object, and for each shard a compressed object and 2 MiB.
 *
 * @throws {TypeError} when the prefix is empty or not a path
 * @throws {RangeError} when since and until are no whole minutes, one after the other, or maxLines is below 1
 */
export function archived(store: ObjectStore, { prefix, since, until, maxLines = 1_000 }: ArchivedOptions): Source<Uint8Array> {
  checkPrefix('archived', prefix);
  const bounds = { since, until };
  checkRange('archived', bounds);
  checkCounts('archived', { maxLines });
  const range = formatRange(bounds);
  const where = `${prefix} in ${store.describe}`;
  const idOf = (shard: string): string => `${prefix} ${range} ${shard}`;

  /** @throws {Error} when there are none */
  async function find(open: OpenObjectStore, signal?: AbortSignal): Promise<ReadonlyMap<string, readonly FoundObject[]>> {
    const found = await findObjects(open, prefix, bounds, signal);
    if (found.size === 0) throw new Error(`archived: expected objects of ${where} in ${range}, got none`);
    return new Map([...found].map(([shard, objects]) => [idOf(shard), objects]));
  }

  return {
    name: 'archived',
    describe: `${where}, ${range}`,
    async check() {
      const open = await store.open({ report: () => {}, readOnly: true });
      try {
        const found = await find(open);
        return `${where}: ${counted(countOf(found), 'object')} in ${range}, of ${counted(found.size, 'shard')}`;
      } finally {
        await open.close();
      }
    },
    ...readingDeliveries((context) =>
      readRange(context, {
        open: () => store.open({ report: context.report, readOnly: true }),
        async find(open, signal) {
          const found = await find(open, signal);
          context.report({ type: 'archive-found', where, range, objects: countOf(found), shards: found.size });
          return found;
        },
        atOnce: SHARDS_AT_ONCE,
        read: (reading, open, objects) =>
          readObjects(reading, objects, { store: open, prefix, maxLines, untilMs: until.getTime() }),
      }),
    ),
  };
}

function countOf(found: ReadonlyMap<string, readonly FoundObject[]>): number {
  return [...found.values()].reduce((sum, { length }) => sum + length, 0);
}
