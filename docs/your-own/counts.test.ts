import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../src/index.ts';
import { queryDuckdb } from '../../test/support/duckdb.ts';
import { counts } from './counts.ts';

test('counts puts the clicks of each minute and campaign into the table, which add up also where a minute goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'own-counts-'));
  const [log, file] = [join(folder, 'clicks.jsonl'), join(folder, 'counts.duckdb')];
  const play = async (...clicks: [campaign: string, at: string][]): ReturnType<typeof run> => {
    const text = clicks.map(([campaign, at]) => `${JSON.stringify({ campaign, at: `2026-11-22T${at}Z` })}\n`).join('');
    await writeFile(log, text, { flag: 'a' });
    return run(counts.pipeline({ FILES: log, DATABASE_URL: `duckdb:${file}` }));
  };
  expect(
    await play(['spring', '09:00:01'], ['autumn', '09:00:20'], ['spring', '09:00:59'], ['spring', '09:01:00']),
  ).toMatchObject({
    stored: 4,
  });
  expect(await play(['spring', '09:01:10'], ['a\tb', '09:01:20'])).toMatchObject({ stored: 2 });
  const sums =
    'SELECT minute::text AS minute, campaign, sum(clicks)::int AS clicks FROM clicks_by_minute GROUP BY 1, 2 ORDER BY 1, 2';
  expect(await queryDuckdb(file, sums)).toEqual([
    { minute: '2026-11-22 09:00:00', campaign: 'autumn', clicks: 1 },
    { minute: '2026-11-22 09:00:00', campaign: 'spring', clicks: 2 },
    { minute: '2026-11-22 09:01:00', campaign: 'a b', clicks: 1 },
    { minute: '2026-11-22 09:01:00', campaign: 'spring', clicks: 2 },
  ]);
  await rm(folder, { recursive: true });
});
