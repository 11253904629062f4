import { createHash } from 'node:crypto';
import { dirname, matchesGlob } from 'node:path/posix';
import type { OpenObjectStore } from '../../stores/object-store.ts';
import { ownMemory } from '../text/own-memory.ts';
import { MAX_FILES } from './find-files.ts';
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

/** How many objects are asked for at a time: an answer takes a store in the net some 20 ms. */
const ASKED_AT_ONCE = 32;

/** Does something with a store, in a run again and again while that fails for a passing reason. */
export type Trying = <T>(act: () => Promise<T>) => Promise<T>;

export interface StoredFiles {
  readonly store: OpenObjectStore;
  /** As messages name it. */
  readonly where: string;
  readonly trying: Trying;
}

/**
 * Finds the objects of a store whose keys patterns match, in order.
 *
 * @throws {Error} when a pattern matches no object, or they match too many
 */
export async function findStored(patterns: readonly string[], from: StoredFiles): Promise<TextFile[]> {
  const keys = new Set<string>();
  for (const pattern of patterns) {
    const matching = await from.trying(() => keysLike(pattern, from.store));
    if (matching.length === 0) throw new Error(`lines: expected objects of ${from.where} that match ${pattern}, got none`);
    for (const key of matching) keys.add(key);
    if (keys.size > MAX_FILES)
      throw new RangeError(`lines: expected up to ${MAX_FILES} objects, got more: read them by narrower patterns`);
  }
  const all = [...keys];
  const found: TextFile[] = [];
  for (let i = 0; i < all.length; i += ASKED_AT_ONCE)
    found.push(...(await Promise.all(all.slice(i, i + ASKED_AT_ONCE).map((key) => lookAt(key, from)))));
  return inOrder(found);
}

async function keysLike(pattern: string, store: OpenObjectStore): Promise<string[]> {
  const keys: string[] = [];
  // What every match begins with; a key that ends in a slash is a folder that a browser of the store has made.
  const [literal] = /^[^*?[{\\!+@(]*/.exec(pattern)!;
  for await (const key of store.list(literal))
    if (!key.endsWith('/') && (key === pattern || matchesGlob(key, pattern))) keys.push(key);
  return keys;
}

async function lookAt(key: string, { store, where, trying }: StoredFiles): Promise<TextFile> {
  const head = await trying(() => store.head(key));
  if (!head) throw new Error(`lines: expected ${key} in ${where}, as it was listed, got nothing: it has been removed`);
  const { etag, sizeBytes, storedAtMs = Date.now() } = head;
  const compression = compressionOf(key);
  return {
    path: key,
    shard: `${key}#${createHash('sha256').update(etag).digest('hex').slice(0, MARK_DIGITS)}`,
    folder: dirname(key),
    sizeBytes,
    madeAtMs: storedAtMs,
    modifiedAtMs: storedAtMs,
    compression,
    async open() {
      const got = await trying(() => store.get(key));
      if (got?.etag !== etag)
        throw new Error(`expected the object that was found, got ${got ? 'another one of this key' : 'none'}: run again`);
      const packer = compression ? undefined : packerOf(got.body.subarray(0, PACKED_BYTES));
      if (packer !== undefined) throw unexpectedlyPacked(packer);
      return new StoredFile(got.body);
    },
  };
}

/** To look into each object before would take as long as to read it. */
function unexpectedlyPacked(packer: string): Error {
  const named = { gzip: '.gz', zstd: '.zst' }[packer];
  return named === undefined ? packedBy(packer) : new Error(`expected a key that ends in ${named}, as what ${packer} has packed`);
}

/** An object that has come, and is held as it came. */
class StoredFile implements OpenFile {
  readonly #body: Uint8Array;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const memory = ownMemory(Buffer.allocUnsafeSlow(Math.min(length, this.#body.length - at)));
    memory.set(this.#body.subarray(at, at + memory.length));
    return memory;
  }

  async close(): Promise<void> {}
}
