import type { Duration } from 'date-fns';
import type { Diagnostic } from '../diagnostic.ts';
import { durationMs } from '../duration.ts';
import type { Counts } from '../ledger.ts';
import { logLine } from '../observe/log.ts';
import { type Output, Screen } from '../observe/screen.ts';
import { Status } from '../observe/status.ts';
import type { Pipeline } from '../pipeline.ts';
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
  const { output = process.stderr, report } = options;
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
  const timer = options.for && setTimeout(() => stop.abort('the time is up'), durationMs(options.for));

  let screen: Screen | undefined;
  let status: Status | undefined;
  const tell = (diagnostic: Diagnostic): void => {
    status?.report(diagnostic);
    const message = logLine(diagnostic);
    if (message) screen?.print(message);
    report?.(diagnostic);
  };
  try {
    const running = startRun(pipeline, { ...options, stop: stop.signal, report: tell });
    status = new Status(() => running.ledger);
    const line = status.line.bind(status);
    screen = new Screen(output, () => line(Date.now()));
    const counts = await running.finished;
    screen.close();
    process.stdout.write(`${summaryOf(counts)}\n`);
    return counts;
  } catch (error) {
    screen?.close();
    output.write(`${pipeline.name} has ended: ${causesOf(error)}\n`);
    return undefined;
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onOuterStop);
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** An error and what caused it, outermost first. */
function causesOf(error: unknown): string {
  const causes: string[] = [];
  let cause = error;
  for (; cause instanceof Error && causes.length < 5; cause = cause.cause) causes.push(`${cause.name}: ${cause.message}`);
  if (cause !== undefined && !(cause instanceof Error)) causes.push(JSON.stringify(cause));
  return causes.join('\n  because of ');
}
