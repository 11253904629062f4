import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SIGHT_WORDS } from '../../src/operators/dedupe/sight.ts';
import { identityLog } from '../../src/stores/identity-log.ts';

test('identityLog says to --check what a run would find or make, and makes and takes over nothing', async () => {
  const root = mkdtempSync(join(tmpdir(), 'identity-check-'));
  const folder = join(root, 'made', 'by', 'a', 'run');
  const path = join(folder, 'dedupe.db');
  const state = identityLog(path);
  const check = (): Promise<string> => state.check!();

  expect(await check()).toBe('the file is not there: a run makes it');
  expect(readdirSync(root)).toEqual([]);
  const run = state.open();
  run.load(() => {});
  expect(await check()).toBe('the file is there');
  // Whoever was taken over would be refused.
  run.append({ sights: new Uint32Array(SIGHT_WORDS), count: 1, newestMs: 1 }, { beforeMs: undefined, capacity: Infinity });
  run.close();
  const before = readFileSync(path);
  expect(await check()).toBe('the file is there');
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(readdirSync(folder)).toEqual(['dedupe.db']);

  writeFileSync(path, 'something else');
  await expect(check()).rejects.toThrow('it is not a file of identityLog');
  writeFileSync(path, '');
  await expect(check()).rejects.toThrow('the file is empty');
  await expect(identityLog(join(path, 'below')).check!()).rejects.toThrow('expected a folder, got a file');
  expect(existsSync(path)).toBe(true);
  rmSync(root, { recursive: true });
});
