import type { Duration } from 'date-fns';
import { asyncScheduler } from 'rxjs';
import { durationMs } from '../duration.ts';
import type { Counts } from '../ledger.ts';
import { jsonLog } from '../observe/log/json-log.ts';
import { type Entry, entryOf } from '../observe/log/log.ts';
import { type ListenAddress, type MetricsServer, startMetricsServer } from '../observe/metrics/metrics-server.ts';
import { RunRecord } from '../observe/run-record.ts';
import type { Output } from '../observe/log/screen.ts';
import { Status } from '../observe/log/status.ts';
import { textLog } from '../observe/log/text-log.ts';
import { stepOf } from '../operators/named.ts';
import type { Pipeline } from '../pipeline.ts';
import { type RunOptions, startRun } from '../run/run.ts';
import { steady } from '../steady.ts';
import { after } from './after.ts';
import { causesOf } from './causes.ts';
import { StartIgnored } from './start-ignored.ts';
import { summaryOf } from './summary.ts';
import { bearUnread } from './unread.ts';

export interface AttendOptions extends RunOptions {
  /** Stops the run after so long. */
  readonly for?: Duration;
  /** Where messages and the live line go. @default process.stderr */
  readonly output?: Output;
  /** Messages and a live line for a person, or one JSON object a line for a machine. @default 'text' */
  readonly log?: 'text' | 'json';
  /** Where to tell over HTTP how the run is: a live page, `/metrics` for Prometheus, `/health` and `/ready`. @default nowhere */
  readonly metrics?: ListenAddress;
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
  // One clock for the runs and for who asks how they are: one says when something was, the other how long ago that is.
  const system = options.scheduler ?? asyncScheduler;
  const scheduler = steady(system);
  const names = pipelines.map(({ name }) => name);
  const statuses = new Map<string, Status>();
  const log = (options.log === 'json' ? jsonLog : textLog)({ output, pipelines: names, statuses, foot });

  const records = pipelines.map((pipeline) => new RunRecord(pipeline));
  let server: MetricsServer | undefined;
  try {
    const clocks = [() => scheduler.now(), () => system.now()] as const;
    server = options.metrics && (await startMetricsServer(options.metrics, records, ...clocks));
  } catch (error) {
    log.close();
    const { message } = error as Error;
    log.say({ level: 'error', type: 'failed', message: `nothing was started: ${message}`, fields: { error } });
    return pipelines.map(() => undefined);
  }
  if (server) log.say(listening(server));

  bearUnread();
  const sayOnceMore = (message: string): void => log.say({ level: 'info', type: 'stopping', message });
  const { stop, clear } = stopOnSignals(options.stop, sayOnceMore);
  const callOff = options.for && after(durationMs(options.for), () => stop.abort('the time is up'));
  const ends = await Promise.allSettled(
    pipelines.map(async (pipeline, i) => {
      const { name } = pipeline;
      const record = records[i]!;
      const ignored = new StartIgnored((shards) => log.say(startIgnored(name, shards)));
      const running = startRun(pipeline, {
        ...options,
        scheduler,
        stop: stop.signal,
        report(diagnostic) {
          statuses.get(name)?.report(diagnostic);
          if (server) record.report(diagnostic);
          if (options.start) ignored.report(diagnostic);
          const entry = entryOf(name, diagnostic);
          if (entry) log.say(entry);
          if (entry && server) record.say(entry, scheduler.now());
          options.report?.(diagnostic);
        },
      });
      record.follow(() => running.ledger);
      statuses.set(name, new Status(() => running.ledger, { windowMs: windowMs(pipeline) }));
      try {
        const counts = await running.finished;
        record.end('ended');
        return counts;
      } catch (error) {
        record.end('failed');
        // The log has it in its last lines; until then others may store what they have for a while.
        record.say(failed(name, error), scheduler.now());
        stop.abort(`${name} has ended`);
        throw error;
      } finally {
        ignored.close();
      }
    }),
  );
  server?.close();
  log.close();
  callOff?.();
  clear();
  return ends.map((end, i) => {
    const pipeline = names[i]!;
    if (end.status === 'fulfilled')
      log.ended({ level: 'info', type: 'ended', pipeline, message: summaryOf(end.value), fields: end.value });
    else {
      log.failed(failed(pipeline, (end as { readonly reason: unknown }).reason));
    }
    return end.status === 'fulfilled' ? end.value : undefined;
  });
}

/**
 * A stop that the first signal aborts, or who called; a second signal ends the process. `clear` leaves signals alone again.
 *
 * @param say tells of the first signal where the stop had begun without it
 */
function stopOnSignals(
  outer: AbortSignal | undefined,
  say: (message: string) => void,
): { readonly stop: AbortController; readonly clear: () => void } {
  const stop = new AbortController();
  let isSignalled = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isSignalled) process.exit(INTERRUPTED);
    isSignalled = true;
    if (stop.signal.aborted) say(`stopping already (${signal}); once more ends at once`);
    stop.abort(`${signal}; once more ends at once`);
  };
  const onOuterStop = (): void => stop.abort(outer?.reason);
  if (outer?.aborted) onOuterStop();
  outer?.addEventListener('abort', onOuterStop, { once: true });
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    stop,
    clear() {
      outer?.removeEventListener('abort', onOuterStop);
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    },
  };
}

function failed(pipeline: string, error: unknown): Entry & { readonly pipeline: string } {
  const message = causesOf(error);
  // Whatever else was thrown could have circles, which are no JSON.
  return { level: 'error', type: 'failed', pipeline, message, fields: { error: error instanceof Error ? error : message } };
}

function listening({ url }: MetricsServer): Entry {
  return { level: 'info', type: 'listening', message: `live: ${url} (and /metrics, /health, /ready)`, fields: { url } };
}

function startIgnored(pipeline: string, shards: number): Entry {
  const who = shards === 1 ? 'one shard goes on where it stands' : `${shards} shards go on where they stand`;
  const message = `--from is for shards that no sink knows; ${who}`;
  return { level: 'warn', type: 'start-ignored', pipeline, message, fields: { shards } };
}

/** How long the first windows of a pipeline are. */
function windowMs({ operators }: Pipeline): number | undefined {
  return operators.map((operator) => stepOf(operator)?.windowMs).find((ms) => ms !== undefined);
}
