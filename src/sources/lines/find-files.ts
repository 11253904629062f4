import { createHash } from 'node:crypto';
import { type Stats, constants } from 'node:fs';
import { type FileHandle, access, glob, open, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { Compression } from '../../sinks/pack-lines.ts';
import { NEWLINE } from '../text/cut-lines.ts';
import { ownMemory } from '../text/own-memory.ts';
import { piecesOf, unpackedText } from './pieces.ts';
import {
  MARK_DIGITS,
  type OpenFile,
  PACKED_BYTES,
  type TextFile,
  compressionOf,
  inOrder,
  packedBy,
  packerOf,
} from './text-file.ts';

/** Each is kept by its name, in some 500 bytes. */
export const MAX_FILES = 100_000;
/** So much of a file's first line tells it from others. */
const HEAD_BYTES = 16 * 1024;
/** What makes a pattern of a name. */
const WILD = /[*?[{(]/;

/**
 * Finds the files of this machine that patterns match, in order. One that is found by several paths, as by a link that names the newest, is there
 * once; a link that leads nowhere, as when that was removed, is passed over.
 *
 * @throws {Error} when a pattern matches no file, a folder may not be looked through, or they match too many, or a text as it is and packed
 */
export async function findFiles(patterns: readonly string[]): Promise<TextFile[]> {
  /** By where they lead. */
  const paths = new Map<string, string>();
  for (const pattern of patterns) {
    let isMatched = false;
    let other: string | undefined;
    await checkFolders(pattern);
    for await (const path of glob(pattern)) {
      const real = await whereLeads(path);
      if (real === undefined) continue;
      const its = await stat(real);
      if (!its.isFile()) {
        other ??= its.isDirectory()
          ? `a folder: its files are ${join(path, '*')}`
          : `${path}, which is no file: read it as \`input\``;
        continue;
      }
      const known = paths.get(real);
      if (known === undefined || isNearer(path, known, real)) paths.set(real, path);
      isMatched = true;
      if (paths.size > MAX_FILES)
        throw new RangeError(`lines: expected up to ${MAX_FILES} files, got more: read them by narrower patterns`);
    }
    if (!isMatched) throw new Error(`lines: expected files that match ${pattern}, got ${other ?? 'none'}`);
  }
  // Only once all are known: of files that are one text, all that have another behind them are written to their end.
  const found = new Map<string, TextFile>();
  for (const path of paths.values()) {
    const file = await lookAt(path);
    const other = found.get(file.shard);
    if (other)
      throw new Error(`lines: expected ${path} or ${other.path}, got both: one is the other packed, as their first line tells`);
    found.set(file.shard, file);
  }
  return inOrder([...found.values()]);
}

/**
 * Sees that the folders may be looked through in which a pattern looks for files: to `glob` one that may not be has none.
 *
 * @throws {Error} with the folder
 */
async function checkFolders(pattern: string): Promise<void> {
  // What ends in `**` looks into all folders that it matches.
  const names = [...pattern.split(sep), ...(pattern.endsWith('**') ? ['*'] : [])];
  for (const [i, name] of names.entries()) {
    const above = names.slice(0, i).join(sep) || (pattern.startsWith(sep) ? sep : '.');
    const rights = WILD.test(name) ? constants.R_OK | constants.X_OK : constants.X_OK;
    for await (const entry of glob(above, { withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isDirectory() && !(entry.isSymbolicLink() && (await leadsToFolder(path)))) continue;
      await access(path, rights).catch((cause: Error) => {
        throw new Error(`lines: ${pattern}: expected a folder that may be looked through: ${cause.message}`, { cause });
      });
    }
  }
}

async function leadsToFolder(path: string): Promise<boolean> {
  const real = await whereLeads(path);
  return real !== undefined && (await stat(real)).isDirectory();
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
    const file = new LocalFile(handle);
    const compression = compressionOf(path) ?? (await recognised(file));
    const modifiedAtMs = Math.floor(found.mtimeMs);
    // 0 where the file system does not know it.
    const madeAtMs = Math.min(Math.floor(found.birthtimeMs) || modifiedAtMs, modifiedAtMs);
    const mark = await markOf(file, found.size, compression);
    const isSame = async (its: Stats, open: OpenFile): Promise<boolean> =>
      identityOf(its) === identityOf(found) &&
      // One that is emptied and written anew, as by logrotate's copytruncate, is the same but for what is in it.
      (compression !== undefined || (await markOf(open, found.size, compression)) === mark);
    const open = (): Promise<OpenFile> => reopened(path, isSame);
    return {
      path,
      // A text that was packed since is the same, of the same places.
      shard: `${compressionOf(path) ? path.slice(0, path.lastIndexOf('.')) : path}#${mark}`,
      folder: dirname(path),
      sizeBytes: found.size,
      madeAtMs,
      modifiedAtMs,
      compression,
      open,
    };
  } catch (cause) {
    throw new Error(`lines: ${path}: ${(cause as Error).message}`, { cause });
  } finally {
    await handle.close();
  }
}

/** Opens the file that was found, which may have been renamed since, or emptied, and another one begun in its place. */
async function reopened(path: string, isSame: (its: Stats, open: OpenFile) => Promise<boolean>): Promise<OpenFile> {
  const handle = await open(path);
  try {
    const file = new LocalFile(handle);
    if (await isSame(await handle.stat(), file)) return file;
    throw new Error(
      'expected the file that was found, got another one of this name: it was rotated meanwhile; run again to read it',
    );
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Tells a file from one that is there later under its name; it stays as it is when the file grows. */
function identityOf({ ino, birthtimeMs }: Stats): string {
  return `${ino}-${birthtimeMs}`;
}

class LocalFile implements OpenFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const memory = ownMemory(Buffer.allocUnsafeSlow(length));
    const { bytesRead } = await this.#handle.read(memory, 0, length, at);
    return memory.subarray(0, bytesRead);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function recognised(file: OpenFile): Promise<Compression | undefined> {
  const packer = packerOf(await file.read(0, PACKED_BYTES));
  if (packer === undefined || packer === 'gzip' || packer === 'zstd') return packer;
  throw packedBy(packer);
}

/**
 * Tells files apart by their first line, which stays as it is when they grow, also when that is all they have and its newline comes later: a log that is
 * begun anew under its old name is another file.
 */
async function markOf(file: OpenFile, sizeBytes: number, compression: Compression | undefined): Promise<string> {
  const hash = createHash('sha256');
  const text =
    compression === undefined
      ? piecesOf(file, 0, Math.min(sizeBytes, HEAD_BYTES), HEAD_BYTES)
      : unpackedText(file, compression, sizeBytes, HEAD_BYTES);
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
