import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Reject } from '../../src/event.ts';
import type { Resume } from '../../src/position.ts';
import { type RejectLine, rejectsIntoArchive } from '../../src/sinks/rejects-into-archive.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { archived, scratchStores } from './archive-protocol.ts';
import { sinkConformance } from './conformance.ts';

const why = { step: 'decode', code: 'column_count', reason: 'expected 131 fields, got 3' };
const lines = async (store: ObjectStore): Promise<RejectLine[]> =>
  (await archived(store, 'rejects/')).map((line) => JSON.parse(line) as RejectLine);

sinkConformance('rejects in an archive', async () => {
  const stores = await scratchStores();
  const store = stores.make();
  return {
    declare: (name = 'rejects') => rejectsIntoArchive(store, { prefix: name, name }),
    items: (events) => events.map((event) => new Reject(event, why)),
    stored: async () => (await lines(store)).map(({ raw }) => Buffer.from(raw, 'base64').toString()),
    close: stores.close,
  };
});

test('stores all that is needed to find, mend and replay a reject', async () => {
  const stores = await scratchStores();
  const store = stores.make();
  const sink = await rejectsIntoArchive(store).open({ pipeline: 'p', report: () => {} });
  const arrivedAtMs = Date.UTC(2026, 10, 22, 23, 59, 58, 7);
  const invalid = Buffer.from([0x61, 0xff, 0x62]);
  const { events: a } = deliver([
    { shard: 'a', sequence: 7, arrivedAtMs, raw: 'ünïcödé\t🛒' },
    { shard: 'a', sequence: 9, arrivedAtMs, raw: invalid },
  ]);
  const { events: b } = deliver([{ shard: 'b', sequence: 8, arrivedAtMs, raw: '' }]);
  for (const shard of ['a', 'b']) await sink.acquire(shard);
  const rejects = [new Reject(a[0]!, { ...why, path: 'se_label.price' }), new Reject(b[0]!, why), new Reject(a[1]!, why)];
  await sink.commit({ items: rejects, positions: new Map<string, Resume>(rejects.map(({ shard, last }) => [shard, last])) }, []);
  await sink.close();

  const open = await store.open({ report: () => {} });
  const keys = await Array.fromAsync(open.list('rejects/'));
  expect(keys).toEqual(['rejects/2026/11/22/2359-a-7.ndjson.gz', 'rejects/2026/11/22/2359-b-8.ndjson.gz']);
  expect((await open.head(keys[0]!))?.metadata).toMatchObject({
    sink: 'rejects',
    shard: 'a',
    first: '7:0',
    last: '9:0',
    count: '2',
  });
  const text = gunzipSync(Buffer.concat(await Promise.all(keys.map(async (key) => (await open.get(key))!.body)))).toString();
  await open.close();
  await stores.close();
  const common = { subSequence: 0, arrivedAt: '2026-11-22T23:59:58.007Z', ...why };
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as RejectLine),
  ).toEqual([
    {
      shard: 'a',
      sequence: '7',
      ...common,
      path: 'se_label.price',
      raw: Buffer.from('ünïcödé\t🛒').toString('base64'),
      text: 'ünïcödé\t🛒',
    },
    { shard: 'a', sequence: '9', ...common, raw: invalid.toString('base64') },
    { shard: 'b', sequence: '8', ...common, raw: '', text: '' },
  ]);
});
