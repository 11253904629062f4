import { map } from 'rxjs';
import { z } from 'zod';
import {
  type Column,
  type Row,
  type Window,
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
} from '../../src/index.ts';

const click = z.object({ campaign: z.string(), at: z.iso.datetime() });

const columns: readonly Column[] = [
  { name: 'minute', type: { kind: 'timestamp' }, required: true },
  { name: 'campaign', type: { kind: 'text' }, required: true },
  { name: 'clicks', type: { kind: 'integer' }, required: true },
];

/** How many clicks of each campaign a window has, as rows. */
function countsOf(window: Window<z.infer<typeof click>>): Row[] {
  const counts = new Map<string, number>();
  for (const { campaign } of window.data()) counts.set(campaign, (counts.get(campaign) ?? 0) + 1);
  const minute = new Date(window.bounds.startMs).toISOString();
  return [...counts].map(([campaign, clicks]) => ({
    toRow: () => Buffer.from([minute, campaign.replaceAll('\t', ' '), clicks].join('\t')),
  }));
}

/** When a click happened, read without parsing all of it: windows go by when an event arrived, and of a file nothing else says that. */
function clickedAt(line: Uint8Array): Date | undefined {
  const [, at] = /"at":\s*"([^"]+)"/.exec(Buffer.from(line).toString()) ?? [];
  return at === undefined ? undefined : new Date(at);
}

export const counts = command({
  summary: 'Puts how many clicks each campaign had in each minute into a table.',
  settings: {
    FILES: z.string().default('clicks/*.jsonl.gz').describe('a click in each line, in the order of their times'),
    DATABASE_URL: databaseUrl.default('duckdb:./clicks.duckdb').describe('postgres://… or duckdb:./file'),
  },
  pipeline({ FILES: files, DATABASE_URL: url }) {
    const database = databaseFrom(url);
    return pipeline('counts')
      .from(lines({ files, arrivedAt: clickedAt }))
      .pipe(
        decode(json(click)),
        minuteWindow(),
        map((window) => window.with(countsOf)),
      )
      .to(copyInto(database, { table: 'clicks_by_minute', columns }))
      .rejects(rejectsIntoDatabase(database));
  },
});

if (import.meta.main) await main(counts);
