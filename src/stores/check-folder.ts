import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Sees that files can be made in a folder, or the folder itself where it is not there, and makes none.
 *
 * @returns whether it is there
 * @throws {Error} when they cannot
 */
export async function checkFolder(path: string): Promise<boolean> {
  const folder = resolve(path);
  for (let at = folder; ; at = dirname(at)) {
    const stats = await stat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && at !== dirname(at)) return undefined;
      throw error;
    });
    if (!stats) continue;
    if (!stats.isDirectory()) throw new Error(`expected a folder, got a file: ${at}`);
    await access(at, constants.W_OK | constants.X_OK).catch((cause: Error) => {
      throw new Error(`the folder ${at} may not be written to`, { cause });
    });
    return at === folder;
  }
}
