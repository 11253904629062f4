import { setImmediate as soon } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Ledger } from '../../src/ledger.ts';
import { type Position, comparePositions, formatResume } from '../../src/position.ts';
import { archive } from '../../src/sinks/archive.ts';
import { packLines } from '../../src/sinks/pack-lines.ts';
import { type ArchivedOptions, archived } from '../../src/sources/archived.ts';
import { type ObjectStore, type OpenObjectStore } from '../../src/stores/object-store.ts';
import { s3 } from '../../src/stores/s3.ts';
import { scratchStores } from '../sinks/archive-protocol.ts';
import { type WrittenWindow, storeWindows } from '../support/archive-of.ts';
import { type Reading, type ReadOptions, readSource, textsByShard } from '../support/read-source.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { sourceConformance } from './conformance.ts';

const nine = Date.UTC(2026, 10, 22, 9);
const MINUTE_MS = 60_000;
const hour = { prefix: 'events', since: new Date(nine), until: new Date(nine + 60 * MINUTE_MS) };
const range = '2026-11-22T09:00Z/2026-11-22T10:00Z';

let stores: Awaited<ReturnType<typeof scratchStores>>;
let store: ObjectStore;
let files: OpenObjectStore;
beforeEach(async () => {
  stores = await scratchStores();
  store = stores.make();
  files = await store.open({ report: () => {} });
});
afterEach(async () => {
  await files.close();
  await stores.close();
});

const read = (options: Partial<ArchivedOptions> = {}, how?: ReadOptions): Reading =>
  readSource(archived(store, { ...hour, ...options }), how);

/** All that it gives, by shard, each line as text. */
async function linesOf(options?: Partial<ArchivedOptions>): Promise<Record<string, string[]>> {
  const { completed, events } = read(options);
  await completed;
  return textsByShard(events);
}

/** Reads until the error with which it ends. */
async function errorOf(options?: Partial<ArchivedOptions>, how?: ReadOptions): Promise<string> {
  const error: unknown = await read(options, how).completed.then(
    () => new Error('it completed'),
    (thrown: unknown) => thrown,
  );
  return (error as Error).message;
}

const window = (minute: number, first: number | string, ...lines: string[]): WrittenWindow => ({
  startMs: nine + minute * MINUTE_MS,
  first,
  lines,
});
const keysIn = (): Promise<string[]> => Array.fromAsync(files.list('events/'));
const idOf = (shard: string): string => `events ${range} ${shard}`;

/** Fills a store with a window for each batch, a minute after the other; one more shard ends the range far behind. */
async function filled(
  where: ObjectStore,
  shards: readonly (readonly (readonly string[])[])[],
  maxLines: number,
): Promise<{ source: ReturnType<typeof archived>; shards: string[]; times: Date[] }> {
  const windows = shards.flatMap((batches, i) =>
    batches.map((lines, n) => ({ ...window(n, n * 100 + 1, ...lines), shard: `shardId-${i}` })),
  );
  await storeWindows(where, windows);
  return {
    source: archived(where, { ...hour, maxLines }),
    shards: shards.map((_, i) => idOf(`shardId-${i}`)),
    times: shards[0]!.map((_, n) => new Date(nine + n * MINUTE_MS)),
  };
}

describe('archived, in a directory', () => {
  sourceConformance((shards, maxLines) => filled(store, shards, maxLines));
});

describe('archived, at an S3 API server', () => {
  let server: S3Server;
  let buckets = 0;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server.close());
  sourceConformance((shards, maxLines) =>
    filled(s3(`s3://${server.bucket}/fill-${buckets++}`, { client: server.client }), shards, maxLines),
  );
});

describe('archived reads', () => {
  it('the windows that begin in the range, whatever lies beside it', async () => {
    await storeWindows(store, [window(-1, 1, 'before'), window(0, 2, 'a', 'b'), window(59, 5, 'c'), window(60, 9, 'after')]);
    expect(await linesOf()).toEqual({ [idOf('s')]: ['a', 'b', 'c'] });
    expect(await linesOf({ until: new Date(nine + MINUTE_MS) })).toEqual({
      'events 2026-11-22T09:00Z/2026-11-22T09:01Z s': ['a', 'b'],
    });
  });

  it('shards whose names no file can have: of a long path, of a recovery of a recovery', async () => {
    const [path, recovery] = ['журналы/'.repeat(20), `recover-2 recover ${range} recover warehouse ${range} ${'s'.repeat(150)}`];
    const shards = [path, `${path}x`, recovery].map((name) => `${name}#5f3a9c21`);
    const last = new Map<string, string>();
    for (const minute of [0, 1]) {
      await storeWindows(
        store,
        shards.map((shard, i) => ({ ...window(minute, minute + 1, `${i}-${minute}`), shard })),
      );
      const standings = await archive(store, { prefix: 'events' }).stands!('warehouse');
      for (const { shard, resume } of standings) last.set(shard, formatResume(resume!));
    }
    expect([...last.values()]).toEqual(['2:0', '2:0', '2:0']);
    const found = await linesOf();
    expect(new Set(Object.values(found).map(String))).toEqual(new Set(['0-0,0-1', '1-0,1-1', '2-0,2-1']));
    expect(Object.keys(found).every((shard) => /журналы|recover-2/.test(shard))).toBe(true);
  });

  it('a shard under one name, however long its sequence numbers have become', async () => {
    const firsts = [1, 1_000_000, '1000001:7', 1e15];
    // Around where the longest name begins to be too long.
    const shards = Array.from({ length: 20 }, (_, i) => 'x'.repeat(150 + 5 * i));
    await storeWindows(
      store,
      shards.flatMap((shard) => firsts.map((first, minute) => ({ ...window(minute, first, String(minute)), shard }))),
    );
    const found = await linesOf();
    expect(Object.values(found).filter((lines) => String(lines) !== '0,1,2,3')).toEqual([]);
    expect(Object.keys(found)).toHaveLength(shards.length);
  });

  it('over midnight and the end of a year', async () => {
    const newYear = Date.UTC(2027, 0, 1);
    await storeWindows(store, [
      { startMs: newYear - MINUTE_MS, first: 1, lines: ['old'] },
      { startMs: newYear, first: 2, lines: ['new'] },
    ]);
    const lines = await linesOf({ since: new Date(newYear - MINUTE_MS), until: new Date(newYear + MINUTE_MS) });
    expect(Object.values(lines)).toEqual([['old', 'new']]);
  });

  it.each(['gzip', 'zstd'] as const)('what was packed by %s, in pieces, lines of any length among them', async (compression) => {
    const lines = [1, 0, 3_000_000, 5, 1_048_575, 1_048_576, 7].map((length, i) => String(i).repeat(length));
    await storeWindows(store, [window(0, 1, ...lines)], { compression });
    expect(await linesOf()).toEqual({ [idOf('s')]: lines });
  });

  it('events that arrived when their window began, to the millisecond where it has less than a minute', async () => {
    const tenSeconds = (n: number): WrittenWindow => ({
      startMs: nine + n * 10_000,
      everyMs: 10_000,
      first: n + 1,
      lines: [`${n}`],
    });
    await storeWindows(
      store,
      Array.from({ length: 8 }, (_, n) => tenSeconds(n)),
    );
    const { events, completed } = read();
    await completed;
    expect(events.map(({ arrivedAtMs }) => (arrivedAtMs - nine) / 10_000)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('a shard in the order of the stream, also where a later window begins earlier', async () => {
    // A run that began anew met a record that had arrived a moment before others, and numbers have lengths.
    await storeWindows(store, [window(1, 8, 'a', 'b'), window(0, 12, 'c'), window(1, 100, 'd')]);
    expect(await linesOf()).toEqual({ [idOf('s')]: ['a', 'b', 'c', 'd'] });
  });

  it('more shards than it has turns for, each whole', async () => {
    const shards = Array.from({ length: 20 }, (_, i) => `shardId-${i}`);
    await storeWindows(
      store,
      shards.flatMap((shard) => [
        { ...window(0, 1, `${shard} a`), shard },
        { ...window(1, 2, `${shard} b`), shard },
      ]),
    );
    expect(await linesOf()).toEqual(Object.fromEntries(shards.map((shard) => [idOf(shard), [`${shard} a`, `${shard} b`]])));
  });

  it('nothing of objects that only close a key, also beside one with the same first position', async () => {
    await storeWindows(store, [window(0, 1, 'a', 'b')]);
    const [key] = await keysIn();
    const empty = { metadata: { count: '0', shard: 's' } };
    await files.put(key!.replace('0900', '0901'), gzipSync(''), empty);
    await files.put(key!.replace('-1.tsv.gz', '-1.tsv.zst'), zstdCompressSync(''), empty);
    expect(await linesOf()).toEqual({ [idOf('s')]: ['a', 'b'] });
  });

  it('what was archived since, when the same range is read once more', async () => {
    await storeWindows(store, [window(0, 1, 'a')]);
    const first = read();
    await first.completed;
    const stands = first.events.at(-1)!.position;
    const again = read({}, { acquire: async () => stands, end: async () => expect.unreachable('an end is written down') });
    await again.completed;
    expect(again.events).toEqual([]);
    expect(again.diagnostics).toContainEqual({ type: 'read-before', shard: idOf('s'), count: 1, what: 'object', isAll: true });
    await storeWindows(store, [window(2, 2, 'b')]);
    const more = read({}, { acquire: async () => stands });
    await more.completed;
    expect(textsByShard(more.events)).toEqual({ [idOf('s')]: ['b'] });
    // Who has deleted those rows in between is not to take them for restored.
    expect(more.diagnostics).toContainEqual({ type: 'read-before', shard: idOf('s'), count: 1, what: 'object', isAll: false });
  });

  it('all that somebody put together of several objects, be it more than one member or frame', async () => {
    const parts = ['a\n', 'b\nc\n'];
    await files.put('events/2026/11/22/0900-s-1.tsv.gz', Buffer.concat(parts.map((part) => gzipSync(part))));
    await files.put('events/2026/11/22/0901-s-2.tsv.zst', Buffer.concat(parts.map((part) => zstdCompressSync(part))));
    expect(await linesOf()).toEqual({ [idOf('s')]: ['a', 'b', 'c', 'a', 'b', 'c'] });
  });

  it('a line without its newline, be it the last one of a file that somebody made', async () => {
    await files.put('events/2026/11/22/0900-s-1.tsv.gz', gzipSync('a\r\n\nb'));
    expect(await linesOf()).toEqual({ [idOf('s')]: ['a\r', '', 'b'] });
  });
});

describe('archived gives positions', () => {
  it('to lines that no object shares with another, wherever in a packed record they begin, in the order of the stream', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(
          fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 0, max: 120 }), fc.integer({ min: 1, max: 200 })),
          {
            selector: ([sequence, subSequence]) => `${sequence}:${subSequence}`,
            minLength: 1,
            maxLength: 6,
          },
        ),
        async (places) => {
          store = stores.make();
          // Objects whose lines are made of fewer records, as of steps that make many of one: more lines than there are places between.
          const inOrder = places.toSorted(([a, x], [b, y]) => a - b || x - y);
          const one = await store.open({ report: () => {} });
          for (const [n, [sequence, subSequence, count]] of inOrder.entries()) {
            const place = subSequence === 0 ? `${sequence}` : `${sequence}.${subSequence}`;
            const lines = Array.from({ length: count }, (_, i) => `${n} ${i}\n`).join('');
            await one.put(`events/2026/11/22/09${String(n).padStart(2, '0')}-s-${place}.tsv.gz`, gzipSync(lines));
          }
          await one.close();
          const { events, completed } = read({ maxLines: 50 });
          await completed;
          const expected = inOrder.flatMap(([, , count], n) => Array.from({ length: count }, (_, i) => `${n} ${i}`));
          expect(textsByShard(events)).toEqual({ [idOf('s')]: expected });
          for (const [i, { position }] of events.entries())
            if (i > 0) expect(comparePositions(events[i - 1]!.position, position)).toBeLessThan(0);
        },
      ),
      { numRuns: 30 },
    ));

  it('that stay as they are when more is archived, before and behind, and resume in the middle of an object', async () => {
    const middle = [window(3, '100:57', 'c', 'd', 'e'), window(4, 200, 'f')];
    await storeWindows(store, middle);
    const alone = read();
    await alone.completed;
    const before = new Map(alone.events.map(({ data, position }) => [Buffer.from(data).toString(), position]));
    store = stores.make();
    await storeWindows(store, [window(1, 90, 'a'), window(2, 100, 'b'), ...middle, window(5, 201, 'g')]);
    const all = read();
    await all.completed;
    const after = new Map(all.events.map(({ data, position }) => [Buffer.from(data).toString(), position]));
    for (const [line, position] of before) expect(after.get(line)).toEqual(position);

    const lines = [...after.keys()];
    for (const [i, position] of [...after.values()].entries()) {
      const rest = read({}, { acquire: async () => position });
      await rest.completed;
      expect(textsByShard(rest.events)[idOf('s')] ?? []).toEqual(lines.slice(i + 1));
    }
  });
});

describe('archived, of an object of several pieces', () => {
  const lines = Array.from({ length: 30 }, (_, i) => `${i} `.repeat(40_000));
  const place = (subSequence: number): Position => ({ shard: idOf('s'), sequence: '10000000000', subSequence });
  beforeEach(() => storeWindows(store, [window(0, 1, ...lines)]));

  it.each([0, 3, 14, 29, 30])('goes on behind line %i, with the places that its lines have', async (done) => {
    const { events, completed } = read({ maxLines: 4 }, { acquire: async () => (done ? place(done) : 'TRIM_HORIZON') });
    await completed;
    expect(events.map(({ position }) => position)).toEqual(lines.slice(done).map((_, i) => place(done + i + 1)));
    expect((textsByShard(events)[idOf('s')] ?? []).join('\n') === lines.slice(done).join('\n')).toBe(true);
  });

  it('gives the memory of a piece back once nobody needs a line of it any more', async () => {
    const ledger = new Ledger({ freesRecords: true });
    const { events, completed } = read(
      { maxLines: 4 },
      { ledger, acquire: async () => place(6), onEvent: (event) => event.hold() },
    );
    await vi.waitUntil(() => events.length === 24);
    const deliveries = Map.groupBy(events, ({ delivery }) => delivery);
    for (const its of deliveries.values()) {
      expect(
        its.map(({ data }) => Buffer.from(data).toString()).join() ===
          lines
            .slice(6)
            .filter((_, i) => its.includes(events[i]!))
            .join(),
      ).toBe(true);
      for (const event of its) event.release();
    }
    await completed;
    expect(new Set(events.map(({ data }) => data.length))).toEqual(new Set([0]));
  });
});

describe('archived keeps to its limits', () => {
  it('with deliveries of so many lines at most, each of which waits for room', async () => {
    const lines = Array.from({ length: 25 }, (_, i) => `line ${i}`);
    await storeWindows(store, [window(0, 1, ...lines)]);
    const { events, completed } = read({ maxLines: 10 }, { ledger: new Ledger({ maxInFlightBytes: 1 }) });
    await completed;
    expect([...new Set(events.map(({ delivery }) => delivery))].map(({ count }) => count)).toEqual([10, 10, 5]);
  });

  it('refuses settings out of their bounds', () => {
    const declare = (options: Partial<ArchivedOptions>) => () => archived(store, { ...hour, ...options });
    expect(declare({ prefix: '_millrace' })).toThrow('archived: expected a prefix like');
    expect(declare({ since: new Date(nine + 1) })).toThrow(
      'archived: expected since at a whole minute, got 2026-11-22T09:00:00.001Z',
    );
    expect(declare({ until: new Date(Number.NaN) })).toThrow('archived: expected until at a whole minute, got no time');
    expect(declare({ until: hour.since })).toThrow('archived: expected until after since');
    expect(declare({ maxLines: 0 })).toThrow('archived: expected maxLines of 1 or more, got 0');
  });
});

describe('archived ends with an error, before it gives out a line of the object,', () => {
  const put = (name: string, body: Uint8Array, metadata?: Record<string, string>): Promise<string> =>
    files.put(`events/2026/11/22/${name}`, body, metadata && { metadata });

  it.each([
    [
      'that is no gzip',
      '0900-s-1.tsv.gz',
      Buffer.from('a\nb\n'),
      /lines packed by gzip in events\/2026\/11\/22\/0900-s-1.tsv.gz.*incorrect header/,
    ],
    [
      'of which the end is missing',
      '0900-s-1.tsv.gz',
      gzipSync('a\nb\n'.repeat(999)).subarray(0, -9),
      /packed by gzip.*unexpected end of file/,
    ],
    [
      'of which the end is missing, of zstd',
      '0900-s-1.tsv.zst',
      zstdCompressSync('a\nb\n').subarray(0, -3),
      /packed by zstd.*unexpected end/,
    ],
    ['that is empty', '0900-s-1.tsv.gz', Buffer.alloc(0), /packed by gzip.*unexpected end of file/],
  ])('%s', async (_, name, body, message) => {
    await put(name, body);
    const { completed, events } = read();
    await expect(completed).rejects.toThrow(message);
    expect(events).toEqual([]);
  });

  it('of which a byte has changed, however late', async () => {
    const body = gzipSync(Array.from({ length: 200_000 }, (_, i) => `${i} ${(i * 48_271) % 2_147_483_647}\n`).join(''));
    body[body.length - 5]! ^= 1;
    await put('0900-s-1.tsv.gz', body);
    const { completed, events } = read();
    await expect(completed).rejects.toThrow(/incorrect/);
    expect(events).toEqual([]);
  });

  it('of which a byte has changed that unpacks all the same, of zstd', async () => {
    const lines = Array.from({ length: 2_000 }, (_, i) => Buffer.from(randomBytes(64).toString('hex') + String(i)));
    const body = await packLines(lines, { compression: 'zstd', stamp: 'test' });
    body[body.length >> 1]! ^= 1;
    await put('0900-s-1.tsv.zst', body, { count: '2000' });
    const { completed, events } = read();
    await expect(completed).rejects.toThrow(/packed by zstd in .*0900-s-1.tsv.zst, got what cannot be unpacked/);
    expect(events).toEqual([]);
  });

  it('that has another number of lines than its metadata say', async () => {
    await put('0900-s-1.tsv.gz', gzipSync('a\nb\n'), { count: '3' });
    expect(await errorOf()).toBe('archived: expected 3 lines in events/2026/11/22/0900-s-1.tsv.gz, as its metadata say, got 2');
    await put('0900-s-1.tsv.gz', gzipSync('a\nb\n'), { count: '1' });
    expect(await errorOf()).toMatch(/expected 1 lines .*, got 2: an event with a newline inside is more than one line$/);
  });

  it("that lies under another one's key", async () => {
    await storeWindows(store, [window(0, 7, 'a')]);
    const { body, metadata } = (await files.get((await keysIn())[0]!))!;
    await put('0901-s-7.tsv.gz', body, metadata);
    expect(await errorOf({ since: new Date(nine + MINUTE_MS) })).toMatch(
      /expected a start in the minute of .*0901-s-7.tsv.gz, got 2026-11-22T09:00:00.000Z/,
    );
    await put('0901-s-7.tsv.gz', body, { ...metadata, start: '2026-11-22T09:02:00.000Z' });
    expect(await errorOf({ since: new Date(nine + MINUTE_MS) })).toMatch(/0901-s-7.tsv.gz, got 2026-11-22T09:02:00.000Z/);
    await put('0902-s-8.tsv.gz', body, metadata);
    expect(await errorOf({ since: new Date(nine + 2 * MINUTE_MS) })).toMatch(
      /expected 8:0 as the first position of .*0902-s-8.tsv.gz, got 7:0/,
    );
  });

  it.each([
    '0900-s-1.tsv',
    '0900-s-1.tsv.gz.tmp',
    '09-notes.txt',
    '0900-s-01.tsv.gz',
    '0900-%zz-1.tsv.gz',
    '0960-s-1.tsv.gz',
    '09/0900-s-1.tsv.gz',
  ])('whose key %s is none of an archive', async (name) => {
    await put(name, gzipSync('a\n'));
    expect(await errorOf()).toMatch(`got events/2026/11/22/${name}; what is not the archive's has to lie elsewhere`);
  });

  it('that begins where another one does', async () => {
    await put('0900-s-1.tsv.gz', gzipSync('a\n'));
    await put('0901-s-1.tsv.gz', gzipSync('b\n'));
    const { completed, events } = read();
    await expect(completed).rejects.toThrow(
      /expected one object that begins where .*0900-s-1.tsv.gz does, got .*0901-s-1.tsv.gz as well/,
    );
    expect(textsByShard(events)).toEqual({ [idOf('s')]: ['a'] });
  });

  it('in which the run before stood, when it has fewer lines now, or is gone', async () => {
    await put('0900-s-1.tsv.gz', gzipSync('a\nb\n'));
    await put('0901-s-2.tsv.gz', gzipSync('c\n'));
    const { completed, events } = read();
    await completed;
    const acquire = async (): Promise<Position> => events[1]!.position;
    await put('0900-s-1.tsv.gz', gzipSync('a\n'));
    expect(await errorOf({}, { acquire })).toMatch(
      /expected 2 lines or more in .*0900-s-1.tsv.gz, in the middle of which .* stands, got 1/,
    );
    const none = /expected the object in which .* stands, got none/;
    expect(await errorOf({ since: new Date(nine + MINUTE_MS) }, { acquire })).toMatch(none);
    const acquireLast = async (): Promise<Position> => events[2]!.position;
    expect(await errorOf({ until: new Date(nine + MINUTE_MS) }, { acquire: acquireLast })).toMatch(none);
  });

  it('when there is none in the range', async () => {
    await storeWindows(store, [window(60, 1, 'a')]);
    expect(await errorOf()).toBe(`archived: expected objects of events in ${store.describe} in ${range}, got none`);
    await expect(archived(store, hour).check('test')).rejects.toThrow('got none');
  });
});

describe('archived, of objects that were copied without their metadata,', () => {
  it('reads them by their keys, and tells that nobody can count their lines', async () => {
    await storeWindows(store, [window(0, 1, 'a', 'b'), window(1, '3:9', 'c'), window(2, 4, 'd')]);
    for (const key of (await keysIn()).slice(1)) await files.put(key, (await files.get(key))!.body);
    const { completed, events, diagnostics } = read();
    await completed;
    expect(textsByShard(events)).toEqual({ [idOf('s')]: ['a', 'b', 'c', 'd'] });
    expect(events.map(({ arrivedAtMs }) => (arrivedAtMs - nine) / MINUTE_MS)).toEqual([0, 0, 1, 2]);
    expect(diagnostics).toContainEqual({
      type: 'no-metadata',
      shard: idOf('s'),
      objects: 2,
      key: 'events/2026/11/22/0901-s-3.9.tsv.gz',
    });
  });
});

describe('archived, of a store that fails', () => {
  it('tries again when that passes, and tells', async () => {
    await storeWindows(store, [window(0, 1, 'a'), window(1, 2, 'b')]);
    let calls = 0;
    const failing: ObjectStore = {
      describe: store.describe,
      async open(context) {
        const open = await store.open(context);
        const sometimes = (): void => {
          if (++calls % 2 === 1) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
        };
        return {
          head: (key) => open.head(key),
          put: (key, body, options) => open.put(key, body, options),
          close: () => open.close(),
          async get(key) {
            sometimes();
            return open.get(key);
          },
          async *list(prefix) {
            sometimes();
            yield* open.list(prefix);
          },
        };
      },
    };
    const { completed, events, diagnostics } = readSource(archived(failing, { ...hour }), { random: () => 0 });
    await completed;
    expect(textsByShard(events)).toEqual({ [idOf('s')]: ['a', 'b'] });
    expect(diagnostics.filter(({ type }) => type === 'source-retry')).toHaveLength(3);
  });

  it('lists no further once it is stopped, or one of its listings has failed', async () => {
    const year = { prefix: 'events', since: new Date('2026-01-01'), until: new Date('2027-01-01') };
    let listed = 0;
    const listing = (act: () => void): ObjectStore => ({
      describe: 'slow',
      open: async () => ({
        head: async () => undefined,
        get: async () => undefined,
        put: async () => expect.unreachable(),
        close: async () => {},
        // eslint-disable-next-line require-yield -- it finds nothing
        async *list() {
          listed++;
          await soon();
          act();
        },
      }),
    });
    const reading: Reading = readSource(
      archived(
        listing(() => reading.stop.abort()),
        year,
      ),
    );
    await reading.completed;
    expect(listed).toBeLessThan(20);

    listed = 0;
    const fail = (): void => {
      if (listed > 8) throw new Error('not that one');
    };
    await expect(readSource(archived(listing(fail), year)).completed).rejects.toThrow('not that one');
    for (let i = 0; i < 10; i++) await soon();
    expect(listed).toBeLessThan(40);
  });

  it.each([
    ['waits for an object', 0, true],
    ['has given out a line', 1, false],
  ])('is not at the end of a shard when it is stopped as it %s, and closes the store', async (_, count, isSlow) => {
    await storeWindows(store, [window(0, 1, 'a', 'b', 'c')]);
    const close = vi.fn<() => void>();
    const stopping: ObjectStore = {
      describe: store.describe,
      async open(context) {
        const open = await store.open(context);
        return {
          head: (key) => open.head(key),
          put: (key, body, options) => open.put(key, body, options),
          list: (prefix) => open.list(prefix),
          close: () => open.close().then(close),
          async get(key) {
            if (isSlow) reading.stop.abort();
            return open.get(key);
          },
        };
      },
    };
    const acquire = async (shard: string) => ({ shard, sequence: '10000000000', subSequence: 1 });
    const reading = readSource(archived(stopping, { ...hour, maxLines: 1 }), { acquire, stopAfter: isSlow ? 2 : 1 });
    await reading.completed;
    expect(reading.events).toHaveLength(count);
    expect(reading.diagnostics.filter(({ type }) => type === 'shard-ended' || type === 'read-before')).toEqual([]);
    await vi.waitUntil(() => close.mock.calls.length > 0);
  });

  it('writes nothing to find out what the store can do, and makes no folder that is absent', async () => {
    const absent = stores.make();
    await expect(readSource(archived(absent, hour)).completed).rejects.toThrow(/directory: expected a folder at .*, got none/);
    await expect(archived(absent, hour).check('test')).rejects.toThrow('got none');
  });

  it('says what it found', async () => {
    await storeWindows(store, [window(0, 1, 'a'), window(1, 2, 'b')]);
    expect(await archived(store, hour).check('test')).toBe(`events in ${store.describe}: 2 objects in ${range}, of 1 shard`);
  });
});
