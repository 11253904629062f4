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
  enrichedAt,
  eventId,
  identityLog,
  label,
  lines,
  main,
  minuteWindow,
  objectStoreFrom,
  pipeline,
  pipelineName,
  rejectsIntoDatabase,
  stripCheckpoints,
  validate,
} from '../src/index.ts';
import { shopLabels } from './labels.ts';

export const capture = command({
  summary: 'Puts what the enricher prints, or printed into files, once into a database and an archive; ends with it.',
  settings: {
    FILES: z.string().optional().describe('logs/good.*.log, in the order of their names; otherwise standard input'),
    FILES_URL: archiveUrl.optional().describe('s3://bucket/prefix or file:./folder that has them; otherwise this machine'),
    ARCHIVE_URL: archiveUrl.default('file:./data/archive').describe('s3://bucket/prefix or file:./folder'),
    S3_ENDPOINT: endpoint.optional().describe('an S3 API server other than AWS'),
    AWS_REGION: z.string().optional().describe('the region of the bucket; otherwise as the AWS SDK finds it'),
    DATABASE_URL: databaseUrl.default('duckdb:./data/warehouse.duckdb').describe('postgres://… or duckdb:./file'),
    TABLE: z.string().default('snowplow_events').describe('the table of events, made when absent'),
    MISSING_BY: z
      .string()
      .optional()
      .describe('event_id: rows that the table has are left out, as where it has a part of the files; otherwise all are loaded'),
    NAME: pipelineName
      .default('capture')
      .describe('under which it keeps what is done: another one reads files anew, into an archive of its own'),
    STATE_FILE: z.string().optional().describe('the event ids of the last hour: a file or a URL, otherwise ./data/<name>.state'),
    SPOOL: z.string().default('./data/spool').describe('a folder for what came in on standard input, until it is stored'),
  },
  pipeline({ FILES: files, TABLE: table, NAME: name, MISSING_BY: missingBy, ...settings }) {
    const database = databaseFrom(settings.DATABASE_URL);
    const aws = { region: settings.AWS_REGION, endpoint: settings.S3_ENDPOINT };
    const archived = objectStoreFrom(settings.ARCHIVE_URL, aws);
    const store = settings.FILES_URL === undefined ? undefined : objectStoreFrom(settings.FILES_URL, aws);
    const state = identityLog(settings.STATE_FILE ?? `./data/${name}.state`);
    const isPiped = files === undefined && !store;
    const input = isPiped ? { input: process.stdin, spool: settings.SPOOL } : { files: files ?? '**', store, rotated: true };

    return pipeline(name)
      .from(lines({ ...input, of: 'text', arrivedAt: enrichedAt }))
      .pipe(
        stripCheckpoints({ of: 'text' }),
        decode(enriched),
        validate(label(shopLabels)),
        dedupe({ by: eventId, within: { hours: 1 }, state }),
        minuteWindow(),
      )
      .to(archive(archived, { prefix: 'snowplow' }), copyInto(database, { table, missingBy }))
      .rejects(rejectsIntoDatabase(database));
  },
});

if (import.meta.main) await main(capture);
