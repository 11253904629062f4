import { z } from 'zod';
import type { KinesisMode } from '../sources/kinesis.ts';
import { databaseFrom } from '../stores/database-url.ts';
import { objectStoreFrom } from '../stores/object-store-url.ts';
import { redis } from '../stores/redis.ts';
import { withoutSecrets } from './settings.ts';

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

function whatItThrows(make: () => unknown, url: string, context: { addIssue(issue: string): void }): void {
  try {
    make();
  } catch (error) {
    const message = (error as Error).message.replaceAll(url, withoutSecrets(url));
    context.addIssue(/, got /.test(message) ? message : `${message}, got ${JSON.stringify(withoutSecrets(url))}`);
  }
}
