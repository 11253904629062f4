import { execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directory } from '../../src/stores/directory.ts';
import { type ObjectHead, PreconditionFailedError } from '../../src/stores/object-store.ts';
import { objectStoreConformance } from './object-store.conformance.ts';

objectStoreConformance('directory', async () => {
  const path = await mkdtemp(join(tmpdir(), 'millrace-directory-'));
  return { declare: () => directory(path), isConditional: true, close: () => rm(path, { recursive: true }) };
});

it('lists what lies behind links that lead out of a directory, as when old months were moved to another disk', async () => {
  const [folder, disk] = await Promise.all(['archive', 'disk'].map((name) => mkdtemp(join(tmpdir(), `millrace-${name}-`))));
  try {
    const open = await directory(folder!).open({ report: () => {} });
    for (const key of ['events/2026/10/a', 'events/2026/11/a']) await open.put(key, Buffer.from(key));
    await rename(join(folder!, 'events/2026/10'), join(disk!, '10'));
    await symlink(join(disk!, '10'), join(folder!, 'events/2026/10'));
    await writeFile(join(disk!, 'b'), 'by hand');
    await symlink(join(disk!, 'b'), join(folder!, 'events/2026/11/b'));
    // What has a key already.
    await symlink('11', join(folder!, 'events/2026/newest'));
    await symlink('..', join(folder!, 'events/2026/round'));
    await symlink(dirname(folder!), join(folder!, 'events/2026/above'));
    await symlink('a', join(disk!, '10/newest'));
    await symlink('.', join(disk!, '10/round'));
    await symlink(dirname(disk!), join(disk!, '10/above'));
    const keys = ['events/2026/10/a', 'events/2026/11/a', 'events/2026/11/b'];
    expect(await Array.fromAsync(open.list('events/2026/1'))).toEqual(keys);
    expect(await Array.fromAsync(open.list('events/'))).toEqual(keys);
    expect((await open.get('events/2026/10/a'))?.body.toString()).toBe('events/2026/10/a');
    await rm(join(disk!, '10'), { recursive: true });
    await expect(Array.fromAsync(open.list('events/2026/1'))).rejects.toThrow('behind the link events/2026/10, got none');
    expect(await Array.fromAsync(open.list('events/2026/11'))).toEqual(keys.slice(1));
    await open.close();
  } finally {
    await Promise.all([folder, disk].map((path) => rm(path!, { recursive: true })));
  }
});

it('keeps nothing of what could not be written to its end, as on a disk that is full', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'));
  const open = await directory(folder).open({ report: () => {} });
  const breaksOff = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('half');
    throw new Error('no space left on device');
  };
  await expect(open.put('a', breaksOff() as never)).rejects.toThrow('no space left on device');
  // What cannot be described, and what is not as the put wants it.
  await expect(open.put('a', Buffer.from('whole'), { metadata: { count: 1n as never } })).rejects.toThrow(TypeError);
  await expect(open.put('a', Buffer.from('whole'), { condition: { etag: 'none' } })).rejects.toThrow(PreconditionFailedError);
  expect(await Array.fromAsync(open.list(''))).toEqual([]);
  expect(await readdir(join(folder, '.millrace/staged'))).toEqual([]);
  await open.close();
  await rm(folder, { recursive: true });
});

it('keeps what it is writing from who opens the directory meanwhile, in the same process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'));
  const open = await directory(folder).open({ report: () => {} });
  const inTwoParts = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('one, ');
    await (await directory(folder).open({ report: () => {} })).close();
    yield Buffer.from('two');
  };
  await open.put('a', inTwoParts() as never);
  expect((await open.get('a'))?.body.toString()).toBe('one, two');
  await open.close();
  await rm(folder, { recursive: true });
});

it('has nothing under a key that is a folder, or lies below a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'));
  const open = await directory(folder).open({ report: () => {} });
  await open.put('a/b', Buffer.from('x'));
  for (const key of ['a', 'a/b/c']) expect([await open.head(key), await open.get(key)], key).toEqual([undefined, undefined]);
  await open.close();
  await rm(folder, { recursive: true });
});

it.each(['head', 'get'] as const)('waits by %s until somebody else has said what he has put there', async (ask) => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'));
  const open = await directory(folder).open({ report: () => {} });
  const other = new DatabaseSync(join(folder, '.millrace/catalog.db'));
  other.exec('BEGIN IMMEDIATE');
  await describeAs(other, folder, 'a', 'his own');
  const found = open[ask]('a');
  setTimeout(() => other.exec('COMMIT'), 50);
  expect(await found).toMatchObject({ etag: 'his own', metadata: { count: '1' } });
  other.close();
  await open.close();
  await rm(folder, { recursive: true });
});

describe('a directory that is only to be read', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-directory-'));
    await chmod(folder, 0o755);
  });
  afterEach(async () => {
    await chmod(join(folder, '.millrace'), 0o755).catch(() => {});
    await rm(folder, { recursive: true });
  });

  it('has files that people put there, and nothing more afterwards', async () => {
    await writeFile(join(folder, 'a'), 'by hand');
    const open = await directory(folder).open({ report: () => {}, readOnly: true });
    expect(await Array.fromAsync(open.list(''))).toEqual(['a']);
    const found = await open.get('a');
    expect(found?.body.toString()).toBe('by hand');
    expect(await open.head('a')).toMatchObject({ etag: found!.etag, sizeBytes: 7, metadata: {} });
    await open.close();
    expect(await readdir(folder)).toEqual(['a']);
  });

  it('is read where nobody may write, as on a volume that is mounted so', async () => {
    const open = await directory(folder).open({ report: () => {} });
    const etag = await open.put('a', Buffer.from('put'), { metadata: { count: '1' } });
    await open.close();
    await writeFile(join(folder, 'b'), 'by hand');
    await chmod(join(folder, '.millrace'), 0o555);
    const told = readWithoutRights(folder, `[await open.head('a'), await open.get('b')]`);
    const [put, byHand] = JSON.parse(told) as [ObjectHead, ObjectHead];
    expect(put).toMatchObject({ etag, sizeBytes: 3, metadata: { count: '1' } });
    expect(byHand).toMatchObject({ sizeBytes: 7, metadata: {} });
    expect(await readdir(join(folder, '.millrace'))).toEqual(['catalog.db', 'staged']);
  });

  it('has what is put while it is read where nobody may write, by a run of somebody else', async () => {
    const open = await directory(folder).open({ report: () => {} });
    const etag = await open.put('a', Buffer.from('put'), { metadata: { count: '1' } });
    await chmod(join(folder, '.millrace'), 0o555);
    const told = readWithoutRights(folder, `await open.head('a')`);
    await open.close();
    expect(JSON.parse(told)).toMatchObject({ etag, sizeBytes: 3, metadata: { count: '1' } });
  });

  it.each([
    ['a run', async () => (await directory(folder).open({ report: () => {} })).close()],
    ['the first run there ever was', async () => {}],
  ])('has what is put where nobody may write, also by %s that began after it was opened', async (_, before) => {
    await before();
    const reader = await startReader(folder);
    const open = await directory(folder).open({ report: () => {} });
    const etag = await open.put('a', Buffer.from('put'), { metadata: { count: '1' } });
    const found = await reader.head();
    await open.close();
    expect(found).toMatchObject({ etag, metadata: { count: '1' } });
  });

  it('is read while the first run that there ever was begins to', async () => {
    const reader = await directory(folder).open({ report: () => {}, readOnly: true });
    await writeFile(join(folder, 'a'), 'by hand');
    await mkdir(join(folder, '.millrace'));
    await writeFile(join(folder, '.millrace/catalog.db'), '');
    expect(await reader.head('a')).toMatchObject({ sizeBytes: 7, metadata: {} });
    const open = await directory(folder).open({ report: () => {} });
    const etag = await open.put('a', Buffer.from('put'), { metadata: { count: '1' } });
    expect(await reader.head('a')).toMatchObject({ etag, metadata: { count: '1' } });
    await open.close();
    expect(await reader.get('a')).toMatchObject({ etag, metadata: { count: '1' } });
    await reader.close();
  });

  it('waits for the first run there ever was while that keeps its catalog to itself, as when it ends', async () => {
    const reader = await directory(folder).open({ report: () => {}, readOnly: true });
    const open = await directory(folder).open({ report: () => {} });
    await open.put('a', Buffer.from('put'), { metadata: { count: '1' } });
    await open.close();
    const ending = new DatabaseSync(join(folder, '.millrace/catalog.db'));
    ending.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM objects; ROLLBACK; PRAGMA user_version = 1');
    const found = reader.get('a');
    setTimeout(() => ending.close(), 200);
    expect(await found).toMatchObject({ metadata: { count: '1' } });
    await reader.close();
  });

  it('waits where nobody may write for a run that is about to say what it has put there', async () => {
    const open = await directory(folder).open({ report: () => {} });
    const reader = await startReader(folder);
    const catalog = new DatabaseSync(join(folder, '.millrace/catalog.db'));
    catalog.exec('BEGIN IMMEDIATE');
    await describeAs(catalog, folder, 'a', 'its own');
    const finding = reader.head();
    await new Promise((resolve) => setTimeout(resolve, 100));
    catalog.exec('COMMIT');
    expect(await finding).toMatchObject({ etag: 'its own', metadata: { count: '1' } });
    catalog.close();
    await open.close();
  });
});

/** Does what a put does from rename to commit. */
async function describeAs(catalog: DatabaseSync, folder: string, key: string, etag: string): Promise<void> {
  await writeFile(join(folder, key), 'put');
  const { size, mtimeNs } = await stat(join(folder, key), { bigint: true });
  catalog.prepare('INSERT INTO objects VALUES (?, ?, ?, ?)').run(key, `${size}-${mtimeNs}`, etag, '{"count":"1"}');
}

/** Opens a folder where it may not write, reads once, and again when it is asked. Whoever runs the test may write there by then. */
async function startReader(folder: string): Promise<{ readonly head: () => Promise<unknown> }> {
  const catalogs = join(folder, '.millrace');
  await chmod(catalogs, 0o555).catch(() => {});
  const asked = `await new Promise((go) => process.stdin.once('data', go))`;
  const program = reading(folder, `(await open.head('a'), console.log('ready'), ${asked}, await open.head('a'))`);
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await answers.next();
  await chmod(catalogs, 0o755).catch(() => {});
  return {
    async head() {
      child.stdin.end('go');
      return JSON.parse((await answers.next()).value as string);
    },
  };
}

function readWithoutRights(folder: string, what: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '--eval', reading(folder, what)], { encoding: 'utf8' });
}

/** A program that tells what it reads. Root may write everywhere. */
function reading(folder: string, what: string): string {
  return `
    const { directory } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/stores/directory.ts'))});
    if (process.getuid?.() === 0) process.setuid(65534);
    const open = await directory(${JSON.stringify(folder)}).open({ report() {}, readOnly: true });
    console.log(JSON.stringify(${what}));`;
}
