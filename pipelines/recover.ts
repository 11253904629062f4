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
  endpoint,
  enriched,
  eventId,
  identityLog,
  label,
  main,
  minuteWindow,
  objectStoreFrom,
  pipeline,
  pipelineName,
  rejected,
  rejectsIntoDatabase,
  stripCheckpoints,
  timeRange,
  validate,
} from '../src/index.ts';
import { shopLabels } from './labels.ts';

export const recover = command({
  summary: 'Takes what was rejected in an hour or a day through the steps again, once what was wrong is mended; then ends.',
  settings: {
    RANGE: timeRange.describe('when it arrived, in UTC: 2026-11-22, 2026-11-22T09, or 2026-11-22T09/2026-11-22T17'),
    REJECTED_BY: pipelineName.default('warehouse').describe('the pipeline whose rejects these are'),
    STEP: z.string().optional().describe('only what this step or sink rejected: validate'),
    CODE: z.string().optional().describe('only what was rejected with this code: invalid_json'),
    DATABASE_URL: databaseUrl.default('duckdb:./data/warehouse.duckdb').describe('postgres://… or duckdb:./file'),
    ARCHIVE_URL: archiveUrl.default('file:./data/archive').describe('s3://bucket/prefix or file:./folder'),
    S3_ENDPOINT: endpoint.optional().describe('an S3 API server other than AWS'),
    AWS_REGION: z.string().optional().describe('the region of the bucket; otherwise as the AWS SDK finds it'),
    TABLE: z.string().default('snowplow_events').describe('the table of events, made when absent'),
    NAME: pipelineName.default('recover').describe('under which it keeps what is done: another one reads a range anew'),
    STATE_FOLDER: z
      .string()
      .default('./data')
      .describe('where the event ids of the last hour are kept, in a file for each range'),
  },
  pipeline({ RANGE: range, REJECTED_BY: of, STEP: step, CODE: code, TABLE: table, NAME: name, ...settings }) {
    const database = databaseFrom(settings.DATABASE_URL);
    const store = objectStoreFrom(settings.ARCHIVE_URL, { region: settings.AWS_REGION, endpoint: settings.S3_ENDPOINT });
    // What another range has seen, and was killed before it was stored, would be a repeat here, and in no store: each has a memory of its own.
    const asked = [name, of, range.since.toJSON(), range.until.toJSON(), step && `step ${step}`, code && `code ${code}`];
    const state = identityLog(`${settings.STATE_FOLDER}/${encodeURIComponent(asked.filter(Boolean).join(' '))}.state`);

    return pipeline(name)
      .from(rejected(database, { of, ...range, step, code }))
      .pipe(
        stripCheckpoints(),
        decode(enriched),
        validate(label(shopLabels)),
        dedupe({ by: eventId, within: { hours: 1 }, state }),
        minuteWindow(),
      )
      .to(archive(store, { prefix: 'snowplow' }), copyInto(database, { table, missingBy: 'event_id' }))
      .rejects(rejectsIntoDatabase(database));
  },
});

if (import.meta.main) await main(recover);
