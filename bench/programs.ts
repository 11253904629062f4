import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** What a command and all its processes took. */
export interface Took {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  /** What the server that it used spent. */
  readonly serverCpuSeconds?: number;
}

/** Ends the row when the machine lacks one of its programs: the table says so in its place. */
export function need(...programs: readonly string[]): void {
  const missing = programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
  if (missing.length === 0) return;
  process.stdout.write(`${JSON.stringify({ missing })}\n`);
  process.exit();
}

/** Finds the Python itself: a shim before it would be measured, too. */
export function pythonItself(): string {
  return spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).stdout.trim();
}

/**
 * Runs a command, measured by the operating system (getrusage, through Python).
 *
 * @throws {Error} when it fails
 */
export async function measured(command: readonly string[]): Promise<Took> {
  const python = pythonItself();
  const child = spawn(python, [join(import.meta.dirname, 'old', 'measured.py'), ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PYTHON: python },
  });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (code !== 0) throw new Error(`bench: ${command.slice(0, 2).join(' ')} ended with ${String(code)}`);
  return JSON.parse(printed) as Took;
}
