import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** `mill`: tells our files from other SQLite databases. */
const APPLICATION_ID = 0x6d696c6c;
const VERSION = 1;

/** Opens the file of an `identityLog`, for this process alone; makes it and its folders when it is absent. */
export function openIdentityFile(path: string): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) create(path);
  const database = new DatabaseSync(path);
  try {
    lock(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes the file whole or not at all, so that an empty one is always damage. */
function create(path: string): void {
  const draft = `${path}.${process.pid}.new`;
  rmSync(draft, { force: true });
  const database = new DatabaseSync(draft);
  database.exec(`
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${VERSION};
    CREATE TABLE block (id INTEGER PRIMARY KEY, count INTEGER, newest_ms REAL, checksum INTEGER, sights BLOB) STRICT;
    -- The first and the last block, so that none is missing unnoticed.
    CREATE TABLE span (first INTEGER, last INTEGER) STRICT;
    INSERT INTO span VALUES (1, 0);
  `);
  database.close();
  try {
    // Not a rename, which would take the place of a file that another run has made in the meantime.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function lock(database: DatabaseSync): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  const { application_id: id } = database.prepare('PRAGMA application_id').get()!;
  const { user_version: version } = database.prepare('PRAGMA user_version').get()!;
  if (id !== APPLICATION_ID) throw new Error('it is not a file of identityLog');
  if (version !== VERSION) throw new Error(`expected version ${VERSION}, got ${String(version)}`);
  // Every commit is on the disk, one write of the journal each. Taking the lock once keeps it until the file is closed.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE; COMMIT');
  // Reads the schema, so that what is wrong with it comes out here.
  database.prepare('SELECT id, count, newest_ms, checksum, sights, first, last FROM block, span');
}
