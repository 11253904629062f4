import { randomUUID } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ifThere } from './if-there.ts';

const KEPT_MS = 24 * 60 * 60 * 1000;
/** Tells this process from an earlier one of the same id. */
const PROCESS = `${hostname()}~${process.pid}~${randomUUID().slice(0, 8)}`;

/** The folder of files that are being written: one has its name in the directory only once it is whole, and on the disk. */
export class Staging {
  readonly #folder: string;
  #written = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Writes a file, and flushes it. Says where it is, to be renamed or removed. */
  async write(body: Uint8Array): Promise<string> {
    const path = join(this.#folder, `${PROCESS}~${randomUUID().slice(0, 8)}~${this.#written++}`);
    const file = await open(path, 'wx');
    try {
      await file.writeFile(body);
      await file.sync();
    } catch (error) {
      // Of a disk that is full it would take the rest.
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return path;
  }

  /** Removes what killed processes were writing; of another machine's (a shared volume) only what is a day old. */
  async removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (name.startsWith(PROCESS)) continue;
      const [host, id] = name.split('~');
      const path = join(this.#folder, name);
      if (host === hostname()) {
        if (Number(id) !== process.pid && isAlive(Number(id))) continue;
      } else {
        const stats = await ifThere(() => stat(path));
        if (stats && Date.now() - stats.mtimeMs < KEPT_MS) continue;
      }
      await rm(path, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
