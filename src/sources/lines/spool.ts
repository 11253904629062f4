import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLocked } from '../../stores/is-locked.ts';
import { type InputPlace, isBehind } from './input-place.ts';
import { type Frame, type FrameFacts, headOf, readFrames } from './spool-frame.ts';

/** A file that has so much is not added to, where another one may begin, and in no case beyond the second: what is settled goes file by file. */
const FILE_BYTES = 16 * 1024 * 1024;
const MOST_FILE_BYTES = 8 * FILE_BYTES;

/** `<when the run began to read>-<where in its text the file begins>.lines` */
const FILE_NAME = /^(\d+)-(\d+)\.lines$/;
const AT_DIGITS = 13;

const LOCK_TRIES = 100;
const LOCK_AGAIN_MS = 20;

/** A part of what one run read. */
interface SpoolFile {
  readonly path: string;
  readonly beganAtMs: number;
  readonly beginsAt: number;
  /** Where it ends in the text of the run. */
  end: number;
}

interface Writing {
  readonly file: SpoolFile;
  readonly handle: FileHandle;
}

/** Where lines lie in what came in. */
interface LinesPlace {
  readonly beganAtMs: number;
  /** Where they begin in the text of that run. */
  readonly beginsAt: number;
}

/** Lines that an earlier run read. */
interface SpooledLines extends Frame, LinesPlace {
  /** Whether they are the first of a file. */
  readonly beginsFile: boolean;
}

/**
 * What was read of a stream and may not be stored yet, in files of a folder, so that it can be read again when the process was killed. Lines are with the
 * operating system before anybody sees them; nothing waits for the disk, so a machine that loses its power may lose the last of them.
 *
 * One run at a time has it. What comes of a text depends on what came before, so each file is a text of its own, for the run that writes it and for whoever
 * reads it again: from the beginning of the first file of which not all is settled, the same comes of it.
 */
export class Spool {
  /** Up to where all that earlier runs read is settled, as far as they wrote it down. */
  readonly settled: InputPlace | undefined;
  /** How many bytes of lines lie behind that, and how many there are of a frame that was not written to its end. */
  readonly sizeBytes: number;
  readonly cutBytes: number;
  /** When the last run began to read, of which something is there. */
  readonly lastBeganAtMs: number;
  /** Its folder. */
  readonly where: string;
  readonly #lock: DatabaseSync;
  #files: readonly SpoolFile[];
  #writing: Writing | undefined;
  /** The last call of `write`. */
  #written: Promise<void> | undefined;
  #isClosed = false;

  /**
   * Opens a folder, and makes it when it is absent.
   *
   * @throws {Error} when another run has it, or it is damaged
   */
  static async open(folder: string): Promise<Spool> {
    mkdirSync(folder, { recursive: true });
    const lock = await takeLock(folder);
    try {
      return new Spool(folder, lock, await lookInto(folder));
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  private constructor(folder: string, lock: DatabaseSync, found: Found) {
    this.where = folder;
    this.#lock = lock;
    this.#files = found.files;
    this.settled = found.settled;
    this.sizeBytes = found.sizeBytes;
    this.cutBytes = found.cutBytes;
    this.lastBeganAtMs = found.files.at(-1)?.beganAtMs ?? 0;
  }

  /** What earlier runs read, the oldest first, but for files of which all is settled. Ask for it before anything is written. */
  async *earlier(): AsyncGenerator<SpooledLines, void> {
    for (const { path, beganAtMs, beginsAt } of this.#files.filter((file) => isBehind(file, this.settled))) {
      let at = beginsAt;
      for await (const frame of readFrames(path)) {
        const begins = at;
        // Before they go out: their memory may be given back then.
        at += frame.bytes.length;
        yield { ...frame, beganAtMs, beginsAt: begins, beginsFile: begins === beginsAt };
      }
    }
  }

  /** Writes lines down, which lie at this place in the text of the run; resolves once they outlive the process. One call after the other. */
  write(parts: readonly Uint8Array[], at: LinesPlace, facts: FrameFacts): Promise<void> {
    return (this.#written = this.#write(parts, at, facts));
  }

  async #write(parts: readonly Uint8Array[], at: LinesPlace, facts: FrameFacts): Promise<void> {
    // What came in the moment in which the run failed.
    if (this.#isClosed) return;
    const { file, handle } = (this.#writing ??= await this.#begin(at));
    const head = headOf(parts, facts);
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    file.end += size;
    const { bytesWritten } = await handle.writev([head, ...parts]);
    if (bytesWritten < head.length + size)
      throw new Error(`${file.path}: expected to write ${head.length + size} bytes, wrote ${bytesWritten}: the disk may be full`);
  }

  /**
   * Whether what is written next begins a file.
   *
   * @param mayBegin whether what came before cannot go on in it
   * @param settled up to where all is settled
   */
  async beginsFile(mayBegin: boolean, settled: InputPlace | undefined): Promise<boolean> {
    if (!this.#writing) return true;
    const { file, handle } = this.#writing;
    if (file.end - file.beginsAt < (mayBegin ? FILE_BYTES : MOST_FILE_BYTES)) return false;
    this.#writing = undefined;
    await handle.close();
    if (settled) this.forget(settled);
    return true;
  }

  /** Removes the files of which all is settled. */
  forget(settled: InputPlace): void {
    this.#files = this.#files.filter((file) => {
      if (isBehind(file, settled)) return true;
      rmSync(file.path, { force: true });
      return false;
    });
  }

  /** Lets go of the folder, once the last lines are written. What lies there stays, until `forget`. */
  async close(): Promise<void> {
    await this.#written?.catch(() => {});
    this.#isClosed = true;
    await this.#writing?.handle.close();
    this.#writing = undefined;
    this.#lock.close();
  }

  async #begin({ beganAtMs, beginsAt }: LinesPlace): Promise<Writing> {
    const path = join(this.where, `${beganAtMs}-${String(beginsAt).padStart(AT_DIGITS, '0')}.lines`);
    const file = { path, beganAtMs, beginsAt, end: beginsAt };
    const handle = await open(path, 'wx');
    this.#files = [...this.#files, file];
    return { file, handle };
  }
}

/** How many bytes lie in a spool, be it in use; none when it is not there. */
export function spooledBytes(folder: string): number {
  return existsSync(folder) ? filesIn(folder).reduce((sum, { path }) => sum + statSync(path).size, 0) : 0;
}

interface Found {
  readonly files: readonly SpoolFile[];
  readonly settled: InputPlace | undefined;
  readonly sizeBytes: number;
  readonly cutBytes: number;
}

/** Looks at all that is there: where its files end, and what the last of them says is settled. */
async function lookInto(folder: string): Promise<Found> {
  const files = filesIn(folder);
  const frames: { readonly place: InputPlace; readonly sizeBytes: number }[] = [];
  let settled: InputPlace | undefined;
  let cutBytes = 0;
  for (const [i, file] of files.entries()) {
    const read = readFrames(file.path);
    let next = await read.next();
    for (; !next.done; next = await read.next()) {
      const { length } = next.value.bytes;
      file.end += length;
      settled = next.value.settled ?? settled;
      frames.push({ place: { beganAtMs: file.beganAtMs, end: file.end }, sizeBytes: length });
    }
    cutBytes += next.value;
    const then = files[i + 1];
    if (then?.beganAtMs === file.beganAtMs && then.beginsAt !== file.end)
      throw new Error(
        `${file.path}: expected the text up to ${then.beginsAt}, where the next file begins, got it up to ${file.end}`,
      );
  }
  const behind = frames.filter(({ place }) => isBehind(place, settled));
  return { files, settled, sizeBytes: behind.reduce((sum, frame) => sum + frame.sizeBytes, 0), cutBytes };
}

/** In the order in which they were written; where each ends is not known yet. */
function filesIn(folder: string): SpoolFile[] {
  const files = readdirSync(folder).flatMap((name) => {
    const [, beganAtMs, beginsAt] = FILE_NAME.exec(name)?.map(Number) ?? [];
    return beganAtMs === undefined || beginsAt === undefined
      ? []
      : [{ path: join(folder, name), beganAtMs, beginsAt, end: beginsAt }];
  });
  return files.toSorted((a, b) => a.beganAtMs - b.beganAtMs || a.beginsAt - b.beginsAt);
}

/** A lock that goes with the process, however that ends. A run that is about to end is waited for. */
async function takeLock(folder: string): Promise<DatabaseSync> {
  for (let tries = 1; ; tries++) {
    let lock: DatabaseSync | undefined;
    try {
      lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
      lock.exec('BEGIN EXCLUSIVE');
      return lock;
    } catch (cause) {
      lock?.close();
      if (!isLocked(cause)) throw new Error(`${folder}: ${(cause as Error).message}`, { cause });
      if (tries === LOCK_TRIES)
        throw new Error(`another run is at work with ${folder}: stop it, or name another folder`, { cause });
      await sleep(LOCK_AGAIN_MS);
    }
  }
}
