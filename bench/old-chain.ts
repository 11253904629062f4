import { glob, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { countLines, linesFile } from './lines.ts';
import { type Took, measured, need } from './programs.ts';
import { warehouseServer } from './warehouse-server.ts';

/**
 * The old chain on a file of lines: `sed | sed | python3 | cronolog`, with `--whole` also the merge, `psql \copy` and `gzip`, file after file:
 *
 *     node bench/old-chain.ts [--whole] [--events 500000] [--file path]
 *
 * Its Postgres is the one that npm brings, fsync on, with the table that millrace makes. Prints one line of JSON: events, bytes, seconds,
 * CPU seconds of all its processes and of the server, the peak memory of the largest process, events kept.
 */
const { values } = parseArgs({
  options: {
    whole: { type: 'boolean', default: false },
    events: { type: 'string', default: '500000' },
    file: { type: 'string' },
  },
});

/** Repeats, broken labels and records that a log line cut in two are fewer than so many. */
const MAX_LOST = 0.05;

need('sed', 'python3', 'cronolog', ...(values.whole ? ['psql', 'gzip'] : []));
const events = Number(values.events);
const input = await linesFile(values.file, events);
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const chain = ['sh', join(import.meta.dirname, 'old', 'chain.sh'), input.path, folder];
const { kept, ...took } = values.whole ? await whole() : await capture();
if (kept > events || kept < (1 - MAX_LOST) * events) throw new Error(`bench: of ${events} events the old chain kept ${kept}`);
process.stdout.write(`${JSON.stringify({ events, bytes: input.bytes, ...took, kept })}\n`);
await rm(folder, { recursive: true });
await input.remove();

async function capture(): Promise<Took & { readonly kept: number }> {
  const took = await measured(chain);
  let kept = 0;
  for await (const path of glob(join(folder, '*.tsv'))) kept += countLines(path);
  return { ...took, kept };
}

async function whole(): Promise<Took & { readonly kept: number }> {
  const server = await warehouseServer(events);
  const took = await server.measured(() => measured([...chain, server.url, server.table]));
  const kept = await server.count();
  await server.stop();
  return { ...took, kept };
}
