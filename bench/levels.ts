import { parseArgs } from 'node:util';
import { packLines } from '../src/sinks/pack-lines.ts';
import { here } from './here.ts';
import { lineReader } from './line-reader.ts';
import { linesFile } from './lines.ts';

/**
 * What the archive's objects cost at a compressor's level, and how large they are:
 *
 *     node bench/levels.ts [--compression gzip | zstd] [--level 3] [--events 100000] [--file path]
 *
 * Packs a file's lines as `archive` packs windows, 50,000 lines each. Prints one line of JSON: besides what other rows print, the packed bytes.
 */
const { values } = parseArgs({
  options: {
    compression: { type: 'string', default: 'gzip' },
    level: { type: 'string', default: '3' },
    events: { type: 'string', default: '100000' },
    file: { type: 'string' },
  },
});
const WINDOW_LINES = 50_000;
const compression = values.compression === 'zstd' ? 'zstd' : 'gzip';
const events = Number(values.events);
const input = await linesFile(values.file, events);
const next = lineReader(input.path);
const lines = Array.from({ length: input.lines }, () => next());

let packedBytes = 0;
const took = await here(async () => {
  for (let from = 0; from < lines.length; from += WINDOW_LINES) {
    const window = lines.slice(from, from + WINDOW_LINES);
    packedBytes += (await packLines(window, { compression, level: Number(values.level), stamp: 'bench' })).length;
  }
});
process.stdout.write(`${JSON.stringify({ events, bytes: input.bytes, ...took, packedBytes })}\n`);
await input.remove();
