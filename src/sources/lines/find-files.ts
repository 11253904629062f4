import { createHash } from 'node:crypto';
import { glob, open, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Compression } from '../../sinks/pack-lines.ts';
import { NEWLINE } from '../cut-lines.ts';
import { unpackedHead } from './text-of-file.ts';

/** Each is kept by its name, in some 500 bytes. */
const MAX_FILES = 100_000;

const COMPRESSIONS: Readonly<Record<string, Compression>> = { gz: 'gzip', zst: 'zstd' };
/** So much of a file's first line tells it from others, and so many hexadecimal digits are made of it. */
const HEAD_BYTES = 16 * 1024;
const MARK_DIGITS = 8;

const naturally = new Intl.Collator('en', { numeric: true });

/** A file of lines, as it was found. */
export interface TextFile {
  /** Relative where its pattern is. */
  readonly path: string;
  /** Its path, and what tells it from another file that had or will have that path: `logs/good.log#5f3a9c21`. */
  readonly shard: string;
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
 * `good.10.log`. One that is found by several paths, as by a link that names the newest, is there once.
 *
 * @throws {Error} when a pattern matches no file, or they match too many
 */
export async function findFiles(patterns: readonly string[]): Promise<TextFile[]> {
  const found = new Map<string, TextFile>();
  for (const pattern of patterns) {
    let isMatched = false;
    let folder: string | undefined;
    for await (const path of glob(pattern)) {
      const real = await realpath(path);
      if (!found.has(real) || resolve(path) === real) {
        const file = await lookAt(path);
        if (!file) {
          folder ??= path;
          continue;
        }
        found.set(real, file);
      }
      isMatched = true;
      if (found.size > MAX_FILES)
        throw new RangeError(`lines: expected up to ${MAX_FILES} files, got more: read them by narrower patterns`);
    }
    if (!isMatched)
      throw new Error(
        `lines: expected files that match ${pattern}, got ${folder === undefined ? 'none' : `a folder: its files are ${join(folder, '*')}`}`,
      );
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
  const shard = `${path}#${await markOf(path, compression)}`;
  return { path, shard, folder: dirname(path), sizeBytes: found.size, madeAtMs, modifiedAtMs, compression };
}

/**
 * Tells files apart by their first line, which stays as it is when they grow, also when that is all they have and its newline comes later: a log that is
 * begun anew under its old name is another file.
 */
async function markOf(path: string, compression: Compression | undefined): Promise<string> {
  const head = await headOf(path, compression);
  const end = head.indexOf(NEWLINE);
  return createHash('sha256')
    .update(end === -1 ? head : head.subarray(0, end))
    .digest('hex')
    .slice(0, MARK_DIGITS);
}

async function headOf(path: string, compression: Compression | undefined): Promise<Buffer> {
  if (compression !== undefined) return unpackedHead(path, compression, HEAD_BYTES);
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
