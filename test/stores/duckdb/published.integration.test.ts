import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');

const program = `
import { databaseFrom } from './dist/index.js';
const store = await databaseFrom('duckdb:./file.duckdb').open({ report: () => {} });
const table = { name: 'numbers', columns: [{ name: 'n', type: { kind: 'integer' }, required: true }] };
const [owner, to] = [{ pipeline: 'p', sink: 's' }, { shard: 'a', sequence: '1', subSequence: 0 }];
await store.createTable(table);
await store.acquire(owner, 'a');
await store.commit(owner, { rows: { table, lines: [Buffer.from('7')] }, positions: new Map([['a', to]]) });
console.log((await store.positions(owner, ['a'])).get('a').sequence);
await store.close();
`;

test('the published package finds the file of its thread, and a program that closed its store ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-published-'));
  await run(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')],
    {
      cwd: root,
    },
  );
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'program.mjs'), program);
  // As a package has it, next to its files.
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  expect(await run(process.execPath, ['program.mjs'], { cwd: folder })).toEqual({ stdout: '1\n', stderr: '' });
  await rm(folder, { recursive: true });
}, 60_000);
