import { inspect } from 'node:util';
import { formatResume } from '../../position.ts';
import type { Entry, Log, LogOptions } from './log.ts';
import { PRINT_MS } from './screen.ts';

/** A log for machines: one JSON object a line, and how each run stands every ten seconds. */
export function jsonLog({ output, statuses }: LogOptions): Log {
  const say = (entry: Entry): void => void output.write(`${jsonLine(entry, Date.now())}\n`);
  const timer = setInterval(() => {
    const nowMs = Date.now();
    for (const [pipeline, status] of statuses)
      say({ level: 'info', type: 'status', pipeline, message: status.line(nowMs), fields: status.numbers(nowMs) });
  }, PRINT_MS);
  return { say, ended: say, failed: say, close: () => clearInterval(timer) };
}

/** What is said as JSON without a newline. Errors have their name, message, code and cause; places to resume are text, as stores keep them. */
export function jsonLine({ level, type, pipeline, message, fields }: Entry, nowMs: number): string {
  return JSON.stringify({ time: new Date(nowMs).toISOString(), level, pipeline, type, message, ...fields }, plain);
}

function plain(this: Record<string, unknown>, key: string, value: unknown): unknown {
  // Not `value`: of a date, JSON.stringify has made a text by now.
  if (key === 'resume') return formatResume(this[key] as Parameters<typeof formatResume>[0]);
  return value instanceof Error ? plainError(value, MOST_CAUSES) : value;
}

const MOST_CAUSES = 5;

/** Whatever else an error may hold could have circles. */
function plainError(error: Error, causes: number): object {
  const { name, message, cause } = error;
  const { code } = error as { readonly code?: unknown };
  return {
    name,
    message,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(cause !== undefined && causes > 0 && { cause: cause instanceof Error ? plainError(cause, causes - 1) : inspect(cause) }),
  };
}
