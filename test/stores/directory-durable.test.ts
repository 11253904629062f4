import type * as fs from 'node:fs';
import { mkdtemp, open as openFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect, it, vi } from 'vitest';
import { directory } from '../../src/stores/directory.ts';

const { opened, synced } = vi.hoisted(() => ({ opened: new Map<number, string>(), synced: [] as string[] }));
vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  return {
    ...original,
    openSync: (path: string, flags: number) => {
      const file = original.openSync(path, flags);
      opened.set(file, path);
      return file;
    },
    fsyncSync: (file: number) => {
      synced.push(opened.get(file)!);
      original.fsyncSync(file);
    },
  };
});

it('has the names of all folders that it makes on the disk, those in which it lies among them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-durable-'));
  const open = await directory(join(folder, 'data/archive')).open({ report: () => {} });
  await open.put('events/2026/a', Buffer.from('x'));
  await open.close();
  await rm(folder, { recursive: true });
  const folders = synced.map((path) => relative(folder, path));
  for (const made of ['', 'data', 'data/archive', 'data/archive/events', 'data/archive/events/2026'])
    expect(folders).toContain(made);
});

it('has an object on the disk before it has its name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-durable-'));
  const store = await directory(folder).open({ report: () => {} });
  const some = await openFile(join(folder, 'some'), 'w');
  const found: unknown[] = [];
  vi.spyOn(Object.getPrototypeOf(some) as typeof some, 'sync').mockImplementation(async function (this: typeof some) {
    found.push((await this.stat()).size, await store.head('a'));
  });
  await store.put('a', Buffer.from('x'));
  vi.restoreAllMocks();
  await some.close();
  await store.close();
  await rm(folder, { recursive: true });
  expect(found).toEqual([1, undefined]);
});
