import { z } from 'zod';
import {
  type Column,
  type Row,
  command,
  copyInto,
  databaseFrom,
  databaseUrl,
  decode,
  json,
  lines,
  main,
  minuteWindow,
  pipeline,
  rejectsIntoDatabase,
  transform,
} from '../../src/index.ts';

const click = z.object({
  id: z.string(),
  user: z.string().nullish(),
  page: z.string(),
  at: z.iso.datetime(), // with Z: a timestamp of a table is in UTC
  ms: z.number(),
});

const columns: readonly Column[] = [
  { name: 'id', type: { kind: 'varchar', length: 40 }, required: true },
  { name: 'user_id', type: { kind: 'text' }, required: false },
  { name: 'page', type: { kind: 'text' }, required: true },
  { name: 'clicked_at', type: { kind: 'timestamp' }, required: true },
  { name: 'ms', type: { kind: 'double' }, required: false },
];

/** A click as a row: its fields in the order of the columns, nothing for NULL, and no tab inside a field. */
function rowOf({ id, user, page, at, ms }: z.infer<typeof click>): Row {
  const fields = [id, user ?? '', page, at, String(ms)];
  return { toRow: () => Buffer.from(fields.map((field) => field.replaceAll('\t', ' ')).join('\t')) };
}

export const clicks = command({
  summary: 'Puts the clicks in files of JSON once into a table.',
  settings: {
    FILES: z.string().default('clicks/*.jsonl.gz').describe('a click in each line; plain files will do, too'),
    DATABASE_URL: databaseUrl.default('duckdb:./clicks.duckdb').describe('postgres://… or duckdb:./file'),
  },
  pipeline({ FILES: files, DATABASE_URL: url }) {
    const database = databaseFrom(url);
    return pipeline('clicks')
      .from(lines({ files }))
      .pipe(decode(json(click)), transform(rowOf), minuteWindow())
      .to(copyInto(database, { table: 'clicks', columns }))
      .rejects(rejectsIntoDatabase(database));
  },
});

if (import.meta.main) await main(clicks);
