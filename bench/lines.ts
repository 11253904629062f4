import { closeSync, openSync, readSync } from 'node:fs';
import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordMaker } from './records.ts';

const BLOCK_BYTES = 1024 * 1024;
/** What V8's compilers need to be done with: some 30,000 lines. */
const WARM_UP_BYTES = 40 * BLOCK_BYTES;
/** Longer than any record. */
const SPARE_BYTES = 64 * 1024;
const NEWLINE = 10;

/** A file of what the enricher printed: records of a shop, with repeats, broken labels, and log lines between and inside them. */
export interface LinesFile {
  readonly path: string;
  readonly bytes: number;
  /** How many lines it has: a log line's newline makes two of one record. */
  readonly lines: number;
  /** Removes what was made for this row alone. */
  remove(): Promise<void>;
}

/** The file that `npm run bench` made for several rows, or one of this row's own. */
export async function linesFile(given: string | undefined, events: number): Promise<LinesFile> {
  if (given !== undefined) return { path: given, ...(await sizeOf(given)), remove: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const path = join(folder, 'lines');
  await writeLines(path, events);
  return { path, ...(await sizeOf(path)), remove: () => rm(folder, { recursive: true }) };
}

/** The first lines of a file, in one of their own: for a row to warm up with, as no program that runs for days is measured in its first second. */
export async function warmUpLines({ path }: LinesFile): Promise<LinesFile> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const head = join(folder, 'warm-up');
  const fd = openSync(path, 'r');
  const block = Buffer.allocUnsafe(WARM_UP_BYTES);
  const text = block.subarray(0, readSync(fd, block));
  closeSync(fd);
  await writeFile(head, text.subarray(0, text.lastIndexOf(NEWLINE) + 1));
  return { path: head, ...(await sizeOf(head)), remove: () => rm(folder, { recursive: true }) };
}

/** Writes so many records, a newline behind each; the same bytes for the same number. */
export async function writeLines(path: string, events: number): Promise<void> {
  const generate = recordMaker({ templates: 20_000, inPlace: true, printed: true });
  const file = await open(path, 'wx');
  const block = Buffer.allocUnsafe(BLOCK_BYTES + SPARE_BYTES);
  let length = 0;
  for (let i = 0; i < events; i++) {
    const record = generate(i);
    block.set(record, length);
    length += record.length;
    block[length++] = NEWLINE;
    if (length < BLOCK_BYTES) continue;
    await file.write(block, 0, length);
    length = 0;
  }
  await file.write(block, 0, length);
  await file.close();
}

async function sizeOf(path: string): Promise<{ readonly bytes: number; readonly lines: number }> {
  return { bytes: (await stat(path)).size, lines: countLines(path) };
}

/** Counts a file's newlines, in one buffer: garbage would be measured as well. */
export function countLines(path: string): number {
  const fd = openSync(path, 'r');
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let lines = 0;
  for (let read = readSync(fd, block); read > 0; read = readSync(fd, block)) {
    const text = block.subarray(0, read);
    for (let at = text.indexOf(NEWLINE); at !== -1; at = text.indexOf(NEWLINE, at + 1)) lines++;
  }
  closeSync(fd);
  return lines;
}
