import { defer, finalize } from 'rxjs';
import { counted } from '../../counted.ts';
import type { Report } from '../../diagnostic.ts';
import { patiently } from '../waiting/patiently.ts';
import { settled } from '../shards/read-range.ts';
import { readShards } from '../shards/read-shards.ts';
import { type Source, type SourceContext, readingDeliveries } from '../source.ts';
import type { FilesOptions } from '../lines.ts';
import { findFiles } from './find-files.ts';
import { type Trying, findStored } from './find-stored.ts';
import type { Feed } from './line-feed.ts';
import { type Place, readFile } from './read-file.ts';
import type { TextFile } from './text-file.ts';

/** How many files are read at a time: each has two pieces of 512 KiB in memory, or an object as it came, which nothing counts. */
const FILES_AT_ONCE = 4;

/** Reads the lines of files, each a shard. */
export function fromFiles({ files, store, rotated = false }: FilesOptions, feed: Feed): Source<Uint8Array> {
  const patterns = typeof files === 'string' ? [files] : files;
  // What comes from JavaScript, or an environment, may be nothing.
  if (!patterns?.length || !patterns.every(Boolean)) throw new TypeError('lines: expected the paths of files, got none');
  const describe = patterns.join(', ') + (store ? ` in ${store.describe}` : '');
  /** Finds the files, and says how to let go of where they are. */
  const find = async (report: Report, trying: Trying): Promise<Found & { readonly close: () => Promise<void> }> => {
    if (!store) return { ...placesOf(await findFiles(patterns), rotated), close: async () => {} };
    const open = await trying(() => store.open({ report, readOnly: true }));
    try {
      const found = await findStored(patterns, { store: open, where: store.describe, trying });
      return { ...placesOf(found, rotated), close: () => open.close() };
    } catch (error) {
      await open.close();
      throw error;
    }
  };

  return {
    name: 'lines',
    describe,
    async check() {
      const { found, sizeBytes, close } = await find(
        () => {},
        (act) => act(),
      );
      await close();
      return `${describe}: ${counted(found.size, 'file')} of ${counted(sizeBytes, 'byte')}`;
    },
    ...readingDeliveries((context) =>
      defer(() => {
        let finding: ReturnType<typeof find> | undefined;
        const begin = async (signal: AbortSignal): ReturnType<typeof find> => {
          const all = await find(context.report, tryingAgain(context, signal));
          context.report({ type: 'files-found', where: describe, files: all.found.size, sizeBytes: all.sizeBytes });
          return all;
        };
        const end = async (shard: string): Promise<void> => {
          const { file, place } = (await finding)!.found.get(shard)!;
          const isWhole = (file.compression !== undefined || store !== undefined) && !place;
          await (isWhole ? context.end(shard) : settled(context, shard));
        };
        const close = async (): Promise<void> => (await finding?.catch(() => undefined))?.close();
        return readShards(
          { ...context, end },
          {
            async list(signal) {
              finding ??= begin(signal);
              const { found } = await finding;
              return [...found.keys()].map((id) => ({ id, parents: [] }));
            },
            areAllKnown: true,
            atOnce: FILES_AT_ONCE,
            async readShard(reading) {
              const { found, untilMs } = await finding!;
              return (await readFile(reading, { ...found.get(reading.shard.id)!, untilMs, ...feed })) ? [] : undefined;
            },
          },
        ).pipe(finalize(() => void close().catch(() => {})));
      }),
    ),
  };
}

interface Found {
  /** By shard, in their order. */
  readonly found: ReadonlyMap<string, { readonly file: TextFile; readonly place: Place | undefined }>;
  readonly sizeBytes: number;
  /** When one of them was last written to. */
  readonly untilMs: number;
}

function placesOf(files: readonly TextFile[], rotated: boolean): Found {
  const folders = Map.groupBy(files, ({ folder }) => folder);
  const found = new Map<string, { file: TextFile; place: Place | undefined }>();
  for (const all of folders.values())
    for (const [index, file] of all.entries())
      found.set(file.shard, { file, place: rotated ? { files: all, index } : undefined });
  const sum = files.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
  return { found, sizeBytes: sum, untilMs: files.reduce((ms, { modifiedAtMs }) => Math.max(ms, modifiedAtMs), 0) };
}

/** Fails for good, or when the signal ends the run. */
function tryingAgain(context: SourceContext, signal: AbortSignal): Trying {
  return async (act) => {
    const done = await patiently(context, 'all files', signal, async () => ({ value: await act() }));
    if (!done) throw signal.reason as Error;
    return done.value;
  };
}
