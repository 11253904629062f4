import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type AttendOptions, attendAll } from '../command/attend.ts';
import { causesOf } from '../command/causes.ts';
import { type Command, withSettings } from '../command/main.ts';
import { SettingsError, type SettingsShape, duration } from '../command/settings.ts';
import type { Pipeline } from '../pipeline.ts';
import { kinesisClient } from '../sources/kinesis/client.ts';
import { checkFolder } from '../stores/check-folder.ts';
import { claim } from './claim.ts';
import { beginAnew, hints } from './hints.ts';
import { startKinesisLocal } from './kinesis-local.ts';
import { openRealtimePlace } from './realtime-place.ts';
import { ensureStream } from './shop-stream.ts';
import { sendTraffic } from './traffic.ts';

const STREAM = 'shop';
const DIRECTORY = './data/demo';
/** A live page that nobody asked for is for this machine alone, at any port that is free. */
const LIVE_PAGE = { port: 0, host: '127.0.0.1' };
/** It writes all it has each time, and answers nobody meanwhile, for a minute in the end; it also writes when it is stopped. */
const PERSIST_EVERY_MS = 86_400_000;
/** After so long, who waits for the end is told what it waits for. */
const QUIET_MS = 2000;

const settings = {
  RATE: z.coerce
    .number('expected records a second')
    .positive('expected more than 0')
    .max(2000, 'expected at most 2000')
    .prefault('100')
    .describe('records a second'),
  DIRECTORY: z.string().default(DIRECTORY).describe('where stream, database, archive and Redis keep their data'),
  WINDOW: duration.prefault('1m').describe('how long a window is: 1m, 10s'),
} satisfies SettingsShape;

type Work = (read: z.infer<z.ZodObject<typeof settings>>, options: AttendOptions) => Promise<void>;

/**
 * Runs two pipelines on the traffic of a shop with no cloud account: starts a Kinesis API server and a Redis server, sends visitors, stores
 * what they do in an embedded database and a folder, and shows what the shop knows of one of them. Started again, it goes on where it stopped.
 *
 * @param warehouse takes its stream, database and archive from KINESIS_STREAM, KINESIS_ENDPOINT, DATABASE_URL and ARCHIVE_URL
 * @param realtime takes its stream and its store from KINESIS_STREAM, KINESIS_ENDPOINT and REDIS_URL
 */
export async function demo<W extends SettingsShape, R extends SettingsShape>(
  warehouse: Command<W>,
  realtime: Command<R>,
): Promise<void> {
  const summary = 'Runs the warehouse and the realtime pipeline on the traffic of a shop.';
  const open: Work = async ({ DIRECTORY: directory, RATE, WINDOW }, options) => {
    await checkFolder(directory).catch((cause: Error) => {
      throw new SettingsError(`DIRECTORY (--directory): ${cause.message}`, { cause });
    });
    await mkdir(directory, { recursive: true });
    const claimed = claim(directory);
    const redis = await openRealtimePlace(join(directory, 'redis'));
    const server = await startKinesisLocal({ directory: join(directory, 'kinesis'), persistEveryMs: PERSIST_EVERY_MS });
    const client = kinesisClient({ endpoint: server.endpoint });
    const over = new AbortController();
    try {
      await ensureStream(client, STREAM);
      const stream = { KINESIS_STREAM: STREAM, KINESIS_ENDPOINT: server.endpoint };
      const database = join(directory, 'warehouse.duckdb');
      const stores = { DATABASE_URL: `duckdb:${database}`, ARCHIVE_URL: `file:${join(directory, 'archive')}` };
      const pipelines = [
        declared(warehouse, { ...stream, ...stores, STATE_FILE: join(directory, 'warehouse.state') }, { WINDOW }),
      ];
      const state = join(directory, 'realtime.state');
      if (redis) pipelines.push(declared(realtime, { ...stream, REDIS_URL: redis.url, STATE_FILE: state }));

      const stateFile = join(directory, 'next-record');
      const sent = redis && (({ user }: { readonly user: string }) => redis.follower.saw(user));
      const traffic = sendTraffic({ client, stream: STREAM, rate: RATE, stateFile, stop: over.signal, ...(sent && { sent }) });
      const failed = new AbortController();
      traffic.catch((error: unknown) => failed.abort(`the traffic has ended: ${String(error)}`));
      if (options.log !== 'json')
        process.stderr.write(`A shop of ${RATE} events a second, into ${directory}. Ctrl-C stores what was read, and ends.\n`);
      const foot = (): readonly string[] => redis?.follower.lines() ?? [];
      const counts = await attendAll(pipelines, { metrics: LIVE_PAGE, ...options, foot, stop: failed.signal });
      over.abort();
      await traffic;
      if (counts.includes(undefined)) {
        process.exitCode = 1;
        process.stderr.write(beginAnew(directory));
      } else process.stdout.write(hints(directory, database, DIRECTORY));
    } finally {
      over.abort();
      client.destroy();
      const hint = 'The stream is written down for the next start; of many events that takes a minute.\n';
      const waiting = setTimeout(() => options.log !== 'json' && process.stderr.write(hint), QUIET_MS);
      await Promise.all([server.stop(), redis?.stop()]);
      clearTimeout(waiting);
      claimed.close();
    }
  };
  const work: Work = async (read, options) => {
    try {
      await open(read, options);
    } catch (error) {
      if (error instanceof SettingsError) throw error;
      process.stderr.write(`The shop has ended: ${causesOf(error)}\n${beginAnew(read.DIRECTORY)}`);
      // What it had started by then ends with it.
      process.exit(1);
    }
  };
  // It starts what a check would ask, and is two pipelines: each file of theirs draws and checks itself.
  await withSettings(summary, settings, work, ['check', 'positions', 'graph']);
}

/** A pipeline with these settings, as its file would read them; what is parsed already is taken as it is. */
function declared<S extends SettingsShape>(
  { settings: shape, pipeline }: Command<S>,
  environment: Readonly<Record<string, string>>,
  parsed: Readonly<Record<string, unknown>> = {},
): Pipeline {
  return pipeline({ ...z.object(shape).parse(environment), ...parsed } as z.infer<z.ZodObject<S>>);
}
