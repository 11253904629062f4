import { afterAll, beforeAll, expect, test } from 'vitest';
import { PositionDocument } from '../../src/sinks/position-document.ts';
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
  expect(document).toMatchObject({ position: '9:0', pending: undefined });
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
