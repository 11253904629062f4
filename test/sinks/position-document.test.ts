import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { PositionDocument, standingsIn } from '../../src/sinks/position-document.ts';
import type { OpenObjectStore } from '../../src/stores/object-store.ts';
import { interrupted } from '../support/interrupted-store.ts';
import { scratchStores } from './archive-protocol.ts';

const owner = { pipeline: 'test', sink: 'archive' };

let stores: Awaited<ReturnType<typeof scratchStores>>;
beforeAll(async () => {
  stores = await scratchStores();
});
afterAll(() => stores.close());

test('a write of its own that was given up, and takes place after it has asked, is not written over', async () => {
  // The third call after a get and a put: the first write of a position.
  const store = interrupted(stores.make(), { at: 3, mishap: 'late', isDeadly: false });
  const document = new PositionDocument(await store.open({ report: () => {} }), owner, 'a', 'run');
  await document.acquire();
  await document.write({ position: '1:0' });
  await expect(document.write({ position: '9:0' })).rejects.toThrow('late');
  await document.read();
  expect(document.position).toBe('1:0');

  await store.release();
  await expect(document.write({ position: '1:0', pending: 'key' })).rejects.toMatchObject({ isTransient: true });
  expect(document.isCertain).toBe(false);
  await document.read();
  expect(document).toMatchObject({ position: '9:0', pending: undefined, isCertain: true });
  await document.write({ position: '10:0' });
});

test('a write that was repeated below the store, because its answer was lost, is done', async () => {
  const store = await interrupted(stores.make(), {}).open({ report: () => {} });
  let times = 1;
  const document = new PositionDocument({ ...store, put }, owner, 'b', 'run');
  await document.acquire();
  times = 2;
  await document.write({ position: '1:0' });
  await document.write({ position: '2:0' });
  expect(document).toMatchObject({ position: '2:0', isCertain: true });

  async function put(...args: Parameters<typeof store.put>): Promise<string> {
    for (let i = 1; i < times; i++) await store.put(...args);
    return store.put(...args);
  }
});

test('who asks where a sink stands only reads, and closes what was opened', async () => {
  const store = stores.make();
  const document = new PositionDocument(await store.open({ report: () => {} }), owner, 'c/d e', 'run');
  await document.acquire();
  await document.write({ position: '1:0' });
  const close = vi.fn<() => void>();
  const open = vi.fn<typeof store.open>(async (context) => {
    const opened = await store.open(context);
    const end = opened.close.bind(opened);
    return Object.assign(opened, { close: () => end().then(close) });
  });
  const stands = [{ shard: 'c/d e', epoch: 1, resume: { shard: 'c/d e', sequence: '1', subSequence: 0 } }];
  expect(await standingsIn({ ...store, open }, owner)).toEqual(stands);
  expect(open).toHaveBeenCalledExactlyOnceWith({ report: expect.any(Function), readOnly: true });
  expect(close).toHaveBeenCalledOnce();
});

describe('a document', () => {
  let store: OpenObjectStore;
  beforeEach(async () => {
    store = await interrupted(stores.make(), {}).open({ report: () => {} });
  });
  const taken = async (over: Partial<OpenObjectStore> = {}): Promise<PositionDocument> => {
    const document = new PositionDocument({ ...store, ...over }, owner, 'a', 'run');
    await document.acquire();
    return document;
  };

  test('that another run of its epoch has written over is refused: a store without conditions cannot rule that out', async () => {
    const document = await taken();
    await store.put(document.key, Buffer.from('{"run":"other","epoch":1}'));
    await expect(document.write({ position: '1:0' })).rejects.toThrow(FencedError);
    await expect(document.read()).rejects.toThrow(FencedError);
  });

  test('of an older run, or of none, which a store that went back has, is read as it is, and is its own again', async () => {
    let isLost = false;
    const conditions: unknown[] = [];
    const document = await taken({
      get: async (key) => (isLost ? undefined : store.get(key)),
      async put(key, body, options) {
        conditions.push(options?.condition);
        return isLost ? 'etag' : store.put(key, body, options);
      },
    });
    await document.acquire();
    await document.write({ position: '9:0' });
    await store.put(document.key, Buffer.from('{"run":"older","epoch":1,"position":"1:0"}'));
    await document.read();
    expect(document).toMatchObject({ position: '1:0', epoch: 2, isCertain: true });
    await document.write({ position: '2:0' });
    await document.write({ position: '3:0' });
    expect(JSON.parse(Buffer.from((await store.get(document.key))!.body).toString())).toMatchObject({ run: 'run', epoch: 2 });
    await store.put(document.key, Buffer.from('{"run":"older","epoch":1,"position":"1:0"}'));
    await document.acquire();
    expect(document).toMatchObject({ position: '1:0', epoch: 3 });
    isLost = true;
    await document.read();
    expect(document).toMatchObject({ position: undefined, epoch: 3 });
    await document.write({ position: '4:0' });
    expect(conditions.at(-1)).toBe('absent');
  });

  test('that cannot be written is tried again only when somebody else has written it', async () => {
    const put = vi.fn<typeof store.put>().mockRejectedValue(new Error('denied'));
    await expect(taken({ put })).rejects.toThrow('denied');
    expect(put).toHaveBeenCalledOnce();
  });

  test('that is none is an error with what is there', async () => {
    const document = new PositionDocument(store, owner, 'a', 'run');
    for (const text of ['nonsense', '{"epoch":"1"}', 'null']) {
      await store.put(document.key, Buffer.from(text));
      const message = `archive: expected the position of a in _millrace/test/archive/a.json, got ${text}`;
      await expect(document.acquire()).rejects.toThrow(new TypeError(message));
    }
  });

  test('has no longer name than its store takes', () => {
    const { key } = new PositionDocument({ ...store, maxNameBytes: 40 }, owner, 'x'.repeat(100), 'run');
    expect(key.split('/').at(-1)).toMatch(/^x+~[0-9a-f]{16}\.json$/);
    expect(key.split('/').at(-1)).toHaveLength(40);
  });
});
