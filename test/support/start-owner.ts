import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/**
 * Starts a process that owns a shard of a database and commits rows, see `database-owner.ts`. It ends with its test, also with one that fails.
 *
 * @param every of so many rows one is such that the database refuses it; 0 for none
 */
export function startOwner(url: string, rows: number, every: number): { child: ChildProcess; say: () => Promise<string> } {
  const program = fileURLToPath(new URL('database-owner.ts', import.meta.url));
  const child = spawn(process.execPath, [program, url, String(rows), String(every)], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const words = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, say: async () => (await words.next()).value as string };
}
