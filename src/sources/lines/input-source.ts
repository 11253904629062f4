import { join } from 'node:path';
import { defer, finalize } from 'rxjs';
import { counted } from '../../counted.ts';
import { checkFolder } from '../../stores/check-folder.ts';
import { refusePath } from '../../stores/refuse-path.ts';
import { settled } from '../shards/read-range.ts';
import { readShards } from '../shards/read-shards.ts';
import { type Source, readingDeliveries } from '../source.ts';
import type { InputOptions } from '../lines.ts';
import { placeOf } from './input-place.ts';
import type { Feed } from './line-feed.ts';
import { readInput } from './read-input.ts';
import { Spool, spooledBytes } from './spool.ts';

/** Reads the lines of a stream, which is one shard. */
export function fromInput({ input, name = 'stdin', spool: spools }: InputOptions, feed: Feed): Source<Uint8Array> {
  if (spools !== undefined) refusePath('lines', spools);
  const folderOf = (pipeline: string): string | undefined =>
    spools === undefined ? undefined : join(spools, encodeURIComponent(pipeline), encodeURIComponent(name));
  return {
    name: 'lines',
    describe: name,
    async check(pipeline) {
      const folder = folderOf(pipeline);
      if (folder === undefined) return `${name}, as it comes`;
      await checkFolder(folder);
      const sizeBytes = spooledBytes(folder);
      return `${name}, as it comes${sizeBytes > 0 ? `, behind up to ${counted(sizeBytes, 'byte')} that lie in ${folder}` : ''}`;
    },
    ...readingDeliveries((context) =>
      defer(() => {
        const folder = folderOf(context.pipeline);
        let opening: Promise<Spool> | undefined;
        /** What is not settled stays for the next run. */
        const close = async (): Promise<void> => {
          const spool = await opening;
          if (!spool) return;
          await spool.close();
          await context.ledger.whenSettled(name);
          const settled = context.ledger.checkpoint(name);
          if (settled) spool.forget(placeOf(settled));
        };
        return readShards(
          { ...context, end: (shard) => settled(context, shard) },
          {
            async list() {
              if (folder !== undefined) await (opening ??= openSpool(folder));
              return [{ id: name, parents: [] }];
            },
            readShard: async (reading) => ((await readInput(reading, input, feed, await opening)) ? [] : undefined),
          },
        ).pipe(finalize(() => void close().catch(() => {})));
      }),
    ),
  };
}

/** Before anything is taken over: a second run ends here, and leaves the one at work alone. */
async function openSpool(folder: string): Promise<Spool> {
  try {
    return await Spool.open(folder);
  } catch (cause) {
    throw new Error(`lines: ${(cause as Error).message}`, { cause });
  }
}
