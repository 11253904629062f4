import { glob, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { countLines, linesFile } from './lines.ts';
import { measured, need } from './programs.ts';

/**
 * The old chain, `sed | sed | python3 | cronolog`, on a file of lines:
 *
 *     node bench/old-chain.ts [--events 500000] [--file path]
 *
 * Prints one line of JSON: events, bytes, seconds, the CPU seconds of all its processes, the peak memory of the largest, lines kept.
 */
const { values } = parseArgs({ options: { events: { type: 'string', default: '500000' }, file: { type: 'string' } } });

/** Repeats, broken labels and records that a log line cut in two are fewer than so many. */
const MAX_LOST = 0.05;

need('sed', 'python3', 'cronolog');
const events = Number(values.events);
const input = await linesFile(values.file, events);
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const took = await measured(['sh', join(import.meta.dirname, 'old', 'chain.sh'), input.path, folder]);
let kept = 0;
for await (const path of glob(join(folder, '*.tsv'))) kept += await countLines(path);
if (kept > events || kept < (1 - MAX_LOST) * events) throw new Error(`bench: of ${events} events the old chain kept ${kept}`);
process.stdout.write(`${JSON.stringify({ events, bytes: input.bytes, ...took, kept })}\n`);
await rm(folder, { recursive: true });
await input.remove();
