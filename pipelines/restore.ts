import { z } from 'zod';
import {
  archiveUrl,
  archived,
  command,
  copyInto,
  databaseFrom,
  databaseUrl,
  decode,
  endpoint,
  enriched,
  main,
  minuteWindow,
  objectStoreFrom,
  pipeline,
  pipelineName,
  rejectsIntoDatabase,
  timeRange,
} from '../src/index.ts';

export const restore = command({
  summary: 'Loads an hour or a day of the archive into the database again, as far as it is missing there; then ends.',
  settings: {
    RANGE: timeRange.describe(
      'what to load, by when it arrived, in UTC: 2026-11-22, 2026-11-22T09, or 2026-11-22T09/2026-11-22T17',
    ),
    ARCHIVE_URL: archiveUrl.default('file:./data/archive').describe('s3://bucket/prefix or file:./folder'),
    S3_ENDPOINT: endpoint.optional().describe('an S3 API server other than AWS'),
    AWS_REGION: z.string().optional().describe('the region of the bucket; otherwise as the AWS SDK finds it'),
    DATABASE_URL: databaseUrl.default('duckdb:./data/warehouse.duckdb').describe('postgres://… or duckdb:./file'),
    TABLE: z.string().default('snowplow_events').describe('the table of events, made when absent'),
    NAME: pipelineName.default('restore').describe('under which it keeps what is done: another one loads a range anew'),
  },
  pipeline({ RANGE: range, TABLE: table, ...settings }) {
    const database = databaseFrom(settings.DATABASE_URL);
    const store = objectStoreFrom(settings.ARCHIVE_URL, { region: settings.AWS_REGION, endpoint: settings.S3_ENDPOINT });

    return pipeline(settings.NAME)
      .from(archived(store, { prefix: 'snowplow', ...range }))
      .pipe(decode(enriched), minuteWindow())
      .to(copyInto(database, { table, missingBy: 'event_id', name: table }))
      .rejects(rejectsIntoDatabase(database));
  },
});

if (import.meta.main) await main(restore);
