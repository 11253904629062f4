import type { Window } from '../operators/window.ts';
import type { ObjectStore } from '../stores/object-store.ts';
import { checkStore } from './ask-store.ts';
import { firstItem } from './first-item.ts';
import { checkPrefix, objectKey } from './object-key.ts';
import { ObjectLog, stampOf } from './object-log.ts';
import { type Compression, packLines } from './pack-lines.ts';
import { standingsIn } from './position-document.ts';
import type { Sink } from './sink.ts';

const LINE = 'data that are bytes, or have them as bytes, as decode(enriched) gives it';

/** An event's data as the archive takes it: the bytes of a line, or what has them. */
export type Line = Uint8Array | { readonly bytes: Uint8Array };

export interface ArchiveOptions {
  /** The folder that the objects' keys begin with; of this sink alone. */
  readonly prefix: string;
  /** @default 'gzip' */
  readonly compression?: Compression;
  /**
   * 1 is fast, 9 (gzip) or 22 (zstd) is small. gzip's objects are a sixth smaller at 6, for two thirds more CPU time; zstd's are half as
   * large, for less than half of it.
   *
   * @default 3 for gzip, 1 for zstd
   */
  readonly level?: number;
  /** @default 'archive' */
  readonly name?: string;
}

const FORMATS = { gzip: { extension: 'tsv.gz', maxLevel: 9 }, zstd: { extension: 'tsv.zst', maxLevel: 22 } } as const;

/**
 * Stores each window as one compressed object of lines: the events' bytes as they came, a newline at the end of each.
 *
 *     snowplow/2026/11/22/0900-shardId-000000000000-4959…154.tsv.gz
 *
 * The key follows from the shard, the window's start (UTC) and its first position. Objects put one behind the other are a
 * valid stream: `cat *.gz | zcat`. An empty object may stand where a run died that another one, of a changed pipeline,
 * replaced. Holds one compressed object a shard, and a second one that is made while the first is put.
 *
 * @throws {TypeError} when the prefix is empty or not a path
 * @throws {RangeError} when the level is not one of the compression
 */
export function archive<T extends Line>(
  store: ObjectStore,
  { prefix, compression = 'gzip', level, name = 'archive' }: ArchiveOptions,
): Sink<Window<T>> {
  checkPrefix(name, prefix);
  const { extension, maxLevel } = FORMATS[compression];
  if (level !== undefined && !(Number.isInteger(level) && level >= 1 && level <= maxLevel))
    throw new RangeError(`${name}: expected a level of ${compression} from 1 to ${maxLevel}, got ${level}`);
  return {
    name,
    keepsNothing: true,
    describe: `${compression} objects of lines in ${store.describe}/${prefix}`,
    check: () => checkStore(store),
    stands: (pipeline) => standingsIn(store, { pipeline, sink: name }),
    async open({ pipeline, report }) {
      const check = firstItem(name, LINE, isLine);
      const open = await store.open({ report });
      const log = new ObjectLog(open, { pipeline, sink: name });
      return {
        acquire: (shard) => log.acquire(shard),
        positions: (shards) => log.positions(shards),
        commit: async ({ items, positions }, refused) => {
          refused.length = 0;
          check(items);
          return log.append(
            items.map((window) => ({
              key: objectKey(prefix, window.bounds.startMs, window.first, extension, open.maxNameBytes),
              holds: window,
              metadata: {
                start: new Date(window.bounds.startMs).toISOString(),
                end: new Date(window.bounds.endMs).toISOString(),
                part: String(window.bounds.part),
              },
              contentType: `application/${compression}`,
              pack: (epoch) => packLines(linesOf(window), { compression, level, stamp: stampOf(epoch) }),
            })),
            positions,
          );
        },
        close: () => log.close(),
      };
    },
  };
}

function isLine(data: unknown): boolean {
  return data instanceof Uint8Array || (data as { readonly bytes?: unknown } | null | undefined)?.bytes instanceof Uint8Array;
}

function* linesOf(window: Window<Line>): Iterable<Uint8Array> {
  for (const data of window.data()) yield data instanceof Uint8Array ? data : data.bytes;
}
