import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ResourceNotFoundException,
} from '@aws-sdk/client-kinesis';
import { asyncScheduler } from 'rxjs';
import { z } from 'zod';
import { attend } from '../run/attend.ts';
import type { Command } from '../run/main.ts';
import { withSettings } from '../run/main.ts';
import { type SettingsShape, duration } from '../run/settings.ts';
import { pause } from '../sources/pause.ts';
import { kinesisClient } from '../sources/kinesis/client.ts';
import { startKinesisLocal } from './kinesis-local.ts';
import { sendTraffic } from './traffic.ts';

const STREAM = 'shop';
const DIRECTORY = './data/demo';
const SHARDS = 2;
/** It writes all it has each time, and answers nobody meanwhile; it also writes when it is stopped. */
const PERSIST_EVERY_MS = 600_000;

const settings = {
  RATE: z.coerce
    .number('expected records a second')
    .positive('expected more than 0')
    .max(2000, 'expected at most 2000')
    .prefault('100')
    .describe('records a second'),
  DIRECTORY: z.string().default(DIRECTORY).describe('where stream, database and archive are kept'),
  WINDOW: duration.prefault('1m').describe('how long a window is: 1m, 10s'),
} satisfies SettingsShape;

/**
 * Runs a pipeline on the traffic of a shop with no cloud account: starts a Kinesis API server, sends visitors, and stores what they do in an
 * embedded database and a folder. Started again, it goes on where it stopped.
 *
 * @param pipeline one that takes its stream, database and archive from KINESIS_STREAM, KINESIS_ENDPOINT, DATABASE_URL and ARCHIVE_URL
 */
export async function demo<S extends SettingsShape>(pipeline: Command<S>): Promise<void> {
  await withSettings(
    'Runs the warehouse pipeline on the traffic of a shop.',
    settings,
    async ({ DIRECTORY: directory, RATE, WINDOW }, options) => {
      await mkdir(directory, { recursive: true });
      const server = await startKinesisLocal({ directory: join(directory, 'kinesis'), persistEveryMs: PERSIST_EVERY_MS });
      const client = kinesisClient({ endpoint: server.endpoint });
      const over = new AbortController();
      try {
        await ensureStream(client);
        const database = join(directory, 'warehouse.duckdb');
        const declared = pipeline.pipeline({
          ...z.object(pipeline.settings).parse({
            KINESIS_STREAM: STREAM,
            KINESIS_ENDPOINT: server.endpoint,
            DATABASE_URL: `duckdb:${database}`,
            ARCHIVE_URL: `file:${join(directory, 'archive')}`,
            STATE_FILE: join(directory, 'warehouse.state'),
          }),
          WINDOW,
        });
        const traffic = sendTraffic({
          client,
          stream: STREAM,
          rate: RATE,
          stateFile: join(directory, 'next-record'),
          stop: over.signal,
        });
        const failed = new AbortController();
        traffic.catch((error: unknown) => failed.abort(`the traffic has ended: ${String(error)}`));
        process.stderr.write(`A shop of ${RATE} events a second, into ${directory}. Ctrl-C stores what was read, and ends.\n`);
        const counts = await attend(declared, { ...options, stop: failed.signal });
        over.abort();
        await traffic;
        if (!counts) process.exitCode = 1;
        else process.stdout.write(hints(directory, database));
      } finally {
        over.abort();
        client.destroy();
        await server.stop();
      }
    },
  );
}

async function ensureStream(client: KinesisClient): Promise<void> {
  const describe = new DescribeStreamSummaryCommand({ StreamName: STREAM });
  for (;;) {
    try {
      const { StreamDescriptionSummary } = await client.send(describe);
      if (StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return;
      await pause(asyncScheduler, 50, new AbortController().signal);
    } catch (error) {
      if (!(error instanceof ResourceNotFoundException)) throw error;
      await client.send(new CreateStreamCommand({ StreamName: STREAM, ShardCount: SHARDS }));
    }
  }
}

function hints(directory: string, database: string): string {
  const query = (sql: string): string => `  npm run -s query -- "${sql}"${directory === DIRECTORY ? '' : ` ${database}`}`;
  return [
    '',
    'What the visitors looked at most:',
    query(
      "select se_property, count(*) as views from snowplow_events where se_action = 'view' group by all order by 2 desc limit 5",
    ),
    'What was refused, and why:',
    query('select step, code, path, count(*) as events from millrace.rejects group by all'),
    'The same minutes in the archive:',
    `  find ${join(directory, 'archive')} -name '*.gz' | sort | tail -5`,
    '',
  ].join('\n');
}
