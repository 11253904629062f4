import { z } from 'zod';
import { pipeline } from '../pipeline.ts';
import type { TimeRange } from '../sources/time-range.ts';
import { withoutSecrets } from './settings.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * Text to a stretch of time, in UTC: a day (`2026-11-22`), an hour (`2026-11-22T09`), a minute (`2026-11-22T09:30`), or from the beginning of one
 * of them up to that of another (`2026-11-22T09/2026-11-22T17` is eight hours).
 */
export const timeRange = z.string().transform((text, context): TimeRange => {
  const [from, to, ...more] = text.split('/').map(spanOf);
  const got = `got ${JSON.stringify(withoutSecrets(text))}`;
  if (from && more.length === 0 && (to || !text.includes('/'))) {
    const [since, until] = [from.startMs, to ? to.startMs : from.endMs];
    if (since < until) return { since: new Date(since), until: new Date(until) };
    context.addIssue(`expected a stretch that ends later than it begins, as 2026-11-22/2026-11-23 is a day, ${got}`);
  } else
    context.addIssue(
      `expected a day such as 2026-11-22, an hour such as 2026-11-22T09, or a stretch such as 2026-11-22T09/2026-11-22T17, ${got}`,
    );
  return z.NEVER;
});

/** The name of a pipeline. */
export const pipelineName = z.string().superRefine((name, context) => {
  try {
    pipeline(name);
  } catch (error) {
    context.addIssue((error as Error).message);
  }
});

/** When a day, an hour or a minute begins and ends, in milliseconds since 1970; nothing when the text names none. */
function spanOf(text: string): { startMs: number; endMs: number } | undefined {
  const [, day, hour, minute] = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d))?Z?)?$/.exec(text) ?? [];
  const written = `${day}T${hour ?? '00'}:${minute ?? '00'}:00.000Z`;
  const startMs = Date.parse(written);
  // The 30th of February is the 2nd of March to it.
  if (Number.isNaN(startMs) || new Date(startMs).toISOString() !== written) return undefined;
  return { startMs, endMs: startMs + (minute ? MINUTE_MS : hour ? HOUR_MS : DAY_MS) };
}
