import { z } from 'zod';
import {
  archive,
  archiveUrl,
  command,
  copyInto,
  databaseFrom,
  databaseUrl,
  decode,
  dedupe,
  duration,
  endpoint,
  enriched,
  eventId,
  identityLog,
  kinesis,
  kinesisMode,
  label,
  main,
  minuteWindow,
  objectStoreFrom,
  pipeline,
  rejectsIntoDatabase,
  streamName,
  stripCheckpoints,
  validate,
} from '../src/index.ts';
import { shopLabels } from './labels.ts';

export const warehouse = command({
  summary: 'Puts every event of the stream once into a database and an archive, minute by minute.',
  settings: {
    KINESIS_STREAM: streamName.describe('the stream of enriched events'),
    KINESIS_ENDPOINT: endpoint.optional().describe('a Kinesis API server other than AWS'),
    KINESIS_MODE: kinesisMode.default('polling').describe('polling, or fan-out: 2 MB/s a shard for itself, at a price'),
    AWS_REGION: z.string().optional().describe('the region of stream and bucket; otherwise as the AWS SDK finds it'),
    DATABASE_URL: databaseUrl.default('duckdb:./data/warehouse.duckdb').describe('postgres://… or duckdb:./file'),
    ARCHIVE_URL: archiveUrl.default('file:./data/archive').describe('s3://bucket/prefix or file:./folder'),
    S3_ENDPOINT: endpoint.optional().describe('an S3 API server other than AWS'),
    TABLE: z.string().default('snowplow_events').describe('the table of events, made when absent'),
    WINDOW: duration.prefault('1m').describe('how long a window is: 1m, 10s'),
    STATE_FILE: z.string().default('./data/warehouse.state').describe('the event ids of the last hour: a file or a server’s URL'),
  },
  pipeline(settings) {
    const { KINESIS_STREAM: stream, KINESIS_MODE: mode, AWS_REGION: region } = settings;
    const database = databaseFrom(settings.DATABASE_URL);
    const store = objectStoreFrom(settings.ARCHIVE_URL, { region, endpoint: settings.S3_ENDPOINT });

    return pipeline('warehouse')
      .from(kinesis({ stream, mode, region, endpoint: settings.KINESIS_ENDPOINT }))
      .pipe(
        stripCheckpoints(),
        decode(enriched),
        validate(label(shopLabels)),
        dedupe({ by: eventId, within: { hours: 1 }, state: identityLog(settings.STATE_FILE) }),
        minuteWindow({ every: settings.WINDOW }),
      )
      .to(archive(store, { prefix: 'snowplow' }), copyInto(database, { table: settings.TABLE }))
      .rejects(rejectsIntoDatabase(database));
  },
});

if (import.meta.main) await main(warehouse);
