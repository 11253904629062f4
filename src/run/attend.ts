import { fileURLToPath } from 'node:url';
import type { Duration } from 'date-fns';
import { durationMs } from '../duration.ts';
import type { Counts } from '../ledger.ts';
import { logLine } from '../observe/log.ts';
import { type Output, Screen } from '../observe/screen.ts';
import { Status } from '../observe/status.ts';
import { isWindow } from '../operators/minute-window.ts';
import type { Pipeline } from '../pipeline.ts';
import { after } from './after.ts';
import { type RunOptions, startRun } from './run.ts';
import { summaryOf } from './summary.ts';

export interface AttendOptions extends RunOptions {
  /** Stops the run after so long. */
  readonly for?: Duration;
  /** Where messages and the live line go. @default process.stderr */
  readonly output?: Output;
}

/** The exit code of a process that a second signal ends at once, as shells have it: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

/**
 * Runs a pipeline under the eyes of a person: a live line, messages, and signals. The first SIGINT or SIGTERM stops the run and stores what
 * was read; a second one ends the process at once, and what was not stored is read again the next time.
 *
 * Resolves with the counts of a run that ended as it should; with nothing when it failed, and says why.
 */
export async function attend(pipeline: Pipeline, options: AttendOptions = {}): Promise<Counts | undefined> {
  const [counts] = await attendAll([pipeline], options);
  return counts;
}

export interface AttendAllOptions extends AttendOptions {
  /** Lines of one's own under those of the pipelines. */
  readonly foot?: () => readonly string[];
}

/** Like `attend`, for pipelines side by side in one process, each with its live line. When one of them fails, the others are stopped. */
export async function attendAll(
  pipelines: readonly Pipeline[],
  options: AttendAllOptions = {},
): Promise<readonly (Counts | undefined)[]> {
  const { output = process.stderr, foot = () => [] } = options;
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    stop.abort(`${signal}; once more ends at once`);
  };
  const outer = options.stop;
  const onOuterStop = (): void => stop.abort(outer?.reason);
  if (outer?.aborted) onOuterStop();
  outer?.addEventListener('abort', onOuterStop, { once: true });
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const callOff = options.for && after(durationMs(options.for), () => stop.abort('the time is up'));

  const width = Math.max(...pipelines.map(({ name }) => name.length));
  const nameOf = ({ name }: Pipeline, after: string): string => (pipelines.length > 1 ? `${name}${after}`.padEnd(width + 2) : '');
  const lines: (() => string)[] = [];
  const screen = new Screen(output, () => [...lines.map((line) => line()), ...foot()].join('\n'));
  const ends = await Promise.allSettled(
    pipelines.map(async (pipeline) => {
      let status: Status | undefined;
      const running = startRun(pipeline, {
        ...options,
        stop: stop.signal,
        report(diagnostic) {
          status?.report(diagnostic);
          const message = logLine(diagnostic);
          if (message) screen.print(nameOf(pipeline, ': ') + message);
          options.report?.(diagnostic);
        },
      });
      status = new Status(() => running.ledger, { hasWindows: pipeline.operators.some(isWindow) });
      const line = status.line.bind(status);
      lines.push(() => nameOf(pipeline, '') + line(Date.now()));
      try {
        return await running.finished;
      } catch (error) {
        stop.abort(`${pipeline.name} has ended`);
        throw error;
      }
    }),
  );
  screen.close();
  callOff?.();
  outer?.removeEventListener('abort', onOuterStop);
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  return ends.map((end, i) => {
    if (end.status === 'fulfilled') process.stdout.write(`${nameOf(pipelines[i]!, ': ')}${summaryOf(end.value)}\n`);
    else output.write(`${pipelines[i]!.name} has ended: ${causesOf(end.reason)}\n`);
    return end.status === 'fulfilled' ? end.value : undefined;
  });
}

/** An error and what caused it, outermost first; one whose words the error around it has said already is passed over. */
function causesOf(error: unknown): string {
  const causes: string[] = [];
  let cause = error;
  for (let said = '', depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const place = cause.cause === undefined ? placeOf(cause) : '';
    if (depth > 0 && said.includes(cause.message)) causes.push(causes.pop() + place);
    else causes.push(`${cause.name}: ${cause.message}${place}`);
    said = cause.message;
  }
  if (cause !== undefined && !(cause instanceof Error)) causes.push(JSON.stringify(cause));
  return causes.join('\n  because of ');
}

/** The folder that all of ours is in. */
const OURS = fileURLToPath(new URL('..', import.meta.url));

/** Where in a user's own files an error was made; nothing when it was elsewhere. */
function placeOf({ stack = '' }: Error): string {
  const places = stack.match(/^ +at .*:\d+:\d+\)?$/gm) ?? [];
  const own = places.find((place) => !place.includes(OURS) && !/node:|[\\/]node_modules[\\/]/.test(place));
  return own ? `\n    ${own.trimStart()}` : '';
}
