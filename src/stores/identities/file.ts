import { closeSync, constants, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { checkFolder } from '../check-folder.ts';

/** `mill`: tells our files from other SQLite databases. */
const APPLICATION_ID = 0x6d696c6c;
const VERSION = 2;

/** How long another run may hold the file: it does so only while it writes a block, unless it was stopped in the middle of that. */
const LOCK_WITHIN_MS = 5000;

/**
 * Opens the file of an `identityLog` and takes it over: whoever opened it before may write to it no more. Makes it and its folders when
 * it is absent. Says by which epoch the file knows its new owner.
 */
export function openIdentityFile(path: string): { readonly database: DatabaseSync; readonly epoch: number } {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) create(path);
  const database = new DatabaseSync(path, { timeout: LOCK_WITHIN_MS });
  try {
    return { database, epoch: takeOver(database) };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Where SQLite keeps the user's version and the application's id. https://www.sqlite.org/fileformat.html#the_database_header */
const [VERSION_AT, APPLICATION_ID_AT] = [60, 68];

/** A file that is sound, and none that this millrace keeps: of another program, or of another millrace. */
export class OtherFileError extends Error {}

/**
 * Sees whether a run could open the file, or make it, and says which. Opened by SQLite, it would be changed.
 *
 * @throws {Error} when it could not
 */
export async function checkIdentityFile(path: string): Promise<string> {
  // What is written first lies in a file beside it.
  await checkFolder(dirname(path));
  if (!existsSync(path)) return 'the file is not there: a run makes it';
  await access(path, constants.R_OK | constants.W_OK);
  const file = await open(path);
  try {
    const head = Buffer.alloc(APPLICATION_ID_AT + 4);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    if (bytesRead === 0) throw new Error('the file is empty: remove it, and a run makes it anew');
    refuseOther(head.readUInt32BE(APPLICATION_ID_AT), head.readUInt32BE(VERSION_AT));
  } finally {
    await file.close();
  }
  return 'the file is there';
}

/** Makes the file whole or not at all, so that an empty one is always damage. */
function create(path: string): void {
  const draft = `${path}.${process.pid}.new`;
  rmSync(draft, { force: true });
  const database = new DatabaseSync(draft);
  try {
    database.exec(`
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${VERSION};
      CREATE TABLE block (id INTEGER PRIMARY KEY, count INTEGER, newest_ms REAL, checksum INTEGER, sights BLOB) STRICT;
      -- The first and the last block, so that none is missing unnoticed.
      CREATE TABLE span (first INTEGER, last INTEGER) STRICT;
      INSERT INTO span VALUES (1, 0);
      CREATE TABLE owner (epoch INTEGER) STRICT;
      INSERT INTO owner VALUES (0);
    `);
    // Locks the file under both its names: nobody opens it while what is left of one that was removed lies beside it, to be taken for its own.
    database.exec('BEGIN EXCLUSIVE');
    // Not a rename, which would take the place of a file that another run has made in the meantime.
    linkSync(draft, path);
    for (const rest of ['-wal', '-shm']) rmSync(path + rest, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    database.close();
    rmSync(draft);
  }
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function takeOver(database: DatabaseSync): number {
  if (database.prepare('PRAGMA page_count').get()!['page_count'] === 0) throw new Error('it is empty');
  const { application_id: id } = database.prepare('PRAGMA application_id').get()!;
  const { user_version: version } = database.prepare('PRAGMA user_version').get()!;
  refuseOther(Number(id), Number(version));
  // Every commit is on the disk, one write of the journal each.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  // Reads the schema, so that what is wrong with it comes out here.
  database.prepare('SELECT id, count, newest_ms, checksum, sights, first, last FROM block, span');
  const owner = database.prepare('UPDATE owner SET epoch = epoch + 1 RETURNING epoch').all();
  if (owner.length !== 1) throw new Error('it does not say who owns it');
  return Number(owner[0]!['epoch']);
}

/** @throws {OtherFileError} */
function refuseOther(id: number, version: number): void {
  if (id !== APPLICATION_ID) throw new OtherFileError('it is not a file of identityLog: name another one');
  if (version !== VERSION)
    throw new OtherFileError(
      `it is of version ${version}, and this millrace keeps version ${VERSION}. Run the millrace that wrote it; or remove it, and repeats of what was seen so far pass`,
    );
}
