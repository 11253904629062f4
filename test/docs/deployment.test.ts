import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { archive } from '../../src/sinks/archive.ts';
import { copyInto } from '../../src/sinks/copy-into.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { directory } from '../../src/stores/directory.ts';
import { duckdb } from '../../src/stores/duckdb.ts';
import { clusterKeys, redisKeys } from '../../src/stores/redis/keys.ts';
import { transform } from '../../src/operators/transform.ts';
import { queryDuckdb } from '../support/duckdb.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/deployment.md'), 'utf8');

test(
  'docs/deployment.md: a pipeline whose positions are removed as it says reads everything once more',
  { timeout: 60_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-anew-'));
    const database = join(folder, 'warehouse.duckdb');
    const columns = [{ name: 'line', type: { kind: 'text' }, required: true }] as const;
    const warehouse = pipeline('warehouse')
      .from(scripted({ s: [['a', 'b'], ['c']] }))
      .pipe(
        transform((bytes: Uint8Array) => ({ bytes, toRow: () => bytes })),
        minuteWindow(),
      )
      .to(
        archive(directory(join(folder, 'archive')), { prefix: 'events' }),
        copyInto(duckdb(database), { table: 'events', columns }),
      );
    try {
      expect(await run(warehouse)).toMatchObject({ read: 3, stored: 3 });
      expect(await run(warehouse)).toMatchObject({ read: 0 });
      const [, statement] = /`(DELETE FROM [^`]*)`/.exec(page)!;
      await queryDuckdb(database, statement!);
      expect(await run(warehouse)).toMatchObject({ read: 3, stored: 3 });
      // As it says of the table; the archive went on from where it stood.
      expect(await queryDuckdb(database, 'SELECT count(*)::INTEGER AS n FROM events')).toEqual([{ n: 6 }]);
      await queryDuckdb(database, statement!);
      const positions = join(folder, 'archive', /`(_millrace\/warehouse\/)`/.exec(page)![1]!);
      expect(existsSync(positions)).toBe(true);
      rmSync(positions, { recursive: true });
      expect(await run(warehouse)).toMatchObject({ read: 3, stored: 3 });
      expect(existsSync(positions)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test('docs/deployment.md names the keys of Redis as they are', () => {
  const owner = { pipeline: 'realtime', sink: '*' };
  for (const keys of [redisKeys, clusterKeys]) {
    expect(page).toContain(`\`${keys.positions(owner)}\``);
    expect(page).toContain(`\`${keys.lastCall(owner)}\``);
  }
});
