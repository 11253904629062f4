import { glob, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Compression } from '../../sinks/pack-lines.ts';

/** Each is kept by its name, in some 500 bytes. */
const MAX_FILES = 100_000;

const COMPRESSIONS: Readonly<Record<string, Compression>> = { gz: 'gzip', zst: 'zstd' };
const naturally = new Intl.Collator('en', { numeric: true });

/** A file of lines, as it was found. */
export interface TextFile {
  /** Relative where its pattern is: the name of its shard. */
  readonly path: string;
  readonly folder: string;
  readonly sizeBytes: number;
  /** When it was made, which stays as it is when it grows; when it was last written to where that was before, as of a copy, or where nobody knows. */
  readonly madeAtMs: number;
  /** When it was last written to. */
  readonly modifiedAtMs: number;
  /** By the end of its name; nothing when it is plain. */
  readonly compression: Compression | undefined;
}

/**
 * Finds the files that patterns match, in the order of their folders and names, in which numbers count as such: `good.9.log` comes before
 * `good.10.log`.
 *
 * @throws {Error} when a pattern matches no file, or they match too many
 */
export async function findFiles(patterns: readonly string[]): Promise<TextFile[]> {
  const found = new Map<string, TextFile>();
  for (const pattern of patterns) {
    let isMatched = false;
    for await (const path of glob(pattern)) {
      const file = found.get(path) ?? (await lookAt(path));
      if (!file) continue;
      isMatched = true;
      found.set(path, file);
      if (found.size > MAX_FILES)
        throw new RangeError(`lines: expected up to ${MAX_FILES} files, got more: read them by narrower patterns`);
    }
    if (!isMatched) throw new Error(`lines: expected files that match ${pattern}, got none`);
  }
  return [...found.values()].toSorted((a, b) => naturally.compare(a.folder, b.folder) || naturally.compare(a.path, b.path));
}

/** Nothing when it is a folder, or another thing that is no file. */
async function lookAt(path: string): Promise<TextFile | undefined> {
  const found = await stat(path);
  if (!found.isFile()) return undefined;
  const compression = COMPRESSIONS[/\.(\w+)$/.exec(path)?.[1] ?? ''];
  const modifiedAtMs = Math.floor(found.mtimeMs);
  // 0 where the file system does not know it.
  const madeAtMs = Math.min(Math.floor(found.birthtimeMs) || modifiedAtMs, modifiedAtMs);
  return { path, folder: dirname(path), sizeBytes: found.size, madeAtMs, modifiedAtMs, compression };
}
