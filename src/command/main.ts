import { relative } from 'node:path';
import type { z } from 'zod';
import type { Pipeline } from '../pipeline.ts';
import { type AttendOptions, attend } from './attend.ts';
import { causesOf } from './causes.ts';
import { checkAll } from './check.ts';
import { graphOf } from './graph.ts';
import { LAST_WORDS_WITHIN_MS, leave } from './leave.ts';
import { printPositions } from './positions.ts';
import {
  type CommonSettings,
  type Question,
  SettingsError,
  type SettingsShape,
  helpOf,
  readSettings,
  takenName,
} from './settings.ts';
import { bearUnread } from './unread.ts';

/** A pipeline with its settings: what a pipeline file declares. */
export interface Command<S extends SettingsShape> {
  /** What it does, in a sentence, for `--help`. */
  readonly summary: string;
  /**
   * Each setting by its name in the environment, with the zod type that checks it. What comes is text: `z.coerce.number()` makes a number of it,
   * `z.stringbool()` a boolean.
   */
  readonly settings: S;
  readonly pipeline: (settings: z.infer<z.ZodObject<S>>) => Pipeline;
}

/**
 * The first Node with `import.meta.main`, by which a pipeline file knows that it is the one to run: under an older one it would do nothing, and end
 * with 0. https://nodejs.org/api/esm.html#importmetamain
 */
const OLDEST_NODE = '24.2.0';

/**
 * Declares a pipeline with its settings; nothing is read and nothing runs before `main`.
 *
 * @throws {TypeError} when a setting has the name of a flag that every pipeline file has: `FROM`, `LOG`
 * @throws {Error} when Node is older than 24.2
 */
export function command<const S extends SettingsShape>(declaration: Command<S>): Command<S> {
  const { node } = process.versions;
  if (node.localeCompare(OLDEST_NODE, 'en', { numeric: true }) < 0)
    throw new Error(`millrace: expected Node ${OLDEST_NODE} or newer, got ${node}`);
  const taken = takenName(declaration.settings);
  if (taken !== undefined)
    throw new TypeError(`command: expected settings with flags of their own, got ${taken}, whose flag every pipeline file has`);
  return declaration;
}

/**
 * The command line of a pipeline file: reads and checks the settings, then runs the pipeline, or does what `--check`, `--positions`, `--graph` or
 * `--help` ask for. Ends the process with 0, with 1 when the run failed, with 2 when the settings are wrong.
 */
export async function main<S extends SettingsShape>({ summary, settings: shape, pipeline }: Command<S>): Promise<void> {
  await withSettings(summary, shape, async (settings, options, { graph, check, positions }) => {
    const declared = declare(() => pipeline(settings));
    if (graph) process.stdout.write(graphOf(declared));
    else if (check) await leave((await checkAll(declared, fileOfProcess())) ? 0 : 1);
    else if (positions) await leave((await printPositions(declared)) ? 0 : 1);
    // A call that hangs must not keep a process alive that has nothing more to do.
    else await leave((await attend(declared, options)) ? 0 : 1, LAST_WORDS_WITHIN_MS);
  });
}

/**
 * Reads and checks settings, prints help, or says all that is wrong with them and ends the process with 2; otherwise does the work.
 *
 * @param without the flags that it does not know what to do with
 */
export async function withSettings<S extends SettingsShape>(
  summary: string,
  shape: S,
  work: (settings: z.infer<z.ZodObject<S>>, options: AttendOptions, common: CommonSettings) => Promise<void>,
  without: readonly Question[] = [],
): Promise<void> {
  bearUnread();
  try {
    const { settings, common } = readSettings(shape, process.argv.slice(2), process.env, without);
    if (common.help) process.stdout.write(helpOf(fileOfProcess(), summary, shape, without));
    else await work(settings, optionsOf(common), common);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${fileOfProcess()}: ${error.message}\n`);
    process.exit(2);
  }
}

/**
 * What a part of a pipeline does not take, it says when it is declared: with code that is right, a setting was wrong.
 *
 * @throws {SettingsError} with the line of the pipeline file
 */
function declare(make: () => Pipeline): Pipeline {
  try {
    return make();
  } catch (error) {
    throw new SettingsError(causesOf(error), { cause: error });
  }
}

function optionsOf(common: CommonSettings): AttendOptions {
  return {
    ...(common.from && { start: common.from }),
    ...(common.for && { for: common.for }),
    ...(common['accept-gap'] && { acceptGap: true }),
    ...(common['drain-within'] && { drainWithin: common['drain-within'] }),
    ...(common['stalled-after'] && { stalledAfter: common['stalled-after'] }),
    ...(common['metrics-port'] && { metrics: common['metrics-port'] }),
    ...(common.log && { log: common.log }),
    ...(common['max-in-flight'] && { maxInFlightBytes: common['max-in-flight'] * 2 ** 20 }),
  };
}

function fileOfProcess(): string {
  return relative(process.cwd(), process.argv[1]!);
}
