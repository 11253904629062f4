import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { endsWithUs } from '../../src/demo/ends-with-us.ts';

const root = join(import.meta.dirname, '..', '..');

/** A real run of a pipeline file in a process of its own. */
export interface Victim {
  /** What it said so far, on both its outputs. */
  readonly output: string;
  /** Tells whether it has ended, however. */
  readonly hasEnded: boolean;
  /** Resolves when its output has a text, or it has ended. */
  says(text: string): Promise<void>;
  /** Resolves when it has begun to read its shards, or has ended. */
  reading(): Promise<void>;
  /** Kills it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has ended by itself. */
  ended(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly output: string }>;
}

/** Starts `node <file>` with settings in its environment. */
export function startVictim(file: string, settings: Readonly<Record<string, string>>, flags: readonly string[] = []): Victim {
  const child = spawn(process.execPath, [file, ...flags], {
    cwd: root,
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endsWithUs(child, 'KILL');
  const closed = once(child, 'close');
  let output = '';
  let hasEnded = false;
  const waiting = new Map<() => void, string>();
  const tell = (): void => {
    for (const [resolve, text] of waiting) if ((hasEnded || output.includes(text)) && waiting.delete(resolve)) resolve();
  };
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      tell();
    });
  const end = (): void => {
    hasEnded = true;
    tell();
  };
  closed.then(end, end);
  const says = (text: string): Promise<void> =>
    new Promise((resolve) => {
      waiting.set(resolve, text);
      tell();
    });
  return {
    get output() {
      return output;
    },
    get hasEnded() {
      return hasEnded;
    },
    says,
    reading: () => says('reading on from'),
    async kill() {
      child.kill('SIGKILL');
      await closed;
      if (child.signalCode !== 'SIGKILL')
        throw new Error(`expected a run to kill, but it had ended with ${codeOf(child)}: ${output}`);
    },
    signal: (signal) => void child.kill(signal),
    async ended() {
      await closed;
      return { code: child.exitCode, signal: child.signalCode, output };
    },
  };
}

function codeOf({ exitCode, signalCode }: ChildProcess): string {
  return String(signalCode ?? exitCode);
}
