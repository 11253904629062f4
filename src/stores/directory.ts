import { randomUUID } from 'node:crypto';
import {
  type BigIntStats,
  type Stats,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs';
import { mkdir, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { checkFolder } from './check-folder.ts';
import { DirectoryCatalog, type Version } from './directory/catalog.ts';
import { ifThere } from './directory/if-there.ts';
import { Staging } from './directory/staging.ts';
import { refusePath } from './refuse-path.ts';
import {
  type ObjectHead,
  type ObjectStore,
  type OpenObjectStore,
  type PutOptions,
  PreconditionFailedError,
} from './object-store.ts';

/** Where the store keeps what is its own: the catalog, and files that are being written. */
const OWN_FOLDER = '.millrace';
/** How long after its rename a file is described for sure, by who lives. */
const COMMITTED_MS = 1000;
const LOOK_AGAIN_MS = 10;
const MAX_FOLDERS_REMEMBERED = 10_000;
/** Of the file systems that are in use. https://en.wikipedia.org/wiki/Comparison_of_file_systems#Limits */
const MAX_NAME_BYTES = 255;

/**
 * Keeps objects as files of a folder, on one machine: a key is a path.
 *
 * A put writes beside the tree, flushes, and renames inside a critical section that all processes share, so a put is whole or
 * absent, its condition holds when it takes place, and it survives a loss of power once it resolved. Files that people put
 * there count as objects, also behind links that lead out of it; a file they change becomes another version.
 *
 * @throws {TypeError} when the path begins with `~/`, or has quotes or blanks around it
 */
export function directory(path: string): ObjectStore {
  refusePath('directory', path);
  const describe = `file:${path}`;
  return {
    describe,
    async check() {
      return (await checkFolder(path)) ? 'the folder is there' : 'the folder is not there: a run makes it';
    },
    async open({ readOnly = false }) {
      const root = resolve(path);
      if (readOnly && !(await ifThere(() => stat(root)))?.isDirectory())
        throw new Error(`directory: expected a folder at ${path}, got none`);
      const [staged, catalog] = ['staged', 'catalog.db'].map((name) => join(root, OWN_FOLDER, name)) as [string, string];
      const staging = new Staging(staged);
      if (readOnly) return new Directory(describe, root, staging, await DirectoryCatalog.openToRead(catalog));
      const made = await mkdir(staged, { recursive: true });
      // The names of the root, and of what it lies in, are to survive a loss of power as what is put there does.
      if (made !== undefined) for (let at = staged; at !== dirname(made); at = dirname(at)) syncFolder(dirname(at));
      await staging.removeAbandoned();
      return new Directory(describe, root, staging, await DirectoryCatalog.open(catalog));
    },
  };
}

class Directory implements OpenObjectStore {
  readonly maxNameBytes = MAX_NAME_BYTES;
  readonly #where: string;
  readonly #root: string;
  readonly #staging: Staging;
  readonly #catalog: DirectoryCatalog;
  /** Folders whose names are known to be on the disk. */
  readonly #durable = new Set<string>();

  constructor(where: string, root: string, staging: Staging, catalog: DirectoryCatalog) {
    this.#where = where;
    this.#root = root;
    this.#staging = staging;
    this.#catalog = catalog;
  }

  async head(key: string): Promise<ObjectHead | undefined> {
    const path = this.#path(key);
    const stats = await ifThere(() => stat(path, { bigint: true }));
    if (!stats?.isFile()) return undefined;
    const version = await this.#look(key, stats);
    return version ? headOf(version, stats) : this.#catalog.exclusively(() => this.#current(key, path));
  }

  async get(key: string): Promise<(ObjectHead & { readonly body: Uint8Array }) | undefined> {
    const path = this.#path(key);
    const file = await ifThere(() => open(path));
    if (!file) return undefined;
    try {
      const stats = await file.stat({ bigint: true });
      if (!stats.isFile()) return undefined;
      const body = await file.readFile();
      const version = await this.#look(key, stats);
      if (version) return { ...headOf(version, stats), sizeBytes: body.length, body };
    } finally {
      await file.close();
    }
    // Either somebody is between rename and commit, or nobody described this file: only inside is it one or the other.
    return this.#catalog.exclusively(() => {
      const head = this.#current(key, path);
      return head && { ...head, body: readFileSync(path) };
    });
  }

  async put(key: string, body: Uint8Array, { metadata = {}, condition }: PutOptions = {}): Promise<string> {
    const path = this.#path(key);
    const staged = await this.#staging.write(body);
    try {
      await this.#makeFolder(dirname(path));
      return await this.#catalog.exclusively(() => {
        if (condition) {
          const etag = this.#current(key, path)?.etag;
          if (condition === 'absent' ? etag !== undefined : etag !== condition.etag)
            throw new PreconditionFailedError(this.#where, key);
        }
        const etag = randomUUID();
        // A rename changes neither size nor time of writing. The row comes first: what can fail should, before the rename.
        this.#catalog.record(key, fingerprint(statSync(staged, { bigint: true })), { etag, metadata });
        renameSync(staged, path);
        syncFolder(dirname(path));
        return etag;
      });
    } catch (error) {
      await rm(staged, { force: true });
      throw error;
    }
  }

  async *list(prefix: string): AsyncIterable<string> {
    yield* this.#walk(prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix);
  }

  async close(): Promise<void> {
    this.#catalog.close();
  }

  async *#walk(folder: string, prefix: string): AsyncIterable<string> {
    const entries = (await ifThere(() => readdir(join(this.#root, folder), { withFileTypes: true }))) ?? [];
    const keys: Buffer[] = [];
    for (const entry of entries) {
      const key = `${folder}${entry.name}`;
      if (key === OWN_FOLDER || !(key.startsWith(prefix) || prefix.startsWith(`${key}/`))) continue;
      const found = entry.isSymbolicLink() ? await this.#behindLink(key) : entry;
      if (found?.isFile() || found?.isDirectory()) keys.push(Buffer.from(found.isFile() ? key : `${key}/`));
    }
    // By the bytes of whole keys: `a-b` comes before `a/b`, although `a` comes before `a-b`.
    keys.sort((a, b) => Buffer.compare(a, b));
    for (const key of keys.map(String)) {
      if (key.endsWith('/')) yield* this.#walk(key, prefix);
      else if (key.startsWith(prefix)) yield key;
    }
  }

  /**
   * What a link leads to out of the folders that it lies in, be they behind a link themselves. What it leads to inside has a key of its own there,
   * and would be two objects; what has such a folder in it would be endless.
   *
   * @throws {Error} when it leads nowhere: what lies on a disk that is not there may not be passed over
   */
  async #behindLink(key: string): Promise<Stats | undefined> {
    const above = key.split('/').map((_, depth, parts) => join(this.#root, ...parts.slice(0, depth)));
    const [real, ...folders] = await Promise.all([join(this.#root, key), ...above].map((path) => ifThere(() => realpath(path))));
    if (real === undefined) throw new Error(`${this.#where}: expected a file or a folder behind the link ${key}, got none`);
    const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(join(folder, sep));
    const isInside = folders.some((folder) => folder !== undefined && (isWithin(real, folder) || isWithin(folder, real)));
    return isInside ? undefined : stat(real);
  }

  #path(key: string): string {
    const parts = key.split('/');
    if (parts[0] === OWN_FOLDER || parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
      throw new TypeError(`directory: expected a key like 2026/11/22/0900.gz, got ${JSON.stringify(key)}`);
    return join(this.#root, ...parts);
  }

  /** Who may not write cannot wait inside the critical section until somebody is done who is between rename and commit, and looks again. */
  async #look(key: string, stats: BigIntStats): Promise<Version | undefined> {
    const isFresh = Math.abs(Date.now() - Number(stats.ctimeMs)) < COMMITTED_MS;
    for (let waitedMs = 0; ; waitedMs += LOOK_AGAIN_MS) {
      const version = await this.#catalog.look(key, fingerprint(stats));
      if (version || this.#catalog.mayWrite || !isFresh || waitedMs >= COMMITTED_MS) return version;
      await setTimeout(LOOK_AGAIN_MS);
    }
  }

  /** What lies at a path now; right only inside the critical section. */
  #current(key: string, path: string): ObjectHead | undefined {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (!stats?.isFile()) return undefined;
    const print = fingerprint(stats);
    const version: Version = this.#catalog.find(key, print) ?? { etag: `file-${print}`, metadata: {} };
    return headOf(version, stats);
  }

  /** Makes a folder such that its name survives a loss of power, whoever made it. */
  async #makeFolder(folder: string): Promise<void> {
    if (this.#durable.has(folder)) return;
    await mkdir(folder, { recursive: true });
    for (let at = folder; at !== this.#root; at = dirname(at)) syncFolder(dirname(at));
    if (this.#durable.size >= MAX_FOLDERS_REMEMBERED) this.#durable.clear();
    this.#durable.add(folder);
  }
}

function headOf(version: Version, { size, mtimeMs }: BigIntStats): ObjectHead {
  return { ...version, sizeBytes: Number(size), storedAtMs: Number(mtimeMs) };
}

/** Tells one writing of a file from another, and stays the same when a folder is copied with its times. */
function fingerprint({ size, mtimeNs }: BigIntStats): string {
  return `${size}-${mtimeNs}`;
}

function syncFolder(path: string): void {
  const folder = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
