import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { directory } from '../../src/stores/directory.ts';
import { PreconditionFailedError } from '../../src/stores/object-store.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'millrace-processes-'));
});
afterEach(() => rm(path, { recursive: true }));

/** Runs a process that counts, and kills it once it said so often that it did; resolves with how often it said so. */
async function count(name: string, times: number, killedAfter = Infinity): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'directory-child.ts'), path, name, String(times)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let said = 0;
  for await (const _ of createInterface({ input: child.stdout })) if (++said === killedAfter) child.kill('SIGKILL');
  await ended;
  return said;
}

async function counts(): Promise<Record<string, number>> {
  const store = await directory(path).open({ report: () => {} });
  const found = await store.get('counts');
  await store.close();
  return JSON.parse(Buffer.from(found!.body).toString()) as Record<string, number>;
}

test('processes that compete for an object lose no write of each other', async () => {
  await Promise.all(['a', 'b', 'c'].map((name) => count(name, 40)));
  expect(await counts()).toEqual({ a: 40, b: 40, c: 40 });
}, 60_000);

test('a process killed at any moment leaves the object whole, and no write undone that it was told of', async () => {
  const others = count('survivor', 150);
  for (let i = 1; i <= 6; i++) {
    const name = `killed-${i}`;
    const said = await count(name, 1_000, i * 3);
    // What it did not live to say may have taken place, once.
    const kept = (await counts())[name] ?? 0;
    expect(kept === said || kept === said + 1, `${name}: said ${said}, kept ${kept}`).toBe(true);
  }
  expect(await others).toBe(150);
  expect((await counts())['survivor']).toBe(150);
}, 60_000);

test('removes at open what killed processes were writing, and nothing of the living', async () => {
  const staging = join(path, '.millrace', 'staged');
  await mkdir(staging, { recursive: true });
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  const names = {
    dead: `${hostname()}~${dead}~11111111~0`,
    earlierOfThisId: `${hostname()}~${process.pid}~22222222~0`,
    living: `${hostname()}~${process.ppid}~33333333~0`,
    elsewhere: `another-host~${dead}~44444444~0`,
    elsewhereOfOld: `another-host~${dead}~55555555~0`,
  };
  for (const name of Object.values(names)) await writeFile(join(staging, name), 'x');
  const dayBefore = new Date(Date.now() - 25 * 60 * 60 * 1000);
  await utimes(join(staging, names.elsewhereOfOld), dayBefore, dayBefore);
  const store = await directory(path).open({ report: () => {} });
  expect((await readdir(staging)).sort()).toEqual([names.living, names.elsewhere].sort());
  await store.close();
});

test('takes a file that somebody else wrote for a version of its own', async () => {
  const store = await directory(path).open({ report: () => {} });
  const etag = await store.put('a/b', Buffer.from('ours'), { metadata: { epoch: '1' } });
  await writeFile(join(path, 'a', 'b'), 'by hand');
  const found = (await store.get('a/b'))!;
  expect(found).toMatchObject({ metadata: {}, sizeBytes: 7 });
  expect(found.etag).not.toBe(etag);
  await expect(store.put('a/b', Buffer.from('late'), { condition: { etag } })).rejects.toThrow(PreconditionFailedError);
  await store.put('a/b', Buffer.from('over it'), { condition: { etag: found.etag } });
  expect(Buffer.from((await store.get('a/b'))!.body).toString()).toBe('over it');
  await store.close();
});

test('keeps its own folder out of reach', async () => {
  const store = await directory(path).open({ report: () => {} });
  await store.put('x', Buffer.from('x'));
  expect(await Array.fromAsync(store.list(''))).toEqual(['x']);
  for (const key of ['.millrace/catalog.db', '../x', '/x', 'a//b', 'a/./b', ''])
    await expect(store.put(key, Buffer.from('x')), key).rejects.toThrow(TypeError);
  await store.close();
});
