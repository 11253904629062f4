import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { Event, Origin } from '../../src/event.ts';
import type { Resume } from '../../src/position.ts';
import { Window } from '../../src/operators/window.ts';
import { type ArchiveOptions, archive } from '../../src/sinks/archive.ts';
import type { OpenSink } from '../../src/sinks/sink.ts';
import type { ObjectStore, OpenObjectStore } from '../../src/stores/object-store.ts';
import { s3 } from '../../src/stores/s3.ts';
import { type Sample, deliver } from '../../src/testing/deliver.ts';
import { startS3 } from '../support/s3.ts';
import { interrupted } from '../support/interrupted-store.ts';
import { archived, byMinute, byNumber, expected, live, scratchStores, someEvents, windowOf } from './archive-protocol.ts';
import { sinkConformance } from './conformance.ts';

const start = Date.UTC(2026, 10, 22, 9, 7);
const minute = { shard: 'shardId-000000000003', startMs: start, endMs: start + 60_000, part: 1, closedBy: 'count' } as const;

sinkConformance('archive in a directory', async () => {
  const stores = await scratchStores();
  const store = stores.make();
  return {
    declare: (name = 'archive') => archive<Uint8Array>(store, { prefix: name, name }),
    items: (events) => [windowOf(events)],
    stored: () => archived(store, 'archive/'),
    close: stores.close,
  };
});

test('archives in S3 without conditional puts, and is refused after a take-over', async () => {
  const server = await startS3();
  const store = s3(`s3://${server.bucket}/x`, { client: server.client });
  const events = someEvents(8);
  const zombie = interrupted(store, { at: 6, mishap: 'stalled' });
  const stale = live(zombie, events, byMinute);
  await zombie.reached;
  expect((await live(store, events, byMinute)).error).toBeUndefined();
  await zombie.release();
  expect((await stale).error).toBeInstanceOf(FencedError);
  expect((await archived(store)).sort(byNumber)).toEqual(expected(events));
  await server.close();
});

describe('archive', () => {
  let stores: Awaited<ReturnType<typeof scratchStores>>;
  let store: ObjectStore;
  let sink: OpenSink<Window<Uint8Array>> | undefined;
  let files: OpenObjectStore;

  beforeEach(async () => {
    stores = await scratchStores();
    store = stores.make();
    files = await store.open({ report: () => {} });
  });

  afterEach(async () => {
    await sink?.close();
    await files.close();
    await stores.close();
  });

  async function stored(options: Partial<ArchiveOptions>, ...batches: Window<Uint8Array>[][]): Promise<string[]> {
    const before = new Set(await Array.fromAsync(files.list('')));
    sink = await archive<Uint8Array>(store, { prefix: 'shop/events', ...options }).open({
      pipeline: 'warehouse',
      report: () => {},
    });
    for (const items of batches) {
      const positions = new Map<string, Resume>(items.map((item) => [item.shard, item.last]));
      for (const shard of positions.keys()) await sink.acquire(shard);
      await sink.commit({ items, positions }, []);
    }
    return (await Array.fromAsync(files.list(''))).filter((key) => !before.has(key) && !key.startsWith('_millrace/'));
  }

  const windowWith = (...samples: (Sample | string)[]): Window<Uint8Array> =>
    new Window(
      minute,
      deliver(
        samples.map((one) => ({ shard: minute.shard, arrivedAtMs: start, ...(typeof one === 'string' ? { raw: one } : one) })),
      ).events,
    );

  test('names an object by year, month, day, minute, shard and first position', async () => {
    expect(await stored({}, [windowWith({ raw: 'x', sequence: 4711 }, { raw: 'y', sequence: 4712 })])).toEqual([
      'shop/events/2026/11/22/0907-shardId-000000000003-4711.tsv.gz',
    ]);
    expect(await stored({ compression: 'zstd' }, [windowWith({ raw: 'x', sequence: 4713 })])).toEqual([
      'shop/events/2026/11/22/0907-shardId-000000000003-4713.tsv.zst',
    ]);
  });

  test('names the place inside an aggregate when a window begins there', async () => {
    const [{ data, delivery, position, arrivedAtMs }] = windowWith('x').events as [Event<Uint8Array>];
    const inside = new Origin(delivery, 0, { position: { ...position, subSequence: 12 }, arrivedAtMs, data });
    expect(await stored({}, [new Window(minute, [new Event(data, inside)])])).toEqual([
      'shop/events/2026/11/22/0907-shardId-000000000003-1.12.tsv.gz',
    ]);
  });

  test('tells in the metadata whose lines it holds and which', async () => {
    const [key] = await stored({}, [windowWith({ raw: 'x', sequence: 5 }, { raw: 'y', sequence: 9 })]);
    expect((await files.head(key!))?.metadata).toEqual({
      pipeline: 'warehouse',
      sink: 'archive',
      shard: 'shardId-000000000003',
      first: '5:0',
      last: '9:0',
      count: '2',
      epoch: '1',
      start: '2026-11-22T09:07:00.000Z',
      end: '2026-11-22T09:08:00.000Z',
      part: '1',
    });
  });

  // Node reads on behind the first member of gzip, and stops behind the first frame of zstd: that one is a service test.
  test.each([
    ['gzip', (bodies: Uint8Array[]) => gunzipSync(Buffer.concat(bodies))],
    ['zstd', (bodies: Uint8Array[]) => Buffer.concat(bodies.map((body) => zstdDecompressSync(body)))],
  ] as const)('makes %s objects that hold every line whole', async (compression, read) => {
    const odd = ['\\"a\tb', '', 'ünïcödé 🛒', '\0'];
    const big = 'b'.repeat(3_000_000);
    const keys = await stored(
      { compression },
      [windowWith(...odd.map((raw) => raw), 'ends with a newline\n')],
      [windowWith({ raw: big, sequence: 100 }, { raw: 'after', sequence: 101 }), windowWith({ raw: 'last', sequence: 200 })],
    );
    expect(keys).toHaveLength(3);
    const bodies = await Promise.all(
      keys.toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1)).map(async (key) => (await files.get(key))!.body),
    );
    const text = read(bodies).toString();
    expect(text === [...odd, 'ends with a newline', big, 'after', 'last', ''].join('\n')).toBe(true);
  });

  // As long as a block of what is packed at a time, a newline more, one less; more blocks than the packer takes on at once.
  test('holds lines whole wherever a block ends', async () => {
    const block = 1024 * 1024;
    const sizes = [block - 1, block, block + 1, block - 10, 8, 1, block - 11, 9, ...Array.from({ length: 50 }, () => 100_000)];
    const lines = sizes.map((size, i) => Buffer.alloc(size, `${i}, `));
    const [key] = await stored({ level: 1 }, [windowWith(...lines.map((raw) => ({ raw })))]);
    const text = gunzipSync((await files.get(key!))!.body);
    expect(Buffer.compare(text, Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])))).toBe(0);
  });

  test.each([
    ['gzip', 3],
    ['zstd', 1],
  ] as const)('packs with %s at level %i unless it is told another', async (compression, level) => {
    // Words that come again at all distances: each level finds others of them.
    const lines = Array.from({ length: 3000 }, (_, i) => `${i}\t${(i * 7919) % 1013}\tvisitor-${(i * i) % 997}\t${i % 61}`);
    const packed = async (name: string, options: Partial<ArchiveOptions>): Promise<Uint8Array> => {
      const [key] = await stored({ compression, name, prefix: name, ...options }, [windowWith(...lines)]);
      return (await files.get(key!))!.body;
    };
    const usual = await packed('usual', {});
    expect(Buffer.compare(usual, await packed('told', { level }))).toBe(0);
    for (const other of [level + 1, level + 3])
      expect(usual.length).not.toBe((await packed(`at-${other}`, { level: other })).length);
  });

  test('takes lines from what has bytes', async () => {
    const events = deliver(['a', 'b']).events.map((event) => event.with({ bytes: event.data, other: 1 }));
    const bytes = await archive<{ bytes: Uint8Array }>(store, { prefix: 'x' }).open({ pipeline: 'p', report: () => {} });
    await bytes.acquire('shard-1');
    const window = new Window({ ...minute, shard: 'shard-1' }, events);
    await bytes.commit({ items: [window], positions: new Map([['shard-1', window.last]]) }, []);
    await bytes.close();
    expect(await archived(store, 'x/')).toEqual(['a', 'b']);
  });

  test('stores the same lines as the same bytes, but in each epoch its own', async () => {
    const bodies: Uint8Array[] = [];
    for (const where of [stores.make(), stores.make()]) {
      for (let epoch = 1; epoch <= 2; epoch++) {
        const one = await archive<Uint8Array>(where, { prefix: `of-${epoch}` }).open({ pipeline: 'p', report: () => {} });
        await one.acquire(minute.shard);
        const window = windowWith('a', 'b');
        await one.commit({ items: [window], positions: new Map([[minute.shard, window.last]]) }, []);
        await one.close();
        const open = await where.open({ report: () => {} });
        for await (const key of open.list(`of-${epoch}/`)) bodies.push((await open.get(key))!.body);
        await open.close();
      }
    }
    expect(Buffer.compare(bodies[0]!, bodies[2]!)).toBe(0);
    expect(Buffer.compare(bodies[1]!, bodies[3]!)).toBe(0);
    expect(Buffer.compare(bodies[0]!, bodies[1]!)).not.toBe(0);
  });

  test('will not put over what another sink has stored', async () => {
    await stored({}, [windowWith('a')]);
    const other = await archive<Uint8Array>(store, { prefix: 'shop/events', name: 'other' }).open({
      pipeline: 'warehouse',
      report: () => {},
    });
    await other.acquire(minute.shard);
    const window = windowWith('b');
    const batch = { items: [window], positions: new Map([[minute.shard, window.last]]) };
    await expect(other.commit(batch, [])).rejects.toThrow(
      /belongs to the sink archive of the pipeline warehouse: each sink needs a prefix/,
    );
    await other.close();
    expect(await archived(store, 'shop/')).toEqual(['a']);
  });

  test('reads all again into the same objects when its positions were removed', async () => {
    const [window, next] = [windowWith('a', 'b'), windowWith({ raw: 'c', sequence: 3 })];
    const batch = { items: [window, next], positions: new Map([[minute.shard, next.last]]) };
    for (let i = 0; i < 3; i++) {
      sink = await archive<Uint8Array>(store, { prefix: 'events' }).open({ pipeline: 'p', report: () => {} });
      await sink.acquire(minute.shard);
      await sink.close();
    }
    sink = await archive<Uint8Array>(store, { prefix: 'events' }).open({ pipeline: 'p', report: () => {} });
    await sink.acquire(minute.shard);
    await sink.commit(batch, []);
    await sink.close();
    const positions = (await Array.fromAsync(files.list('_millrace/')))[0]!;
    await files.put(positions, Buffer.from('{"run":"restored","epoch":0}'));

    sink = await archive<Uint8Array>(store, { prefix: 'events' }).open({ pipeline: 'p', report: () => {} });
    expect(await sink.acquire(minute.shard)).toBeUndefined();
    await sink.commit(batch, []);
    expect((await archived(store)).sort()).toEqual(['a', 'b', 'c']);
    expect((await sink.positions([minute.shard])).get(minute.shard)).toEqual(next.last);
    // None has the bytes, and with them the etag, that it had before.
    for await (const key of files.list('events/')) {
      const { body, metadata } = (await files.get(key))!;
      expect([metadata['epoch'], Buffer.from(body).includes('millrace epoch 5')]).toEqual(['5', true]);
    }
  });

  test('keeps what a run had put when it was killed, though the next one has lost the rest to retention', async () => {
    const at = (raw: string, sequence: number) => windowWith({ raw, sequence });
    const batchOf = (window: Window<Uint8Array>) => ({ items: [window], positions: new Map([[minute.shard, window.last]]) });
    // Two calls to acquire, the document that tells of the object, and the object.
    const killed = interrupted(store, { at: 3, mishap: 'unanswered' });
    const first = await archive<Uint8Array>(killed, { prefix: 'events' }).open({ pipeline: 'p', report: () => {} });
    await first.acquire(minute.shard);
    await expect(first.commit(batchOf(at('a', 1)), [])).rejects.toThrow('unanswered');
    expect(await archived(store)).toEqual(['a']);

    sink = await archive<Uint8Array>(store, { prefix: 'events' }).open({ pipeline: 'p', report: () => {} });
    expect(await sink.acquire(minute.shard)).toEqual(at('a', 1).last);
    await sink.commit(batchOf(at('z', 9)), []);
    expect((await archived(store)).sort()).toEqual(['a', 'z']);
  });

  test.each([
    ['its document', 0, 'lost'],
    ['the word that it is taken over', 1, 'unanswered'],
    ['the object', 2, 'lost'],
    ['the word that it is stored', 3, 'lost'],
    ['the word that it is stored', 3, 'unanswered'],
  ] as const)('keeps it also where %s, call %i of the next one, is %s first', async (_, at, mishap) => {
    const window = windowWith({ raw: 'a', sequence: 1 });
    const killed = interrupted(store, { at: 3, mishap: 'unanswered' });
    const first = await archive<Uint8Array>(killed, { prefix: 'events' }).open({ pipeline: 'p', report: () => {} });
    await first.acquire(minute.shard);
    const putting = first.commit({ items: [window], positions: new Map([[minute.shard, window.last]]) }, []);
    await expect(putting).rejects.toThrow('unanswered');

    const shaky = interrupted(store, { at, mishap, isDeadly: false });
    sink = await archive<Uint8Array>(shaky, { prefix: 'events' }).open({ pipeline: 'p', report: () => {} });
    await expect(sink.acquire(minute.shard)).rejects.toThrow(mishap);
    expect(await sink.acquire(minute.shard)).toEqual(window.last);
  });

  test('goes back with a store that went back', async () => {
    sink = await archive<Uint8Array>(store, { prefix: 'events' }).open({ pipeline: 'p', report: () => {} });
    await sink.acquire(minute.shard);
    const positions = (await Array.fromAsync(files.list('_millrace/')))[0]!;
    const older = (await files.get(positions))!.body;
    const first = windowWith({ raw: 'a', sequence: 1 });
    const second = windowWith({ raw: 'b', sequence: 2 });
    const batchOf = (window: Window<Uint8Array>) => ({ items: [window], positions: new Map([[minute.shard, window.last]]) });
    await sink.commit(batchOf(first), []);
    await files.put(
      positions,
      Buffer.from(
        Buffer.from(older)
          .toString()
          .replace(/"run":"[^"]*","epoch":1/, '"run":"other","epoch":0'),
      ),
    );
    await expect(sink.commit(batchOf(second), [])).rejects.toThrow(/went back in time/);
    expect(await sink.positions([minute.shard])).toEqual(new Map());
    await sink.commit({ items: [first, second], positions: new Map([[minute.shard, second.last]]) }, []);
    expect((await archived(store)).sort()).toEqual(['a', 'b']);
  });

  test('refuses a prefix or a level it cannot use, when it is declared', () => {
    for (const prefix of ['', '/x', 'x/', 'a//b', '../x', '_millrace', '_millrace/x'])
      expect(() => archive(store, { prefix }), prefix).toThrow(TypeError);
    for (const level of [0, 10, 1.5]) expect(() => archive(store, { prefix: 'x', level }), String(level)).toThrow(RangeError);
    expect(() => archive(store, { prefix: 'x', level: 22, compression: 'zstd' })).not.toThrow();
  });
});
