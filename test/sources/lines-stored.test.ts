import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { comparePositions } from '../../src/position.ts';
import { type FilesOptions, lines } from '../../src/sources/lines.ts';
import { directory } from '../../src/stores/directory.ts';
import type { ObjectStore, OpenObjectStore } from '../../src/stores/object-store.ts';
import { type ReadOptions, type Reading, readSource, textsByShard } from '../support/read-source.ts';
import { sourceConformance } from './conformance.ts';

let folder: string;
let inner: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-stored-'));
  inner = directory(folder);
});
afterEach(() => rm(folder, { recursive: true }));

async function put(objects: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  const open = await inner.open({ report: () => {} });
  for (const [key, text] of Object.entries(objects)) await open.put(key, Buffer.from(text));
  await open.close();
}

/** The store, with something that happens before each call of it, and a count of how often it is open. */
function watched(
  before: (call: keyof OpenObjectStore, key: string) => void,
): ObjectStore & { opened: number; readonly calls: string[] } {
  const store = {
    describe: inner.describe,
    opened: 0,
    calls: [] as string[],
    async open(context: Parameters<ObjectStore['open']>[0]): Promise<OpenObjectStore> {
      const open = await inner.open(context);
      store.opened++;
      const met = (call: keyof OpenObjectStore, key: string): void => {
        store.calls.push(`${call} ${key}`);
        before(call, key);
      };
      return {
        head: async (key) => (met('head', key), open.head(key)),
        get: async (key) => (met('get', key), open.get(key)),
        put: (key, body, options) => open.put(key, body, options),
        list: (prefix) => (met('list', prefix), open.list(prefix)),
        close: async () => (store.opened--, open.close()),
      };
    },
  };
  return store;
}

const read = (files: FilesOptions['files'], options: Partial<FilesOptions> = {}, how?: ReadOptions): Reading =>
  readSource(lines({ files, store: inner, ...options }), how);

/** What was read of each object. */
async function linesIn(
  files: FilesOptions['files'],
  options?: Partial<FilesOptions>,
  how?: ReadOptions,
): Promise<Record<string, string[]>> {
  const { events, completed } = read(files, options, how);
  await completed;
  return Object.fromEntries(Object.entries(textsByShard(events)).map(([shard, texts]) => [keyOf(shard), texts]));
}

const keyOf = (shard: string): string => shard.split('#')[0]!;

const errorOf = (reading: Reading): Promise<string> =>
  reading.completed.then(
    () => 'it completed',
    (error: Error) => error.message,
  );

const passing = (): Error => Object.assign(new Error('slow down'), { isTransient: true });

describe('lines, of objects in a store,', () => {
  sourceConformance(async (shards, maxLines) => {
    await put(Object.fromEntries(shards.map((batches, i) => [`${i}.log`, batches.flat().join('\n')])));
    const minuteOf = new Map(shards.flatMap((batches) => batches.flatMap((batch, i) => batch.map((line) => [line, i] as const))));
    const nine = Date.UTC(2026, 10, 22, 9);
    const arrivedAt = (line: Uint8Array): Date => new Date(nine + minuteOf.get(Buffer.from(line).toString())! * 60_000);
    const found = read('*.log', { arrivedAt });
    await found.completed;
    return {
      source: lines({ files: '*.log', store: inner, arrivedAt, maxLines }),
      shards: [...found.acquired.keys()],
      times: [0, 1, 2].map((minute) => new Date(nine + minute * 60_000)),
    };
  });

  it('are those of all keys that the patterns match, packed or not, each once', async () => {
    await put({
      '2026/11/22/09/1.gz': gzipSync('a\nb'),
      '2026/11/22/09/2.zst': zstdCompressSync('c\n'),
      '2026/11/22/10/1': 'd\n',
      '2026/11/23/00/1': 'e\n',
    });
    expect(await linesIn(['2026/11/22/*/*', '2026/11/22/09/1.gz'])).toEqual({
      '2026/11/22/09/1.gz': ['a', 'b'],
      '2026/11/22/09/2.zst': ['c'],
      '2026/11/22/10/1': ['d'],
    });
    expect(Object.keys(await linesIn('2026/**'))).toHaveLength(4);
    expect(await linesIn('2026/11/{22,23}/00/1')).toEqual({ '2026/11/23/00/1': ['e'] });
  });

  it('arrived when it was stored, unless they tell', async () => {
    await put({ a: '2026-11-22T09:00Z\nlate', b: 'c' });
    const open = await inner.open({ report: () => {}, readOnly: true });
    const { storedAtMs } = (await open.head('b'))!;
    await open.close();
    expect(Date.now() - storedAtMs!).toBeLessThan(30_000);
    const { events, completed } = read('*', { arrivedAt: (line) => new Date(Buffer.from(line).toString()) });
    await completed;
    const times = Object.groupBy(events, ({ shard }) => keyOf(shard));
    const nine = Date.UTC(2026, 10, 22, 9);
    expect(times['a']!.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([nine, nine]);
    expect(times['b']!.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([storedAtMs]);
  });

  it('are read once: a shard of them has an end, unless another may follow', async () => {
    await put({ a: '1\n', 'b.gz': gzipSync('2\n') });
    const ended: string[] = [];
    const end = async (shard: string): Promise<void> => void ended.push(shard);
    const { acquired, completed } = read('*', {}, { end });
    await completed;
    expect(ended.toSorted()).toEqual([...acquired.keys()].toSorted());
    const acquire: ReadOptions['acquire'] = async (shard, from) => (ended.includes(shard) ? 'SHARD_END' : from);
    await put({ c: '3\n' });
    const store = watched(() => {});
    expect(await linesIn('*', { store }, { acquire })).toEqual({ c: ['3'] });
    expect(store.calls.filter((call) => call.startsWith('get'))).toEqual(['get c']);

    const rotated: string[] = [];
    await read('*', { rotated: true }, { end: async (shard) => void rotated.push(shard) }).completed;
    expect(rotated).toEqual([]);
  });

  it('are another shard once the object was put anew', async () => {
    await put({ a: '1\n' });
    const before = read('*');
    await before.completed;
    await put({ a: '2\n' });
    const after = read('*');
    await after.completed;
    const [first] = before.acquired.keys();
    expect(first).toMatch(/^a#[0-9a-f]{8}$/);
    expect([...after.acquired.keys()]).not.toContain(first);
  });

  it('go on in the next object where they are one text, wherever that was cut and whatever was read before', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[ab]{0,6}$/), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat({ max: 40 }), { maxLength: 4 }),
        fc.boolean(),
        fc.nat(),
        async (texts, cuts, isPacked, seen) => {
          await rm(folder, { recursive: true });
          const text = texts.map((line) => `${line}\n`).join('');
          const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).toSorted((a, b) => a - b), text.length];
          const parts = places.slice(1).map((end, i) => text.slice(places[i], end));
          await put(
            Object.fromEntries(parts.map((part, i) => (isPacked ? [`m/${i}.gz`, gzipSync(part)] : ([`m/${i}`, part] as const)))),
          );
          const inOrder = async (how?: ReadOptions): Promise<Reading['events']> => {
            const { events, completed } = read('m/*', { rotated: true, maxLines: 2 }, how);
            await completed;
            return events.toSorted(
              (a, b) => keyOf(a.shard).localeCompare(keyOf(b.shard)) || comparePositions(a.position, b.position),
            );
          };
          const events = await inOrder();
          expect(events.map(({ data }) => Buffer.from(data).toString())).toEqual(texts);
          const { shard: stood, position } = events[seen % events.length]!;
          const rest = await inOrder({ acquire: async (shard, from) => (shard === stood ? position : from) });
          const isLeft = (event: (typeof events)[number]): boolean =>
            event.shard !== stood || comparePositions(event.position, position) > 0;
          expect(rest.map((event) => event.position)).toEqual(events.filter(isLeft).map((event) => event.position));
        },
      ),
      { numRuns: 50 },
    ));

  it('come in the end when the store fails for a passing reason, which is told', async () => {
    await put({ a: '1\n', b: '2\n' });
    const failed = new Set<string>();
    const store = watched((call, key) => {
      if (failed.has(`${call} ${key}`)) return;
      failed.add(`${call} ${key}`);
      throw passing();
    });
    const { events, diagnostics, completed } = read('*', { store });
    await completed;
    expect(events.map(({ data }) => Buffer.from(data).toString()).toSorted()).toEqual(['1', '2']);
    expect([...failed].toSorted()).toEqual(['get a', 'get b', 'head a', 'head b', 'list ']);
    expect(diagnostics.filter(({ type }) => type === 'source-retry').length).toBeGreaterThanOrEqual(5);
    await expect.poll(() => store.opened).toBe(0);
  });

  it('are an error when it fails for good, by the name of the object, and the store is closed', async () => {
    await put({ a: '1\n' });
    for (const failing of ['list', 'head', 'get']) {
      const store = watched((call) => {
        if (call === failing) throw new Error('AccessDenied');
      });
      expect(await errorOf(read('*', { store }))).toMatch(failing === 'get' ? /^lines: a: AccessDenied$/ : /AccessDenied/);
      await expect.poll(() => store.opened).toBe(0);
    }
  });

  it('are not waited for when the run is stopped while the store fails', async () => {
    await put({ a: '1\n' });
    const store = watched((call) => {
      if (call === 'get') throw passing();
    });
    const reading = read('*', { store }, { report: ({ type }, { stop }) => void (type === 'source-retry' && stop.abort()) });
    await reading.completed;
    expect(reading.events).toEqual([]);
    await expect.poll(() => store.opened).toBe(0);
  });

  it('are an error when the object is another one than was found, or gone', async () => {
    await put({ a: '1\n' });
    const changing = (change: () => Promise<void>): Reading =>
      read('a', {}, { acquire: async (_, from) => (await change(), from) });
    expect(await errorOf(changing(() => put({ a: '2\n' })))).toMatch(
      /^lines: a: expected the object that was found, got another one of this key: run again$/,
    );
    expect(await errorOf(changing(() => rm(join(folder, 'a'))))).toMatch(
      /^lines: a: expected the object that was found, got none: run again$/,
    );
  });

  it('are an error when it is packed in a way that its key does not tell', async () => {
    await put({ a: gzipSync('1\n'), b: 'BZh91AY…' });
    expect(await errorOf(read('a'))).toBe('lines: a: expected a key that ends in .gz, as what gzip has packed');
    expect(await errorOf(read('b'))).toMatch(/^lines: b: expected lines, .* got a file that bzip2 has packed$/);
  });

  it('are checked by their number and size, or by there being none', async () => {
    await put({ 'x/a': '12', 'x/b': '3' });
    const before = await readFile(join(folder, 'x/a'));
    expect(await lines({ files: 'x/*', store: inner }).check('test')).toBe(`x/* in ${inner.describe}: 2 files of 3 bytes`);
    expect(lines({ files: 'x/*', store: inner }).describe).toBe(`x/* in ${inner.describe}`);
    const none = `lines: expected objects of ${inner.describe} that match y/*, got none`;
    await expect(lines({ files: ['x/*', 'y/*'], store: inner }).check('test')).rejects.toThrow(none);
    expect(await errorOf(read('y/*'))).toBe(none);
    expect(await readFile(join(folder, 'x/a'))).toEqual(before);
  });
});
