import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { run } from '../../src/index.ts';
import { queryDuckdb } from '../../test/support/duckdb.ts';
import { clicks } from './clicks.ts';

const home = { id: '1', user: 'jane', page: '/', at: '2026-11-22T09:00:00Z', ms: 12.5 };

test('clicks puts each click once into the table, and what is none among the rejects', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'own-clicks-'));
  const file = join(folder, 'clicks.duckdb');
  const play = async (name: string, ...texts: string[]): ReturnType<typeof run> => {
    await writeFile(join(folder, name), gzipSync(texts.map((text) => `${text}\n`).join('')));
    return run(clicks.pipeline({ FILES: join(folder, '*.jsonl.gz'), DATABASE_URL: `duckdb:${file}` }));
  };
  expect(await play('1.jsonl.gz', JSON.stringify(home), '{"id":', JSON.stringify({ ...home, ms: '12' }))).toMatchObject({
    read: 3,
    stored: 1,
    rejected: 2,
  });
  const odd = { ...home, id: '2', user: null, page: '/a\tb\nc' };
  expect(await play('2.jsonl.gz', JSON.stringify(odd))).toMatchObject({ read: 1, stored: 1 });
  expect(await queryDuckdb(file, 'SELECT id, user_id, page, clicked_at::text AS at, ms FROM clicks ORDER BY id')).toEqual([
    { id: '1', user_id: 'jane', page: '/', at: '2026-11-22 09:00:00', ms: 12.5 },
    { id: '2', user_id: null, page: '/a b\nc', at: '2026-11-22 09:00:00', ms: 12.5 },
  ]);
  expect(await queryDuckdb(file, 'SELECT step, code, path FROM millrace.rejects ORDER BY sequence')).toEqual([
    { step: 'decode', code: 'invalid_json', path: '' },
    { step: 'decode', code: 'invalid_type', path: 'ms' },
  ]);
  await rm(folder, { recursive: true });
});
