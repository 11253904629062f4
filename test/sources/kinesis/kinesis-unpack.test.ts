import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import type { MonoTypeOperatorFunction } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../../src/delivery.ts';
import type { Event, Reject } from '../../../src/event.ts';
import type { Position, Resume } from '../../../src/position.ts';
import { type Counts, Ledger } from '../../../src/ledger.ts';
import { dedupe } from '../../../src/operators/dedupe.ts';
import { pipeline } from '../../../src/pipeline.ts';
import type { RecordList } from '../../../src/records.ts';
import { run } from '../../../src/run/run.ts';
import { type KinesisOptions, kinesis } from '../../../src/sources/kinesis.ts';
import { deliver } from '../../../src/sources/kinesis/deliver.ts';
import { ownMemory } from '../../../src/sources/text/own-memory.ts';
import type { ShardReading } from '../../../src/sources/shards/read-shards.ts';
import type { Source } from '../../../src/sources/source.ts';
import { identityLog } from '../../../src/stores/identity-log.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { aggregate, compressed, compressedBatch } from '../../support/aggregates.ts';
import { type FanOutKinesisOptions, startFanOutKinesis } from '../../support/fan-out-kinesis.ts';
import { type FaultyKinesisOptions, startFaultyKinesis } from '../../support/faulty-kinesis.ts';
import { hurried } from '../../support/hurried.ts';
import { readSource } from '../../support/read-source.ts';

const servers: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

type Records = FaultyKinesisOptions['shards'][number]['records'];

/** A stream of one closed shard with these records. */
async function serve(records: Records, hashKeys?: { first: string; last: string }) {
  const server = await startFaultyKinesis({ shards: [{ id: 's', records, isClosed: true, ...(hashKeys && { hashKeys }) }] });
  servers.push(server);
  const source = (options: Partial<KinesisOptions> = {}) =>
    kinesis({ stream: 'shop', endpoint: server.endpoint, pollEveryMs: 0, ...options });
  return { server, source };
}

async function serveByFanOut(given: FanOutKinesisOptions): Promise<Source<Uint8Array>> {
  const server = await startFanOutKinesis(given);
  servers.push(server);
  return kinesis({ stream: 'shop', endpoint: server.endpoint, mode: 'fan-out' });
}

const scheduler = hurried(1000);
const text = (data: unknown): string => Buffer.from(data as Uint8Array).toString('latin1');
const place = ({ position: { sequence, subSequence } }: { readonly position: Position }): string => `${sequence}:${subSequence}`;

const damaged = (data: Buffer): Buffer => {
  const copy = Buffer.from(data);
  copy[copy.length - 5]! ^= 1;
  return copy;
};

/** As the reader of a shard is given it. */
function readingWith(ledger: Ledger, stop: AbortSignal, emit: ShardReading['emit']): ShardReading {
  return {
    pipeline: 'test',
    shard: { id: 's', parents: [] },
    start: 'TRIM_HORIZON',
    resume: 'TRIM_HORIZON',
    scheduler,
    ledger,
    stop,
    signal: stop,
    report() {},
    acquire: async (_, from) => from,
    stands: async () => undefined,
    end: async () => {},
    emit,
  };
}

describe('kinesis with packed records', () => {
  it('numbers the parts of a record from 1, over what is nested in it; a record of its own has 0', async () => {
    const nested = aggregate(['b', compressedBatch(['c', 'd'], 'gzip'), 'e']);
    const { source } = await serve(['a', nested, compressedBatch(['f', 'g'], 'zstd'), 'h']);
    const { events, completed, ledger } = readSource(source(), { scheduler });
    await completed;
    expect(events.map((event) => `${place(event)} ${text(event.data)}`)).toEqual([
      '1:0 a',
      '2:1 b',
      '2:2 c',
      '2:3 d',
      '2:4 e',
      '3:1 f',
      '3:2 g',
      '4:0 h',
    ]);
    expect(events.every(({ data, origin, sizeBytes }) => data === origin.raw && sizeBytes === 1)).toBe(true);
    expect(events.map(({ arrivedAtMs }) => arrivedAtMs / 1000)).toEqual([1, 2, 2, 2, 2, 3, 3, 4]);
    expect(ledger.counts()).toMatchObject({ read: 8, inFlight: 0 });
  });

  it('makes what is damaged a reject with its bytes, in its place, and counts what it drops', async () => {
    const [sum, batch] = [damaged(aggregate(['lost'])), damaged(compressedBatch(['lost'], 'gzip'))];
    const elsewhere = aggregate(['here', { data: 'there', explicitHashKey: '100' }]);
    const { source } = await serve(['a', sum, elsewhere, aggregate(['b', batch, 'c']), batch, compressedBatch([], 'zstd'), 'd'], {
      first: '0',
      last: '99',
    });
    const order: string[] = [];
    const rejected: Reject[] = [];
    const ledger = new Ledger();
    ledger.onReject((reject) => {
      rejected.push(reject);
      order.push(`${place(reject.event)} ${reject.why.step} ${reject.why.code}`);
      reject.release();
    });
    const { completed } = readSource(source(), {
      scheduler,
      ledger,
      onEvent: (event) => order.push(`${place(event)} ${text(event.data)}`),
    });
    await completed;
    // A user record without an explicit hash key has its partition key's: outside of a shard as narrow as this one.
    expect(order).toEqual(['1:0 a', '2:0 kinesis aggregate_checksum', '5:0 kinesis batch_format', '7:0 d']);
    expect(rejected.map(({ event }) => text(event.data))).toEqual([text(sum), text(batch)]);
    expect(ledger.counts()).toMatchObject({ read: 7, dropped: { 'other-shard': 2, 'empty-batch': 1 } });
  });

  it('goes by the hash keys that the parent names for a child', async () => {
    const packed = aggregate([{ data: 'right', explicitHashKey: '7' }]);
    const server = await startFaultyKinesis({
      shards: [
        { id: 'parent', records: [packed], isClosed: true, hashKeys: { first: '0', last: '9' } },
        { id: 'left', parents: ['parent'], records: [packed], isClosed: true, hashKeys: { first: '0', last: '4' } },
        { id: 'right', parents: ['parent'], records: [packed], isClosed: true, hashKeys: { first: '5', last: '9' } },
      ],
      pageSize: 1,
      // The list has the parent only.
      fault: ({ input }) => (input['NextToken'] ? { body: '{"Shards":[]}' } : undefined),
    });
    servers.push(server);
    const { events, completed, ledger } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }), { scheduler });
    await completed;
    expect(events.map(({ shard }) => shard)).toEqual(['parent', 'right']);
    expect(ledger.counts().dropped).toMatchObject({ 'other-shard': 1 });
  });

  it('leaves them as they are when it is told to', async () => {
    const packed = [aggregate(['a', 'b']), compressedBatch(['c'], 'gzip')];
    const { source } = await serve(packed);
    const { events, completed } = readSource(source({ unpack: false }), { scheduler });
    await completed;
    expect(events.map(({ data }) => Buffer.from(data))).toEqual(packed);
    expect(events.map(place)).toEqual(['1:0', '2:0']);
  });

  it('does not pass over the rest of a record that it stands in when it is no longer to take it apart', async () => {
    const { source } = await serve([aggregate(['a', 'b']), 'c']);
    const inside = { shard: 's', sequence: '1', subSequence: 1 };
    const { events, completed } = readSource(source({ unpack: false }), { scheduler, acquire: async () => inside });
    await expect(completed).rejects.toThrow(
      'kinesis: s stands behind part 1 of record 1, which is not to be taken apart any more. Read it with unpack on until it is behind',
    );
    expect(events).toEqual([]);
  });

  it('waits for room between deliveries when an answer becomes much more than it was', async () => {
    const lines = Array.from({ length: 4 }, (_, i) => String(i).repeat(4 * 1024 * 1024));
    const { source } = await serve([compressedBatch(lines, 'zstd'), compressedBatch(lines, 'gzip'), 'end']);
    const ledger = new Ledger({ maxInFlightBytes: 1 });
    const deliveries = new Set<Delivery>();
    let mostInFlight = 0;
    const { events, completed } = readSource(source({ maxRecords: 10 }), {
      ledger,
      scheduler,
      onEvent(event) {
        deliveries.add(event.delivery);
        mostInFlight = Math.max(mostInFlight, [...deliveries].filter(({ isSettled }) => !isSettled).length);
        event.hold();
        void nextTurn().then(() => event.release());
      },
    });
    await completed;
    expect(events.map(({ data }) => String.fromCharCode(data[0]!)).join('')).toBe('01230123e');
    expect(deliveries.size).toBeGreaterThan(3);
    expect(mostInFlight).toBe(1);
    // What one answer may have.
    for (const { sizeBytes } of deliveries) expect(sizeBytes).toBeLessThanOrEqual(10 * 1024 * 1024);
    expect(ledger.room.inFlightBytes).toBe(0);
  });

  it('is stopped while it waits for room, and reads the rest of the record the next time', async () => {
    const lines = Array.from({ length: 4 }, (_, i) => String(i).repeat(6 * 1024 * 1024));
    const { source } = await serve([compressedBatch(lines, 'zstd'), 'end']);
    const ledger = new Ledger({ maxInFlightBytes: 1 });
    const first = readSource(source({ maxRecords: 10 }), { ledger, scheduler, onEvent: (event) => event.hold() });
    await expect.poll(() => ledger.room.isFull && first.events.length).toBe(1);
    first.stop.abort();
    await first.completed;
    expect(first.diagnostics.map(({ type }) => type)).not.toContain('shard-ended');
    for (const event of first.events) event.release();
    // Nothing is reserved any more.
    await ledger.room.reserve(ledger.room.maxInFlightBytes);

    const { position } = first.events[0]!;
    const second = readSource(source(), { scheduler, acquire: async () => position });
    await second.completed;
    expect(second.events.map(place)).toEqual(['1:2', '1:3', '1:4', '2:0']);
  });

  it('renews an iterator that has grown old while it waited for room, in the middle of an answer too', async () => {
    const lines = ['first ', 'second'].map((line) => line.repeat(1024 * 1024));
    const { source, server } = await serve([compressedBatch(lines, 'zstd'), 'end']);
    const clock = hurried(2000);
    const { events, completed } = readSource(source({ maxRecords: 1 }), {
      scheduler: clock,
      ledger: new Ledger({ maxInFlightBytes: 1 }),
      onEvent(event, { events: { length } }) {
        event.hold();
        clock.schedule(() => event.release(), length === 1 ? 6 * 60_000 : 0);
      },
    });
    await completed;
    expect(events.map(place)).toEqual(['1:1', '1:2', '2:0']);
    const iterators = server.calls.filter(({ operation }) => operation === 'GetShardIterator');
    expect(iterators.map(({ input }) => input['ShardIteratorType']).filter((type) => type !== 'AT_SEQUENCE_NUMBER')).toEqual([
      'TRIM_HORIZON',
      'AFTER_SEQUENCE_NUMBER',
    ]);
  });

  it('reads them by fan-out too, with no part twice where one subscription ends and the next begins', async () => {
    const records = [aggregate(['a', 'b']), compressedBatch(['c', 'd'], 'zstd'), 'e'];
    const source = await serveByFanOut({
      shards: [{ id: 's', records }],
      // AWS says nowhere whether a continuation names what was sent last or what comes next.
      subscription: ({ nth }) => (nth < 2 ? [{ records: [nth + 1], continuation: String(nth + 1) }, 'ends'] : undefined),
    });
    const { events, completed } = readSource(source, { scheduler: hurried(100), stopAfter: 5 });
    await completed;
    expect(events.map(place)).toEqual(['1:1', '1:2', '2:1', '2:2', '3:0']);
  });

  it('fills its deliveries, also when an answer is small and becomes large', async () => {
    const lines = Array.from({ length: 20 }, () => 'x'.repeat(1024 * 1024));
    const source = await serveByFanOut({ shards: [{ id: 's', records: [compressedBatch(lines, 'zstd')] }] });
    const { events, completed } = readSource(source, { scheduler: hurried(100), stopAfter: 20 });
    await completed;
    // One in the room that there was, then three at a time.
    expect(new Set(events.map(({ delivery }) => delivery)).size).toBe(8);
  });

  it('leaves the event loop its turns while it takes much apart, and can be stopped in each', async () => {
    const bomb = compressed(Buffer.alloc(30 * 1024 * 1024), 'gzip');
    const stop = new AbortController();
    const ledger = new Ledger();
    const emitted: number[] = [];
    const reading = readingWith(ledger, stop.signal, (records, reservedBytes) => {
      emitted.push('count' in records ? records.count : records.length);
      ledger.room.unreserve(reservedBytes);
    });
    const bombs = Array.from({ length: 6 }, (_, i) => ({
      SequenceNumber: String(i + 1),
      ApproximateArrivalTimestamp: new Date(0),
      PartitionKey: 'any',
      Data: bomb,
    }));
    const takeApart = async () => {
      await ledger.room.reserve(1_000_000);
      return deliver(reading, 'TRIM_HORIZON', { records: bombs, reservedBytes: 1_000_000 }, { maxUnpackedBytes: 2 ** 25 });
    };

    let turns = 0;
    const ticking = setInterval(() => turns++);
    await takeApart();
    clearInterval(ticking);
    expect(emitted).toEqual([6]);
    expect(turns).toBeGreaterThan(0);

    setImmediate(() => stop.abort());
    expect(await takeApart()).toBeUndefined();
    expect(emitted).toEqual([6]);
    await ledger.room.reserve(ledger.room.maxInFlightBytes);
  });

  it('gives the memory of an answer back once all deliveries that became of it are settled, and not before', async () => {
    // Two are more than is reserved at a time.
    const big = ['a', 'b', 'c'].map((data) => data.repeat(3 * 1024 * 1024));
    const packed = big.map((data) => aggregate([data]));
    const body = ownMemory(new Uint8Array(Buffer.concat(packed)));
    let from = 0;
    const records = packed.map(({ length }, i) => ({
      SequenceNumber: String(i + 1),
      ApproximateArrivalTimestamp: new Date(0),
      PartitionKey: 'any',
      Data: body.subarray(from, (from += length)),
    }));
    const ledger = new Ledger();
    await ledger.room.reserve(1);
    const texts: string[] = [];
    let last: RecordList | undefined;
    const reading = readingWith(ledger, new AbortController().signal, (list, reservedBytes) => {
      last?.free();
      last = list as RecordList;
      texts.push(text(last.rawOf(0)));
      ledger.room.unreserve(reservedBytes);
    });
    await deliver(reading, 'TRIM_HORIZON', { records, reservedBytes: 1 }, { maxUnpackedBytes: 2 ** 25 });
    expect(texts.map((one, i) => one === big[i])).toEqual([true, true, true]);
    expect(body.buffer.byteLength).toBeGreaterThan(0);
    last!.free();
    expect(body.buffer.byteLength).toBe(0);
  });

  it('gives it back, too, where some of its records are empty', async () => {
    const body = ownMemory(new Uint8Array(3));
    const records = [new Uint8Array(), body.subarray(0, 2), new Uint8Array(), body.subarray(2)].map((Data, i) => ({
      SequenceNumber: String(i + 1),
      ApproximateArrivalTimestamp: new Date(0),
      PartitionKey: 'any',
      Data,
    }));
    const sizes: number[] = [];
    const reading = readingWith(new Ledger(), new AbortController().signal, (list) => {
      const { count, free } = list as RecordList;
      for (let i = 0; i < count; i++) sizes.push((list as RecordList).rawOf(i).length);
      free();
    });
    await deliver(reading, 'TRIM_HORIZON', { records, reservedBytes: 0 }, undefined);
    expect(sizes).toEqual([0, 2, 0, 1]);
    expect(body.buffer.byteLength).toBe(0);
  });

  it('ends with what to do when it stands inside a record that is now too large', async () => {
    const { source } = await serve([compressedBatch(['x'.repeat(100), 'y'], 'gzip')]);
    const acquire = async (shard: string): Promise<Position> => ({ shard, sequence: '1', subSequence: 1 });
    const { completed } = readSource(source({ maxUnpackedBytes: 50 }), { scheduler, acquire });
    await expect(completed).rejects.toThrow(/s stands behind part 1 of record 1.*Set maxUnpackedBytes as it was/);
  });

  it('refuses a limit that is none', () => {
    expect(() => kinesis({ stream: 's', maxUnpackedBytes: 0 })).toThrow('expected maxUnpackedBytes of 1 or more, got 0');
  });
});

/** A record of a stream, and what is to become of it. */
interface Put {
  readonly data: Buffer;
  readonly events: readonly string[];
  readonly rejects: readonly string[];
  readonly drops: number;
}

describe('a crash at any place, also inside an aggregate', () => {
  const payload = fc.string({ unit: 'grapheme-ascii', maxLength: 8 });
  const put = (data: Buffer | string, events: readonly string[], rejects: readonly Buffer[] = [], drops = 0): Put => ({
    data: Buffer.from(data),
    events,
    rejects: rejects.map(text),
    drops,
  });
  const plain = payload.map((data) => put(data, [data]));
  const by = fc.constantFrom('gzip' as const, 'zstd' as const);
  const batch = fc
    .tuple(fc.array(payload, { maxLength: 5 }), by)
    .map(([texts, method]) => put(compressedBatch(texts, method), texts, [], texts.length === 0 ? 1 : 0));
  const bad = payload.map((data) => damaged(compressedBatch([data], 'gzip'))).map((data) => put(data, [], [data]));
  const packed = fc.array(fc.oneof({ weight: 4, arbitrary: plain }, batch, bad), { minLength: 1, maxLength: 5 }).map((parts) => ({
    data: aggregate(parts.map(({ data }) => data)),
    events: parts.flatMap(({ events }) => events),
    rejects: parts.flatMap(({ rejects }) => rejects),
    drops: parts.reduce((sum, { drops }) => sum + drops, 0),
  }));
  const badAggregate = payload.map((data) => damaged(aggregate([data]))).map((data) => put(data, [], [data]));
  const stream = fc.array(fc.oneof(plain, packed, packed, batch, bad, badAggregate), { minLength: 1, maxLength: 8 });

  const cuts = fc.array(fc.nat(6), { maxLength: 6 });
  const maxRecords = fc.integer({ min: 1, max: 8 });

  /** Runs a pipeline again and again, each time until so many more events are stored; then to the end. Gives what is stored then. */
  async function runInPieces(
    source: Source<Uint8Array>,
    pieces: readonly number[],
    step: () => MonoTypeOperatorFunction<Event<Uint8Array>> = () => (events) => events,
  ): Promise<{ events: string[]; rejects: string[]; last: Resume | undefined; counts: Counts }> {
    const sink = memorySink<Event<Uint8Array>>();
    const rejects = memorySink<Reject>('rejects');
    const once = (): Promise<Counts> => {
      const stop = new AbortController();
      return run(pipeline('shop').from(source).pipe(step()).to(sink).rejects(rejects), {
        scheduler,
        stop: stop.signal,
        // The child of a shard begins when all of that is settled.
        report: (diagnostic) => diagnostic.type === 'shard-started' && diagnostic.shard === 'child' && stop.abort(),
      });
    };
    const killed = new Error('killed');
    for (const piece of pieces) {
      let left = piece;
      sink.beforeCommit = ({ items }) => {
        left -= items.length;
        if (left >= 0) return;
        // Killed when the first of them were stored.
        const stored = items.slice(0, items.length + left);
        sink.stored.push(...stored);
        if (stored.length > 0) sink.positions.set('s', stored.at(-1)!.last);
        throw killed;
      };
      await once().catch((error: unknown) => expect(error).toMatchObject({ cause: killed }));
    }
    sink.beforeCommit = () => {};
    const counts = await once();
    return {
      events: sink.stored.map(({ data }) => text(data)),
      rejects: rejects.stored.map(({ event }) => text(event.data)),
      last: sink.positions.get('s'),
      counts,
    };
  }

  const mode = fc.constantFrom('polling' as const, 'fan-out' as const);

  it('neither loses nor repeats an event or a reject, by polling and by fan-out', async () => {
    await fc.assert(
      fc.asyncProperty(stream, cuts, maxRecords, mode, async (puts, pieces, most, how) => {
        const shards = [
          { id: 's', records: puts.map(({ data }) => data), isClosed: true },
          { id: 'child', parents: ['s'], records: [] },
        ];
        const server = await (how === 'polling' ? startFaultyKinesis({ shards }) : startFanOutKinesis({ shards }));
        servers.push(server);
        const source = kinesis({ stream: 'shop', endpoint: server.endpoint, mode: how, pollEveryMs: 0, maxRecords: most });
        const { events, rejects, last, counts } = await runInPieces(source, pieces);
        expect(events).toEqual(puts.flatMap((one) => one.events));
        expect(rejects).toEqual(puts.flatMap((one) => one.rejects));
        expect(last).toBe('SHARD_END');
        if (pieces.length === 0)
          expect(counts.read).toBe(events.length + rejects.length + puts.reduce((sum, { drops }) => sum + drops, 0));
        await server.stop();
        servers.pop();
      }),
      { numRuns: 50 },
    );
  }, 30_000);

  it('lets `dedupe` tell a repeat inside an aggregate from a part that is read again', async () => {
    const root = mkdtempSync(join(tmpdir(), 'unpack-'));
    const packs = fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1, maxLength: 6 }), {
      minLength: 1,
    });
    let files = 0;
    await fc.assert(
      fc.asyncProperty(packs, cuts, by, async (lists, pieces, method) => {
        const { source, server } = await serve(
          lists.map((texts, i) => (i % 2 === 0 ? aggregate(texts) : compressedBatch(texts, method))),
        );
        const state = identityLog(join(root, `${files++}.db`));
        const { events } = await runInPieces(source(), pieces, () =>
          dedupe<Uint8Array>({ by: text, within: { hours: 1 }, state }),
        );
        expect(events).toEqual([...new Set(lists.flat())]);
        await server.stop();
        servers.pop();
      }),
      { numRuns: 15 },
    );
    rmSync(root, { recursive: true });
  }, 30_000);
});
