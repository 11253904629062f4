import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SettingsError } from '../command/settings.ts';
import { isLocked } from '../stores/is-locked.ts';

/**
 * Keeps a directory for this process, until it is closed or the process ends, however that ends: the servers of two shops would write over each
 * other's files.
 *
 * @throws {SettingsError} when another process has it
 * @throws {Error} when the file that is locked in it cannot be
 */
export function claim(directory: string): { close(): void } {
  const lock = new DatabaseSync(join(directory, 'in-use'), { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    if (!isLocked(cause)) throw cause;
    const message = `expected a directory of its own, and another shop is at work in ${directory}: end that one, or name another --directory`;
    throw new SettingsError(message, { cause });
  }
  return lock;
}
