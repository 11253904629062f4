import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';

/** Makes a folder for a test, in memory where there is one: stores force each write to the disk. */
export function scratch(name: string): Promise<string> {
  return mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), `millrace-${name}-`));
}
