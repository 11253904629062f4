import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { endsWithUs } from '../../src/demo/ends-with-us.ts';

const sleeper = (): ChildProcess => spawn('sleep', ['60'], { stdio: 'ignore' });

it.each(['SIGKILL', 'SIGTERM'] as const)('a process ends with the one that began it, when that gets %s', async (signal) => {
  const program = `
    const { spawn } = await import('node:child_process');
    const { endsWithUs } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/demo/ends-with-us.ts'))});
    endsWithUs(spawn('sleep', ['60'], { stdio: ['ignore', 'inherit', 'ignore'] }));
    console.log('began');
    setInterval(() => {}, 1e6);`;
  const beginner = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  expect(String(await once(beginner.stdout, 'data'))).toBe('began\n');
  // Both have it, so it ends once both have.
  const ended = once(beginner.stdout, 'end');
  beginner.kill(signal);
  await ended;
});

it('is ended before, too, and by the signal that it is to get', async () => {
  const child = sleeper();
  endsWithUs(child, 'QUIT')();
  expect((await once(child, 'exit'))[1]).toBe('SIGQUIT');
});
