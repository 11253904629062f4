import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Pipeline } from '../pipeline.ts';

/**
 * Asks the stream and every store of a pipeline whether they answer, and the compiler whether the pipeline file is typed right.
 * Prints a line each. Nothing is read from the stream, nothing taken over, and nothing made or changed in any store.
 */
export async function checkAll(pipeline: Pipeline, file: string): Promise<boolean> {
  const sinks = [...pipeline.sinks, ...(pipeline.rejectsSink ? [pipeline.rejectsSink] : [])];
  const answers = [
    await check('settings', async () => 'as expected'),
    await check('types', async () => checkTypes(file)),
    await check('stream', () => pipeline.source.check(pipeline.name)),
  ];
  for (const sink of sinks) {
    const found = async (): Promise<string> => (await sink.check?.(pipeline.name)) ?? 'not checked, as the sink has no check';
    answers.push(await check(sink.name, async () => `${sink.describe}: ${await found()}`));
  }
  return answers.every(Boolean);
}

async function check(what: string, ask: () => Promise<string>): Promise<boolean> {
  try {
    process.stdout.write(`ok    ${what}: ${await ask()}\n`);
    return true;
  } catch (error) {
    process.stdout.write(`wrong ${what}: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}

function checkTypes(file: string): string {
  let compiler: string;
  try {
    compiler = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')));
  } catch {
    return 'not checked, as the package typescript is not installed';
  }
  const { status, stdout } = spawnSync(process.execPath, [compiler, '--noEmit', '--pretty', 'false'], { encoding: 'utf8' });
  const ours = stdout.split('\n').filter((line) => line.startsWith(file));
  if (ours.length > 0) throw new Error(ours.join('; '));
  if (status !== 0) throw new Error(stdout.trim().split('\n').slice(0, 5).join('; '));
  return `${file} fits together`;
}
