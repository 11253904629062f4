import { z } from 'zod';
import { pipeline } from '../pipeline.ts';
import type { KinesisMode } from '../sources/kinesis.ts';
import type { TimeRange } from '../sources/time-range.ts';
import { databaseFrom } from '../stores/database-url.ts';
import { objectStoreFrom } from '../stores/object-store-url.ts';
import { redis } from '../stores/redis.ts';
import { withoutSecrets } from './settings.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The name of a Kinesis stream. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html */
export const streamName = z
  .string()
  .regex(
    /^(arn:aws[a-z-]*:kinesis:[a-z0-9-]+:\d{12}:stream\/)?[\w.-]{1,128}$/,
    'expected a stream name of letters, digits, _, . and -, or its ARN, as of one of another account',
  );

/** How records come from a Kinesis stream. */
export const kinesisMode = z.enum(['polling', 'fan-out'], 'expected polling or fan-out') satisfies z.ZodType<KinesisMode>;

/** The address of an API server other than AWS's own. */
export const endpoint = z.url({ protocol: /^https?$/, error: 'expected an address such as http://127.0.0.1:4567' });

/** Where a database is: `postgres://…` or `duckdb:./file`. */
export const databaseUrl = z.string().superRefine((url, context) => whatItThrows(() => databaseFrom(url), url, context));

/** Where an archive is: `s3://bucket/prefix` or `file:./folder`. */
export const archiveUrl = z.string().superRefine((url, context) => whatItThrows(() => objectStoreFrom(url), url, context));

/** Where a Redis server is: `redis://host:6379/0`, or `rediss://…` for TLS. */
export const redisUrl = z.string().superRefine((url, context) => whatItThrows(() => redis(url), url, context));

/** Text to a pattern whose first group is what is looked for. */
export const pattern = z.string().transform((text, context): RegExp => {
  try {
    if (new RegExp(`${text}|`).exec('')!.length > 1) return new RegExp(text);
  } catch {}
  context.addIssue(`expected a regular expression with a group, got ${JSON.stringify(text)}`);
  return z.NEVER;
});

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

function whatItThrows(make: () => unknown, url: string, context: { addIssue(issue: string): void }): void {
  try {
    make();
  } catch (error) {
    const message = (error as Error).message.replaceAll(url, withoutSecrets(url));
    context.addIssue(/, got /.test(message) ? message : `${message}, got ${JSON.stringify(withoutSecrets(url))}`);
  }
}

/** When a day, an hour or a minute begins and ends, in milliseconds since 1970; nothing when the text names none. */
function spanOf(text: string): { startMs: number; endMs: number } | undefined {
  const [, day, hour, minute] = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d))?Z?)?$/.exec(text) ?? [];
  const written = `${day}T${hour ?? '00'}:${minute ?? '00'}:00.000Z`;
  const startMs = Date.parse(written);
  // The 30th of February is the 2nd of March to it.
  if (Number.isNaN(startMs) || new Date(startMs).toISOString() !== written) return undefined;
  return { startMs, endMs: startMs + (minute ? MINUTE_MS : hour ? HOUR_MS : DAY_MS) };
}
