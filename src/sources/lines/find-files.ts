import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { type FileHandle, glob, open, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { Compression } from '../../sinks/pack-lines.ts';
import { NEWLINE } from '../cut-lines.ts';
import { piecesOf, unpackedText } from './pieces.ts';

/** Each is kept by its name, in some 500 bytes. */
const MAX_FILES = 100_000;

const COMPRESSIONS: Readonly<Record<string, Compression>> = { gz: 'gzip', zst: 'zstd' };
/** What begins so is no text, whatever its name. */
const PACKED: readonly (readonly [begins: string, by: string])[] = [
  ['\x1f\x8b', 'gzip'],
  ['\x28\xb5\x2f\xfd', 'zstd'],
  ['BZh', 'bzip2'],
  ['\xfd7zXZ\0', 'xz'],
  ['\x89LZO\0', 'lzop'],
  ['\x04\x22\x4d\x18', 'lz4'],
  ['PK\x03\x04', 'zip'],
];
const PACKED_BYTES = 6;
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
  /** As of `identityOf`. */
  readonly identity: string;
  /** So much of it is read, whatever is appended meanwhile. */
  readonly sizeBytes: number;
  /** When it was made, which stays as it is when it grows; when it was last written to where that was before, as of a copy, or where nobody knows. */
  readonly madeAtMs: number;
  /** When it was last written to. */
  readonly modifiedAtMs: number;
  /** By the end of its name, or by what it begins with; nothing when it is plain. */
  readonly compression: Compression | undefined;
}

/**
 * Finds the files that patterns match, in the order of their folders and names, in which numbers count as such: `good.9.log` comes before
 * `good.10.log`. One that is found by several paths, as by a link that names the newest, is there once; a link that leads
 * nowhere, as when that was removed, is passed over.
 *
 * @throws {Error} when a pattern matches no file, or they match too many
 */
export async function findFiles(patterns: readonly string[]): Promise<TextFile[]> {
  /** By where they lead. */
  const paths = new Map<string, string>();
  for (const pattern of patterns) {
    let isMatched = false;
    let folder: string | undefined;
    for await (const path of glob(pattern)) {
      const real = await whereLeads(path);
      if (real === undefined) continue;
      if (!(await stat(real)).isFile()) {
        folder ??= path;
        continue;
      }
      const known = paths.get(real);
      if (known === undefined || isNearer(path, known, real)) paths.set(real, path);
      isMatched = true;
      if (paths.size > MAX_FILES)
        throw new RangeError(`lines: expected up to ${MAX_FILES} files, got more: read them by narrower patterns`);
    }
    if (!isMatched) {
      const got = folder === undefined ? 'none' : `a folder: its files are ${join(folder, '*')}`;
      throw new Error(`lines: expected files that match ${pattern}, got ${got}`);
    }
  }
  // Only once all are known: of files that are one text, all that have another behind them are written to their end.
  const found: TextFile[] = [];
  for (const path of paths.values()) found.push(await lookAt(path));
  return found.toSorted((a, b) => naturally.compare(a.folder, b.folder) || naturally.compare(a.path, b.path));
}

/** Nothing when it leads nowhere. */
async function whereLeads(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether a path is to name a file rather than another that leads there, too: it ends in more names that are no links, or is the first by its letters. */
function isNearer(path: string, other: string, real: string): boolean {
  const [own, others] = [path, other].map((each) => namesInCommon(resolve(each), real)) as [number, number];
  return own > others || (own === others && path < other);
}

function namesInCommon(path: string, real: string): number {
  const [names, realNames] = [path, real].map((each) => each.split(sep).toReversed()) as [string[], string[]];
  const differs = names.findIndex((name, i) => name !== realNames[i]);
  return differs < 0 ? names.length : differs;
}

async function lookAt(path: string): Promise<TextFile> {
  const handle = await open(path);
  try {
    const found = await handle.stat();
    const compression = COMPRESSIONS[/\.(\w+)$/.exec(path)?.[1] ?? ''] ?? (await packedBy(handle));
    const modifiedAtMs = Math.floor(found.mtimeMs);
    // 0 where the file system does not know it.
    const madeAtMs = Math.min(Math.floor(found.birthtimeMs) || modifiedAtMs, modifiedAtMs);
    const shard = `${path}#${await markOf(handle, found.size, compression)}`;
    const identity = identityOf(found);
    return { path, shard, folder: dirname(path), identity, sizeBytes: found.size, madeAtMs, modifiedAtMs, compression };
  } catch (cause) {
    throw new Error(`lines: ${path}: ${(cause as Error).message}`, { cause });
  } finally {
    await handle.close();
  }
}

/** @throws {Error} when it was packed by what is not unpacked here: as text it would be one reject a line */
async function packedBy(handle: FileHandle): Promise<Compression | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(PACKED_BYTES), 0, PACKED_BYTES, 0);
  const head = buffer.toString('latin1', 0, bytesRead);
  const by = PACKED.find(([begins]) => head.startsWith(begins))?.[1];
  if (by === undefined || by === 'gzip' || by === 'zstd') return by;
  throw new Error(`expected lines, as they are or packed by gzip or zstd, got a file that ${by} has packed`);
}

/** Tells a file from one that is there later under its name; it stays as it is when the file grows. */
export function identityOf({ ino, birthtimeMs }: Stats): string {
  return `${ino}-${birthtimeMs}`;
}

/**
 * Tells files apart by their first line, which stays as it is when they grow, also when that is all they have and its newline comes later: a log that is
 * begun anew under its old name is another file.
 */
async function markOf(handle: FileHandle, sizeBytes: number, compression: Compression | undefined): Promise<string> {
  const hash = createHash('sha256');
  const text =
    compression === undefined
      ? piecesOf(handle, 0, Math.min(sizeBytes, HEAD_BYTES), HEAD_BYTES)
      : unpackedText(handle, compression, sizeBytes, HEAD_BYTES);
  let length = 0;
  for await (const piece of text) {
    const head = piece.subarray(0, HEAD_BYTES - length);
    const end = head.indexOf(NEWLINE);
    hash.update(end < 0 ? head : head.subarray(0, end));
    length += head.length;
    if (end >= 0 || length === HEAD_BYTES) break;
  }
  return hash.digest('hex').slice(0, MARK_DIGITS);
}
