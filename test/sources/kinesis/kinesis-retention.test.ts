import { asyncScheduler } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import type { Event, Reject } from '../../../src/event.ts';
import type { Beginning, Position } from '../../../src/position.ts';
import { Ledger } from '../../../src/ledger.ts';
import { pipeline } from '../../../src/pipeline.ts';
import { run } from '../../../src/run/run.ts';
import { GapError } from '../../../src/sources/shards/gap.ts';
import { Calls } from '../../../src/sources/kinesis/calls.ts';
import { kinesisClient } from '../../../src/sources/kinesis/client.ts';
import { sequenceTimeMs } from '../../../src/sources/kinesis/sequence-time.ts';
import { kinesis } from '../../../src/sources/kinesis.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { type FaultyKinesis, type FaultyKinesisOptions, GAP, startFaultyKinesis } from '../../support/faulty-kinesis.ts';
import { type Scene, startFanOutKinesis } from '../../support/fan-out-kinesis.ts';
import { hurried } from '../../support/hurried.ts';
import { type ReadOptions, readSource, textsByShard } from '../../support/read-source.ts';

const servers: Pick<FaultyKinesis, 'stop'>[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const HOUR_MS = 3_600_000;
const scheduler = hurried(50);
/** In whole seconds, as sequence numbers have it. */
const nowMs = Math.floor(scheduler.now() / 1000) * 1000;

/** A sequence number as AWS makes them, of a record that was put at some time. */
function sequenceAt(ms: number, place = 0): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const seconds = Math.floor(ms / 1000);
  return String(BigInt(`0x2${hex(seconds - 9, 9)}0${hex(place, 16)}00${hex(seconds, 9)}${hex(0, 8)}2`));
}

/** Reads a shard with records put three days ago, a second apart, of which some are past retention; from its second one on. */
async function read(
  from: Partial<Position> & { readonly at?: Beginning },
  {
    trimmed = 0,
    acceptGap = false,
    retentionHours,
    ...more
  }: Partial<FaultyKinesisOptions['shards'][number]> & Pick<ReadOptions, 'acceptGap'> & { readonly retentionHours?: number },
) {
  const startMs = nowMs - 72 * HOUR_MS;
  const shard = {
    id: 's',
    startMs,
    records: ['a', 'b', 'c', 'd'],
    sequenceOf: (place: number) => sequenceAt(startMs + 1000 * place, place),
    trimmed,
    isClosed: true,
    ...more,
  };
  const server = await startFaultyKinesis({ shards: [shard], ...(retentionHours && { retentionHours }) });
  servers.push(server);
  const position: Position = { shard: 's', sequence: shard.sequenceOf(2), subSequence: 0, ...from };
  const source = kinesis({ stream: 'shop', endpoint: server.endpoint });
  const reading = readSource(source, { scheduler, acquire: async () => position, acceptGap });
  return { ...reading, position, startMs, calls: server.calls, gaps: reading.diagnostics.filter(({ type }) => type === 'gap') };
}

describe('a position past retention', () => {
  it('ends the run with the shard, the length and the flag', async () => {
    const { completed, events, diagnostics, startMs, position } = await read({}, { trimmed: 3 });
    const [from, until] = [startMs + 2000, startMs + 4000].map((ms) => new Date(ms).toISOString());
    await expect(completed).rejects.toThrow(
      `s: the pipeline stands at ${position.sequence}:0, and what came from ${from} to ${until} (at most 2 seconds) ` +
        'is past the retention of the stream. To go on without it, run once with --accept-gap',
    );
    await expect(completed).rejects.toBeInstanceOf(GapError);
    expect(events).toEqual([]);
    expect(diagnostics).toContainEqual({
      type: 'gap',
      shard: 's',
      resume: position,
      fromMs: startMs + 2000,
      untilMs: startMs + 4000,
      isAccepted: false,
    });
  });

  it('is passed over when the run was told to, and everything that is kept is read', async () => {
    const { completed, events, diagnostics } = await read({}, { trimmed: 3, acceptGap: true });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['d'] });
    expect(diagnostics).toContainEqual(expect.objectContaining({ type: 'gap', isAccepted: true }));
  });

  it('has a gap up to the oldest moment that is kept when nothing is', async () => {
    const { completed, diagnostics, startMs } = await read({}, { trimmed: 4, acceptGap: true });
    await completed;
    const gap = diagnostics.find(({ type }) => type === 'gap')!;
    expect(gap).toMatchObject({ fromMs: startMs + 2000 });
    // The stream keeps a day.
    expect((gap as { untilMs: number }).untilMs / HOUR_MS).toBeCloseTo(nowMs / HOUR_MS - 24, 0);
  });

  it('has a gap from a beginning that nobody knows when its sequence number tells no time', async () => {
    const { completed } = await read({ sequence: '2' }, { sequenceOf: String, trimmed: 2 });
    await expect(completed).rejects.toThrow(/stands at 2:0, and what came behind it until .* is past the retention/);
  });

  it('is one of another stream where older records are kept: that ends the run, also when it was told to go on', async () => {
    const { completed, events, gaps } = await read({ sequence: sequenceAt(nowMs - 71 * HOUR_MS) }, { acceptGap: true });
    await expect(completed).rejects.toThrow(/^kinesis shop s: keeps \d+, but not the later \d+ of the pipeline/);
    expect([events, gaps]).toEqual([[], []]);
  });

  it('has a gap from when its shard was last known to be quiet', async () => {
    const quietUntilMs = nowMs - 48 * HOUR_MS;
    const { completed, diagnostics } = await read({ quietUntilMs }, { trimmed: 4, acceptGap: true });
    await completed;
    expect(diagnostics).toContainEqual(expect.objectContaining({ type: 'gap', fromMs: quietUntilMs }));
  });

  it('has none when its shard was quiet for as long as records are lost: what is kept is all that came', async () => {
    const { completed, events, diagnostics } = await read({ quietUntilMs: nowMs - 12 * HOUR_MS }, { trimmed: 2 });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['c', 'd'] });
    expect(diagnostics.some(({ type }) => type === 'gap')).toBe(false);
  });

  it('has one of no length when all was read to within a quarter of an hour of what is kept: clocks differ', async () => {
    const quietUntilMs = nowMs - 24 * HOUR_MS + 10 * 60_000;
    const { completed, diagnostics } = await read({ quietUntilMs }, { trimmed: 2, acceptGap: true });
    await completed;
    const gap = { type: 'gap', fromMs: quietUntilMs, untilMs: quietUntilMs };
    expect(diagnostics).toContainEqual(expect.objectContaining(gap));
  });

  it('has one of no length when its whole shard has left that was quiet until a while ago', async () => {
    const server = await startFaultyKinesis({ shards: [{ id: 't', parents: ['s'], records: ['e'], isClosed: true }] });
    servers.push(server);
    const quietUntilMs = nowMs - HOUR_MS;
    const { completed, diagnostics } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }), {
      scheduler,
      stands: async (shard) =>
        shard === 's' ? { shard, sequence: sequenceAt(nowMs - 72 * HOUR_MS), subSequence: 0, quietUntilMs } : undefined,
      acceptGap: true,
    });
    await completed;
    const gap = { type: 'gap', shard: 's', fromMs: quietUntilMs, untilMs: quietUntilMs };
    expect(diagnostics).toContainEqual(expect.objectContaining(gap));
  });

  it('costs one question how long the stream keeps its records, for all shards: AWS answers an account 20 a second', async () => {
    const startMs = nowMs - 72 * HOUR_MS;
    const sequenceOf = (place: number): string => sequenceAt(startMs, place);
    const shards = Array.from({ length: 30 }, (_, i) => ({ id: `s${i}`, startMs, sequenceOf, records: ['a', 'b'], trimmed: 1 }));
    const server = await startFaultyKinesis({ shards });
    servers.push(server);
    const { completed } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }), {
      scheduler,
      acceptGap: true,
      acquire: async (shard) => ({ shard, sequence: sequenceOf(1), subSequence: 0 }),
      stopAfter: 30,
    });
    await completed;
    expect(server.calls.filter(({ operation }) => operation === 'DescribeStreamSummary')).toHaveLength(1);
  });

  it('is told by how long the stream keeps its records now: that is asked for anew after ten minutes', async () => {
    const server = await startFaultyKinesis({ shards: [] });
    servers.push(server);
    const client = kinesisClient({ endpoint: server.endpoint });
    const calls = new Calls(client, 'shop', 5_000);
    const clock = vi.spyOn(performance, 'now');
    for (const [minute, asked] of [
      [1, 1],
      [10, 1],
      [12, 2],
    ] as const) {
      clock.mockReturnValue(minute * 60_000);
      expect(await calls.retentionMs(new AbortController().signal)).toBe(24 * HOUR_MS);
      expect(server.calls).toHaveLength(asked);
    }
    clock.mockRestore();
    client.destroy();
  });

  it('ends the run also where only one of its sinks stands there, and reading begins before it, for another one that is new', async () => {
    const startMs = nowMs - 72 * HOUR_MS;
    const sequenceOf = (place: number): string => sequenceAt(startMs + 1000 * place, place);
    const shard = { id: 's', startMs, records: ['a', 'b', 'c', 'd'], sequenceOf, trimmed: 3, isClosed: true };
    const server = await startFaultyKinesis({ shards: [shard] });
    servers.push(server);
    const [old, added] = [memorySink<Event<Uint8Array>>('old'), memorySink<Event<Uint8Array>>('added')];
    old.positions.set('s', { shard: 's', sequence: sequenceOf(2), subSequence: 0 });
    const declared = pipeline('shop')
      .from(kinesis({ stream: 'shop', endpoint: server.endpoint }))
      .to(old, added);
    const gaps: unknown[] = [];
    const report = (told: Diagnostic): void => void (told.type === 'gap' && gaps.push(told));
    // The place of the new one is written down by the first try.
    for (let tries = 1; tries <= 2; tries++) {
      await expect(run(declared, { scheduler, report })).rejects.toBeInstanceOf(GapError);
      expect(added.positions.get('s')).toBe('TRIM_HORIZON');
    }
    expect(gaps[0]).toMatchObject({ resume: { sequence: sequenceOf(2) }, fromMs: startMs + 2000, untilMs: startMs + 4000 });

    await run(declared, { scheduler, report, acceptGap: true });
    expect(textsByShard(old.stored)).toEqual({ s: ['d'] });
    expect(textsByShard(added.stored)).toEqual({ s: ['d'] });

    // That no reject has come for long is no gap.
    const rejects = memorySink<Reject>('rejects');
    rejects.positions.set('s', { shard: 's', sequence: sequenceOf(0), subSequence: 0 });
    await run(
      pipeline('shop')
        .from(kinesis({ stream: 'shop', endpoint: server.endpoint }))
        .to(memorySink('first'))
        .rejects(rejects),
      {
        scheduler,
      },
    );
  });

  it('is read on from for the sink that stands there, though another one began at a time behind it, while that was away', async () => {
    const startMs = nowMs - 72 * HOUR_MS;
    const sequenceOf = (place: number): string => sequenceAt(startMs + 1000 * place, place);
    const shard = { id: 's', startMs, records: ['a', 'b', 'c', 'd', 'e'], sequenceOf, isClosed: true };
    const server = await startFaultyKinesis({ shards: [shard], retentionHours: 7 * 24 });
    servers.push(server);
    const [wasAway, since] = [memorySink<Event<Uint8Array>>('was away'), memorySink<Event<Uint8Array>>('since')];
    wasAway.positions.set('s', { shard: 's', sequence: sequenceOf(2), subSequence: 0 });
    since.positions.set('s', new Date(startMs + 4500));
    await run(
      pipeline('shop')
        .from(kinesis({ stream: 'shop', endpoint: server.endpoint }))
        .to(wasAway, since),
      { scheduler },
    );
    expect(textsByShard(wasAway.stored)).toEqual({ s: ['c', 'd', 'e'] });
  });

  describe('when retention was raised after its record had left', () => {
    const week = { retentionHours: 7 * 24 };

    it('has a gap up to the oldest record that is kept', async () => {
      const { completed, diagnostics, startMs } = await read({}, { trimmed: 3, acceptGap: true, ...week });
      await completed;
      expect(diagnostics).toContainEqual(
        expect.objectContaining({ type: 'gap', fromMs: startMs + 2000, untilMs: startMs + 4000 }),
      );
    });

    it('has one up to the day that is kept in any case, when nothing is', async () => {
      const { completed, diagnostics, startMs } = await read({}, { trimmed: 4, acceptGap: true, ...week });
      await completed;
      const gap = diagnostics.find(({ type }) => type === 'gap') as { fromMs: number; untilMs: number } | undefined;
      expect(gap?.fromMs).toBe(startMs + 2000);
      expect(gap!.untilMs / HOUR_MS).toBeCloseTo(nowMs / HOUR_MS - 24, 0);
    });

    it('has one up to the day that is kept in any case, when its whole shard has left', async () => {
      const server = await startFaultyKinesis({ shards: [{ id: 't', parents: ['s'], records: ['e'], isClosed: true }], ...week });
      servers.push(server);
      const fromMs = nowMs - 72 * HOUR_MS;
      const { completed, diagnostics } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }), {
        scheduler,
        stands: async (shard) => (shard === 's' ? { shard, sequence: sequenceAt(fromMs), subSequence: 0 } : undefined),
        acceptGap: true,
      });
      await completed;
      const gap = diagnostics.find(({ type }) => type === 'gap') as { fromMs: number; untilMs: number } | undefined;
      expect(gap?.fromMs).toBe(fromMs);
      expect(gap!.untilMs / HOUR_MS).toBeCloseTo(nowMs / HOUR_MS - 24, 0);
    });

    it('has none when its shard was quiet until less than a day ago', async () => {
      const { completed, events, diagnostics } = await read({ quietUntilMs: nowMs - 12 * HOUR_MS }, { trimmed: 2, ...week });
      await completed;
      expect(textsByShard(events)).toEqual({ s: ['c', 'd'] });
      expect(diagnostics.some(({ type }) => type === 'gap')).toBe(false);
    });
  });

  it('is not waited behind for ever, when nobody says in time what is kept of a quiet shard', async () => {
    const startMs = nowMs - 72 * HOUR_MS;
    const sequenceOf = (place: number): string => sequenceAt(startMs + 1000 * place, place);
    const quiet = Array.from({ length: 10 }, (): typeof GAP => GAP);
    const nothing = JSON.stringify({ shard: 's', isBehindNothing: true });
    const server = await startFaultyKinesis({
      shards: [{ id: 's', startMs, sequenceOf, records: ['a', ...quiet, 'b'], trimmed: 1, isClosed: true }],
      fault({ operation, input }) {
        // Behind a record that is gone, AWS may say for hours that there is more to come.
        if (operation === 'GetShardIterator' && input['ShardIteratorType'] !== 'TRIM_HORIZON')
          return { body: JSON.stringify({ ShardIterator: nothing }) };
        if (operation !== 'GetRecords' || input['ShardIterator'] !== nothing) return undefined;
        return { body: JSON.stringify({ Records: [], NextShardIterator: nothing, MillisBehindLatest: 24 * HOUR_MS }) };
      },
    });
    servers.push(server);
    const { completed, events } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }), {
      scheduler,
      acquire: async () => ({ shard: 's', sequence: sequenceOf(1), subSequence: 0, quietUntilMs: nowMs - HOUR_MS }),
    });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['b'] });
  });

  it('has none in a run that has read all that came until then', async () => {
    const startMs = nowMs - 72 * HOUR_MS;
    let hasExpired = false;
    const shard = {
      id: 's',
      startMs,
      trimmed: 0,
      records: ['a', 'b'],
      sequenceOf: (place: number) => sequenceAt(startMs, place),
    };
    const server = await startFaultyKinesis({
      shards: [shard],
      fault({ operation, nth }) {
        if (operation !== 'GetRecords' || nth < 2 || hasExpired) return undefined;
        // All that was read is trimmed while nothing comes, and the iterator expires.
        hasExpired = true;
        shard.trimmed = 2;
        shard.records.push('c');
        return { status: 400, type: 'ExpiredIteratorException' };
      },
    });
    servers.push(server);
    const { completed, events } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }), { scheduler, stopAfter: 3 });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['a', 'b', 'c'] });
  });
});

describe('a reader that is so slow that retention', () => {
  /** Reads six records that were put a day ago, two at a time, and settles each a minute later; so many are past retention once the first two were read. */
  async function readSlowly(
    trimmedSoon: number,
    options: ReadOptions = {},
    fault: FaultyKinesisOptions['fault'] = () => undefined,
  ) {
    const slow = hurried(200);
    const startMs = nowMs - 24 * HOUR_MS;
    const shard = {
      id: 's',
      startMs,
      trimmed: 0,
      records: ['a', 'b', 'c', 'd', 'e', 'f'],
      sequenceOf: (place: number) => sequenceAt(startMs + 1000 * place, place),
      behindMsAt: (place: number) => slow.now() - (startMs + 1000 * place),
      isClosed: true,
    };
    const server = await startFaultyKinesis({
      shards: [shard],
      fault(call) {
        if (call.operation === 'GetRecords' && call.nth === 1) shard.trimmed = trimmedSoon;
        return fault(call);
      },
    });
    servers.push(server);
    const source = kinesis({ stream: 'shop', endpoint: server.endpoint, maxRecords: 2 });
    const reading = readSource(source, {
      scheduler: slow,
      ledger: new Ledger({ maxInFlightBytes: 1 }),
      onEvent(event) {
        event.hold();
        slow.schedule(() => event.release(), 60_000);
      },
      ...options,
    });
    return { ...reading, calls: server.calls };
  }

  it('overtakes it ends the run, though its iterator is good', async () => {
    const { completed, events } = await readSlowly(4);
    await expect(completed).rejects.toThrow(/^s: the pipeline stands at .*, and what came from .* to .* is past the retention/);
    expect(textsByShard(events)).toEqual({ s: ['a', 'b'] });
  });

  it('overtakes it ends the run, though the stream is too busy at first to say what it keeps', async () => {
    let isBusy = true;
    const { completed, events } = await readSlowly(4, {}, ({ operation, input }) => {
      if (operation !== 'GetRecords' || input['Limit'] !== 1 || !isBusy) return undefined;
      isBusy = false;
      return { status: 400, type: 'ProvisionedThroughputExceededException' };
    });
    await expect(completed).rejects.toBeInstanceOf(GapError);
    expect(textsByShard(events)).toEqual({ s: ['a', 'b'] });
  });

  it('overtakes it ends the run, though the stream is too busy at first to say for how long it keeps', async () => {
    const busy = { status: 400, type: 'LimitExceededException', message: 'Rate exceeded for stream shop under account 123.' };
    const { completed, events } = await readSlowly(4, {}, ({ operation, nth }) =>
      operation === 'DescribeStreamSummary' && nth === 0 ? busy : undefined,
    );
    await expect(completed).rejects.toBeInstanceOf(GapError);
    expect(textsByShard(events)).toEqual({ s: ['a', 'b'] });
  });

  it('overtakes it goes on with what is kept, when it was told to', async () => {
    const { completed, events, diagnostics } = await readSlowly(4, { acceptGap: true });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['a', 'b', 'e', 'f'] });
    expect(diagnostics.filter(({ type }) => type === 'gap')).toMatchObject([{ shard: 's', isAccepted: true }]);
  });

  it('is about to overtake it reads on', async () => {
    const { completed, events, calls } = await readSlowly(1);
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['a', 'b', 'c', 'd', 'e', 'f'] });
    expect(calls.some(({ input }) => input['Limit'] === 1)).toBe(true);
  });

  it('would overtake it is not one that has just begun with the oldest record', async () => {
    const { completed, calls } = await readSlowly(1, { scheduler: asyncScheduler, ledger: new Ledger() });
    await completed;
    expect(calls.some(({ input }) => input['Limit'] === 1)).toBe(false);
  });

  it('has taken the last record of is not one that walks over a quiet stretch behind that', async () => {
    const walking = hurried(50);
    const startMs = Math.floor(walking.now() / 1000) * 1000 - 24 * HOUR_MS;
    const EMPTY = 300;
    const atMs = (place: number): number => startMs + (place === 1 ? 10_000 : (place * 24 * HOUR_MS) / (EMPTY + 2));
    const shard = {
      id: 's',
      startMs,
      trimmed: 0,
      records: ['a', ...Array.from({ length: EMPTY }, (): typeof GAP => GAP), 'b'],
      sequenceOf: (place: number) => sequenceAt(atMs(place), place),
      isClosed: true,
    };
    const server = await startFaultyKinesis({
      shards: [shard],
      fault({ operation, input, nth }) {
        if (operation !== 'GetRecords') return undefined;
        if (nth >= 20) shard.trimmed = 1;
        const { at } = JSON.parse(String(input['ShardIterator'])) as { at: number };
        if (input['Limit'] === 1 || at === 0 || at > EMPTY) return undefined;
        const NextShardIterator = JSON.stringify({ shard: 's', at: at + 1 });
        return { body: JSON.stringify({ Records: [], NextShardIterator, MillisBehindLatest: walking.now() - atMs(at + 1) }) };
      },
    });
    servers.push(server);
    const { completed, events } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }), { scheduler: walking });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['a', 'b'] });
  });

  it.each([
    ['', 0],
    [' and the stream is too busy at first to say what it keeps', 1],
  ])('overtakes it ends the run, though its subscription is open%s', async (_, busyTimes) => {
    let asked = 0;
    const eventAt = (ms: number, ...data: string[]): Scene => ({
      content: {
        Records: data.map((Data) => ({
          SequenceNumber: sequenceAt(ms),
          ApproximateArrivalTimestamp: ms / 1000,
          PartitionKey: 'any',
          Data,
        })),
        ContinuationSequenceNumber: sequenceAt(ms),
        MillisBehindLatest: scheduler.now() - ms,
      },
    });
    const startMs = nowMs - 24 * HOUR_MS;
    const server = await startFanOutKinesis({
      shards: [{ id: 's', records: [] }],
      subscription: () => [
        eventAt(startMs, 'YQ=='),
        { sleepMs: 400 },
        eventAt(startMs),
        { sleepMs: 400 },
        eventAt(startMs + HOUR_MS, 'Yg=='),
        'falls silent',
      ],
      fault: ({ operation }) =>
        operation === 'GetRecords' && asked++ < busyTimes
          ? { status: 400, type: 'ProvisionedThroughputExceededException' }
          : undefined,
    });
    servers.push(server);
    const source = kinesis({ stream: 'shop', endpoint: server.endpoint, mode: 'fan-out' });
    const { completed, events, ledger } = readSource(source, { scheduler });
    await expect(completed).rejects.toBeInstanceOf(GapError);
    expect(textsByShard(events)).toEqual({ s: ['a'] });
    expect(asked).toBeGreaterThan(busyTimes);
    // What was read and not delivered takes no room.
    await ledger.room.reserve(ledger.room.maxInFlightBytes);
  });
});

describe('a position whose record is kept', () => {
  it('is read on from, however old it is', async () => {
    const { completed, events, diagnostics } = await read({}, { trimmed: 1 });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['c', 'd'] });
    expect(diagnostics.some(({ type }) => type === 'gap')).toBe(false);
  });

  for (const [where, isSlow] of [
    ['there', ({ at }: { at: number }, limit: unknown) => at === 1 && limit === 1],
    ['anywhere', (_: unknown, limit: unknown) => limit === 1],
  ] as const)
    it(`is read on from, though the stream is slow to say what it keeps ${where}`, async () => {
      const startMs = nowMs - 72 * HOUR_MS;
      const sequenceOf = (place: number): string => sequenceAt(startMs + 1000 * place, place);
      const server = await startFaultyKinesis({
        shards: [{ id: 's', startMs, sequenceOf, records: ['a', 'b', 'c', 'd'], isClosed: true }],
        retentionHours: 7 * 24,
        fault({ operation, input: { ShardIterator, Limit } }) {
          if (operation !== 'GetRecords' || !isSlow(JSON.parse(String(ShardIterator)), Limit)) return undefined;
          return { body: JSON.stringify({ Records: [], NextShardIterator: ShardIterator, MillisBehindLatest: 1000 }) };
        },
      });
      servers.push(server);
      const { completed, events } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }), {
        scheduler,
        // Until when it was quiet is not known, as of a run that was killed.
        acquire: async () => ({ shard: 's', sequence: sequenceOf(2), subSequence: 0 }),
      });
      await completed;
      expect(textsByShard(events)).toEqual({ s: ['c', 'd'] });
    });

  it('costs no call when it is younger than a day', async () => {
    const startMs = nowMs - 23 * HOUR_MS;
    const sequenceOf = (place: number): string => sequenceAt(startMs, place);
    const { completed, events, calls } = await read({ sequence: sequenceOf(2) }, { startMs, sequenceOf });
    await completed;
    expect(textsByShard(events)).toEqual({ s: ['c', 'd'] });
    expect(calls.map(({ operation }) => operation).slice(0, 3)).toEqual(['ListShards', 'GetShardIterator', 'GetRecords']);
  });
});

describe('a sequence number', () => {
  it('tells when its record was put, unless it has another form', () => {
    expect(sequenceTimeMs(sequenceAt(nowMs, 7))).toBe(nowMs);
    // One of AWS, which arrived then. https://github.com/spring-attic/spring-integration-aws/issues/90
    const arrivedAtMs = Date.UTC(2018, 4, 18, 4, 3, 30);
    expect(sequenceTimeMs('49584571934843771141903627621782937763568830686720688130')).toBe(arrivedAtMs);
    for (const other of ['0', '7', '1'.repeat(56)]) expect(sequenceTimeMs(other)).toBeUndefined();
  });
});
