import { messageOf } from '../errors.ts';
import { stepOf } from '../operators/named.ts';
import { type Pipeline, sinksOf } from '../pipeline.ts';
import { checkTypes } from './check-types.ts';

/**
 * Asks the source, what steps keep and every store of a pipeline whether they answer, and the compiler whether the pipeline file is typed right.
 * Prints a line each. Nothing is read from the stream, nothing taken over, and nothing made or changed in any store.
 */
export async function checkAll(pipeline: Pipeline, file: string): Promise<boolean> {
  const answers = [
    await check('settings', async () => 'as expected'),
    await check('types', async () => checkTypes(file)),
    await check('source', () => pipeline.source.check(pipeline.name)),
  ];
  for (const step of pipeline.operators.map(stepOf))
    if (step?.check) answers.push(await check(`${step.name}: ${step.owns}`, step.check));
  for (const sink of sinksOf(pipeline)) {
    const ask = async (): Promise<string> => (await sink.check?.(pipeline.name)) ?? 'not checked, as the sink has no check';
    answers.push(await check(`${sink.name}: ${sink.describe}`, ask));
  }
  return answers.every(Boolean);
}

async function check(what: string, ask: () => Promise<string>): Promise<boolean> {
  try {
    const answer = await ask();
    process.stdout.write(`${/\bnot checked\b/.test(answer) ? '?    ' : 'ok   '} ${what}: ${answer}\n`);
    return true;
  } catch (error) {
    process.stdout.write(`wrong ${what}: ${messageOf(error)}\n`);
    return false;
  }
}
