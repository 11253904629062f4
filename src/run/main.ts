import { relative } from 'node:path';
import type { z } from 'zod';
import type { Pipeline } from '../pipeline.ts';
import { attend } from './attend.ts';
import { checkAll } from './check.ts';
import { graphOf } from './graph.ts';
import { SettingsError, type SettingsShape, helpOf, readSettings } from './settings.ts';

/** A pipeline with its settings: what a pipeline file declares. */
export interface Command<S extends SettingsShape> {
  /** What it does, in a sentence, for `--help`. */
  readonly summary: string;
  /** Each setting by its name in the environment, with the zod type that checks it. */
  readonly settings: S;
  readonly pipeline: (settings: z.infer<z.ZodObject<S>>) => Pipeline;
}

/** Declares a pipeline with its settings; nothing is read and nothing runs before `main`. */
export function command<const S extends SettingsShape>(declaration: Command<S>): Command<S> {
  return declaration;
}

/**
 * The command line of a pipeline file: reads and checks the settings, then runs the pipeline, or does what `--check`, `--graph` or
 * `--help` ask for. Ends the process with 0, with 1 when the run failed, with 2 when the settings are wrong.
 */
export async function main<S extends SettingsShape>({ summary, settings: shape, pipeline }: Command<S>): Promise<void> {
  const file = relative(process.cwd(), process.argv[1]!);
  try {
    const { settings, common } = readSettings(shape, process.argv.slice(2), process.env);
    if (common.help) process.stdout.write(helpOf(file, summary, shape));
    else if (common.graph) process.stdout.write(graphOf(pipeline(settings)));
    else if (common.check) process.exit((await checkAll(pipeline(settings), file)) ? 0 : 1);
    else {
      const counts = await attend(pipeline(settings), {
        ...(common.from && { start: common.from }),
        ...(common.for && { for: common.for }),
        ...(common['drain-within'] && { drainWithin: common['drain-within'] }),
        ...(common['max-in-flight'] && { maxInFlightBytes: common['max-in-flight'] * 2 ** 20 }),
      });
      // A store that hangs must not keep a run alive that has failed.
      if (!counts) process.exit(1);
    }
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${file}: ${error.message}\n`);
    process.exit(2);
  }
}
