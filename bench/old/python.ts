import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a Python with redis-py and its parser in C is set up, once. */
const FOLDER = join(homedir(), '.cache', 'millrace', 'redis-py');

/**
 * Finds a Python that has redis-py with hiredis, its faster parser, or sets one up in a folder of its own.
 *
 * @throws {Error} when there is no Python 3, or pip finds no redis-py
 */
export function python(): string {
  const own = join(FOLDER, 'bin', 'python3');
  const found = ['python3', own].find((program) => spawnSync(program, ['-c', 'import redis, hiredis']).status === 0);
  if (found) return found;
  process.stderr.write(`bench: sets up redis-py in ${FOLDER}\n`);
  for (const [program, ...args] of [
    ...(existsSync(own) ? [] : [['python3', '-m', 'venv', FOLDER]]),
    [own, '-m', 'pip', 'install', '--quiet', 'redis[hiredis]'],
  ]) {
    const { status } = spawnSync(program!, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0)
      throw new Error(`bench: expected Python 3 with redis-py; ${program} ${args.join(' ')} ended with ${status}`);
  }
  return own;
}
