import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/** A real run of a pipeline file in a process of its own. */
export interface Victim {
  /** Resolves when it has begun to read its shards, or has ended. */
  reading(): Promise<void>;
  /** Kills it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has ended by itself. */
  ended(): Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Starts `node pipelines/<file>` with settings in its environment. */
export function startVictim(file: string, settings: Readonly<Record<string, string>>, flags: readonly string[] = []): Victim {
  const child = spawn(process.execPath, [join('pipelines', file), ...flags], {
    cwd: root,
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const orphan = (): void => void child.kill('SIGKILL');
  process.once('exit', orphan);
  const closed = once(child, 'close').finally(() => process.off('exit', orphan));
  let output = '';
  const reading = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('reading on from')) reading.resolve();
    });
  closed.then(() => reading.resolve(), reading.reject);
  return {
    reading: () => reading.promise,
    async kill() {
      child.kill('SIGKILL');
      await closed;
      if (child.signalCode !== 'SIGKILL')
        throw new Error(`expected a run to kill, but it had ended with ${codeOf(child)}: ${output}`);
    },
    signal: (signal) => void child.kill(signal),
    async ended() {
      await closed;
      return { code: child.exitCode, output };
    },
  };
}

function codeOf({ exitCode, signalCode }: ChildProcess): string {
  return String(signalCode ?? exitCode);
}
