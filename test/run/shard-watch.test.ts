import { type Observable, delay, filter, mergeMap, pipe, tap } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../src/delivery.ts';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Event } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { named } from '../../src/operators/named.ts';
import { stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { DrainDeadlineError } from '../../src/run/deadline.ts';
import { run } from '../../src/run/run.ts';
import { LOOK_EVERY_MS, ShardWatch, type ShardWatchOptions, StalledError } from '../../src/run/shard-watch.ts';
import { kinesis } from '../../src/sources/kinesis.ts';
import { readShards } from '../../src/sources/shards/read-shards.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { readingDeliveries } from '../../src/sources/source.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { type FaultyKinesis, startFaultyKinesis } from '../support/faulty-kinesis.ts';
import { lineOf } from '../snowplow/line.ts';
import { hurried } from '../support/hurried.ts';

const MINUTE_MS = 60_000;
const down = Object.assign(new Error('is down'), { name: 'Down' });

/** A watch over shard `s`, with a limit of ten minutes and a clock that a test moves on. */
class Watched {
  readonly ledger = new Ledger({ maxInFlightBytes: 10_000 });
  readonly told: Diagnostic[] = [];
  readonly watch: ShardWatch;
  failure: StalledError | undefined;
  nowMs = 0;
  #sequence = 0;

  constructor(options: Partial<ShardWatchOptions> = {}, begun: 's' | 'nothing' = 's') {
    const report = (diagnostic: Diagnostic): void => void this.told.push(diagnostic);
    const fail = (error: StalledError): StalledError => (this.failure ??= error);
    this.watch = new ShardWatch({ ledger: this.ledger, report, fail, limitMs: 10 * MINUTE_MS, keepsMs: 0, ...options });
    if (begun === 's') this.note({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
  }

  /** Lets time pass, with a look every ten seconds; what is to happen in between happens before each. */
  pass(minutes: number, happens: () => void = () => {}): this {
    for (const endMs = this.nowMs + minutes * MINUTE_MS; this.nowMs < endMs && !this.failure;) {
      this.nowMs += LOOK_EVERY_MS;
      happens();
      this.watch.look(this.nowMs);
    }
    return this;
  }

  note(diagnostic: Diagnostic): void {
    this.watch.note(diagnostic, this.nowMs);
  }

  readonly answer = (): void => this.note({ type: 'shard-lag', shard: 's', behindMs: 7, readAtMs: this.nowMs });
  readonly retryRead = (): void => this.note({ type: 'source-retry', shard: 's', attempt: 3, delayMs: 20_000, error: down });
  readonly retrySink = (): void => this.note({ type: 'sink-retry', sink: 'copy', attempt: 5, delayMs: 10_000, error: down });
  readonly commit = (): void =>
    this.note({ type: 'committed', sink: 'copy', count: 1, sizeBytes: 1, ms: 1, positions: new Map() });

  read(count = 1): Delivery {
    this.answer();
    const last = { shard: 's', sequence: String((this.#sequence += count)), subSequence: 0 };
    return this.ledger.open({ shard: 's', count, sizeBytes: 100 * count, last, readAtMs: this.nowMs });
  }

  get quiet(): (readonly [minutes: number, doing: string])[] {
    return this.told.flatMap((one) => (one.type === 'shard-quiet' ? [[one.forMs / MINUTE_MS, one.doing] as const] : []));
  }
}

describe('a watch over shards', () => {
  it('tells how each shard is', () => {
    const watched = new Watched();
    watched.read().letGo();
    const [first] = [watched.read(2), watched.read(3)];
    watched.pass(1 / 6);
    first.release();
    watched.pass(1 / 3);
    const health = watched.told.filter(({ type }) => type === 'shard-health');
    const common = { type: 'shard-health', shard: 's', behindMs: 7, readAtMs: 0, waitsForRoom: false, quiet: undefined };
    expect(health).toEqual([
      { ...common, settledAtMs: 10_000, inFlight: 5, sizeBytes: 500 },
      { ...common, settledAtMs: 20_000, inFlight: 3, sizeBytes: 300 },
      { ...common, settledAtMs: 20_000, inFlight: 3, sizeBytes: 300 },
    ]);
  });

  it('fails when the stream has not answered for the limit, and tells of it before', () => {
    const watched = new Watched();
    watched.answer();
    watched.pass(3).retryRead();
    watched.pass(60, watched.retryRead);
    expect(watched.failure).toMatchObject({ shard: 's', forMs: 10 * MINUTE_MS, doing: 'trying again (3) after Down: is down' });
    expect(watched.failure!.message).toBe(
      'run: expected progress in s within 600 s, and for 600 s it has been trying again (3) after Down: is down',
    );
    const quiet = watched.told.flatMap((one) => (one.type === 'shard-health' ? [one.quiet] : []));
    expect(quiet.slice(0, 14)).toEqual(Array.from({ length: 14 }, () => undefined));
    expect(quiet[14]).toEqual({ forMs: 2.5 * MINUTE_MS, doing: 'waiting for an answer of the stream' });
    expect(quiet.at(-1)).toEqual({ forMs: 10 * MINUTE_MS, doing: 'trying again (3) after Down: is down' });
    expect(watched.quiet).toEqual([
      [2.5, 'waiting for an answer of the stream'],
      [5, 'trying again (3) after Down: is down'],
      [7.5, 'trying again (3) after Down: is down'],
    ]);
  });

  describe('before the first shard is read', () => {
    const began = (): { watched: Watched; retryList: () => void } => {
      const watched = new Watched({}, 'nothing');
      const retryList = (): void =>
        watched.note({ type: 'source-retry', shard: 'all shards', attempt: 3, delayMs: 20_000, error: down });
      return { watched, retryList };
    };

    it('fails, too, when the stream has not said for the limit what shards there are', () => {
      const { watched, retryList } = began();
      watched.pass(60, retryList);
      expect(watched.failure?.message).toBe(
        'run: expected progress in all shards within 600 s, and for 600 s it has been trying again (3) after Down: is down',
      );
      expect(watched.quiet.map(([minutes]) => minutes)).toEqual([2.5, 5, 7.5]);
    });

    it('is content once it has said so, also when it cannot say it again', () => {
      const { watched, retryList } = began();
      watched.pass(9, retryList);
      watched.note({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
      watched.pass(60, () => {
        watched.answer();
        retryList();
      });
      expect(watched.failure).toBeUndefined();
    });

    it.each([
      ['was found', { type: 'files-found', where: '', files: 1, sizeBytes: 1 }],
      ['is known', { type: 'shard-known', shard: 's', resume: 'SHARD_END' }],
      ['is being taken over', { type: 'sink-retry', sink: 'copy', attempt: 1, delayMs: 1, error: down }],
    ] as const)('counts no more when something %s', (_, diagnostic) => {
      const { watched, retryList } = began();
      watched.pass(9, retryList).note(diagnostic);
      watched.pass(60);
      expect(watched.failure).toBeUndefined();
      watched.pass(60, retryList);
      expect(watched.failure).toMatchObject({ shard: 'all shards', forMs: 10 * MINUTE_MS });
    });

    it('is told of as quiet no more once something is known, also when nothing of it is read for long', () => {
      const { watched, retryList } = began();
      watched.pass(3, retryList);
      const quiet = (): unknown[] => watched.told.flatMap((one) => (one.type === 'shard-health' ? [one.quiet?.forMs] : []));
      expect(quiet().at(-1)).toBeGreaterThan(2.5 * MINUTE_MS);
      watched.retrySink();
      expect(quiet().at(-1)).toBeUndefined();
    });

    it('is content with a source of its own that tries again, and reads on without telling of its shards', () => {
      const watched = new Watched({}, 'nothing');
      watched.retryRead();
      watched.pass(60, () => watched.read().letGo());
      expect(watched.failure).toBeUndefined();
      watched.retryRead();
      watched.pass(60);
      expect(watched.failure).toBeUndefined();
    });
  });

  it('counts from the start when the stream has never answered', () => {
    const watched = new Watched();
    watched.pass(60, watched.retryRead);
    expect(watched.failure!.forMs).toBe(10 * MINUTE_MS);
  });

  it('is content as long as answers come, also empty ones', () => {
    const watched = new Watched();
    watched.pass(30, () => watched.nowMs % (9 * MINUTE_MS) === 0 && watched.answer());
    expect(watched.failure).toBeUndefined();
  });

  it('does not watch the reads of a source that does not tell of them, nor of a shard that has ended', () => {
    expect(new Watched().pass(60).failure).toBeUndefined();
    const ended = new Watched();
    const delivery = ended.read();
    ended.note({ type: 'shard-ended', shard: 's' });
    ended.pass(60);
    expect(ended.failure).toBeUndefined();
    delivery.release();
    ended.pass(1);
    ended.told.length = 0;
    expect(ended.pass(1).told).toEqual([]);
  });

  it('gives a shard that waits for room as long as the sinks let hear of them, and tells of it', () => {
    const watched = new Watched();
    const delivery = watched.read();
    watched.ledger.room.atSinks(100);
    void watched.ledger.room.reserve(20_000, 's');
    watched.pass(30, watched.retrySink);
    expect(watched.failure).toBeUndefined();
    expect(watched.told.findLast(({ type }) => type === 'shard-health')).toMatchObject({ waitsForRoom: true });
    expect(watched.quiet.at(-1)![1]).toBe('waiting for the sinks: copy tries again (5) after Down: is down');
    watched.pass(60);
    expect(watched.failure).toMatchObject({ shard: 's', forMs: 10 * MINUTE_MS });
    expect(delivery.isSettled).toBe(false);
  });

  it('fails when a shard waits for room that nobody makes', () => {
    const watched = new Watched();
    watched.answer();
    const last = { shard: 'other', sequence: '1', subSequence: 0 };
    watched.ledger.open({ shard: 'other', count: 1, sizeBytes: 5_000, last, readAtMs: 0 });
    void watched.ledger.room.reserve(9_000, 's');
    watched.pass(20, watched.commit);
    expect(watched.failure).toBeUndefined();
    expect(watched.quiet.at(-1)).toEqual([expect.any(Number), 'waiting for room']);
    watched.pass(20);
    expect(watched.failure).toMatchObject({ shard: 's', forMs: 10 * MINUTE_MS, doing: 'waiting for room' });
  });

  it('counts a wait for room from the last answer, and that for an answer from the end of the wait', () => {
    const watched = new Watched();
    watched.answer();
    const last = { shard: 'other', sequence: '1', subSequence: 0 };
    const other = watched.ledger.open({ shard: 'other', count: 1, sizeBytes: 5_000, last, readAtMs: 0 });
    void watched.ledger.room.reserve(9_000, 's');
    watched.pass(30, watched.answer);
    expect(watched.quiet).toEqual([]);
    watched.pass(30, watched.retrySink);
    other.letGo();
    watched.pass(9);
    expect(watched.failure).toBeUndefined();
    watched.pass(2);
    expect(watched.failure).toMatchObject({ forMs: 10 * MINUTE_MS, doing: 'waiting for an answer of the stream' });
  });

  it('fails when sinks that have something neither store it nor tell of a try again', () => {
    const watched = new Watched();
    watched.read();
    watched.ledger.room.atSinks(100);
    watched.pass(20, () => {
      watched.answer();
      watched.commit();
    });
    expect(watched.failure).toBeUndefined();
    watched.pass(60, watched.answer);
    expect(watched.failure).toMatchObject({ forMs: 10 * MINUTE_MS, doing: 'waiting for the sinks' });
  });

  it('does not take a move of positions for progress', () => {
    const watched = new Watched();
    watched.read();
    watched.ledger.room.atSinks(100);
    watched.pass(60, () => {
      watched.answer();
      watched.note({ type: 'committed', sink: 'copy', count: 0, sizeBytes: 0, ms: 1, positions: new Map() });
    });
    expect(watched.failure).toMatchObject({ doing: 'waiting for the sinks' });
  });

  it('says what a lookup, which has no limit of its own, was last tried again for', () => {
    const retryLookup = (watched: Watched): void =>
      watched.note({ type: 'lookup-retry', attempt: 9, delayMs: 2000, error: down });
    const watched = new Watched();
    watched.read();
    watched.read();
    watched.pass(60, () => {
      watched.answer();
      retryLookup(watched);
    });
    expect(watched.failure).toMatchObject({
      forMs: 10 * MINUTE_MS,
      doing: 'waiting for a step of the pipeline, which holds its events: lookup tries again (9) after Down: is down',
    });
    const full = new Watched();
    full.read();
    void full.ledger.room.reserve(20_000, 's');
    full.pass(3, () => retryLookup(full));
    expect(full.quiet.at(-1)![1]).toBe('waiting for room: lookup tries again (9) after Down: is down');
    full.commit();
    full.pass(3);
    expect(full.quiet.at(-1)![1]).toBe('waiting for room');
  });

  it('fails when a step holds events though more has come behind them and the sinks have nothing to do', () => {
    const watched = new Watched();
    watched.read();
    watched.pass(30, watched.answer);
    expect(watched.failure).toBeUndefined();
    watched.read();
    watched.pass(60, () => {
      watched.answer();
      watched.commit();
    });
    expect(watched.failure).toMatchObject({
      forMs: 10 * MINUTE_MS,
      doing: 'waiting for a step of the pipeline, which holds its events',
    });
  });

  it.each<[string, (watched: Watched, deliveries: Delivery[]) => void]>([
    ['is worked off, one delivery a minute', ({ nowMs }, deliveries) => nowMs % MINUTE_MS === 0 && deliveries.shift()!.letGo()],
    ['waits for sinks that have nothing but a position to move, and try that again', (watched) => watched.retrySink()],
  ])('is content with what was read long ago while it %s', (_, happens) => {
    const watched = new Watched();
    const deliveries = Array.from({ length: 40 }, () => watched.read());
    watched.pass(30, () => {
      watched.answer();
      happens(watched, deliveries);
    });
    expect(watched.failure).toBeUndefined();
  });

  it('is content with sinks that are at work on something since a step has had all that it needs to go on', () => {
    const watched = new Watched();
    watched.read();
    watched.pass(1, watched.answer);
    watched.ledger.room.atSinks(100);
    watched.read();
    watched.pass(30, () => {
      watched.answer();
      watched.commit();
    });
    expect(watched.failure).toBeUndefined();
  });

  it('gives steps as long as they may keep events', () => {
    const watched = new Watched({ keepsMs: 60 * MINUTE_MS });
    watched.read();
    watched.read();
    watched.pass(69, watched.answer);
    expect(watched.failure).toBeUndefined();
    watched.pass(2, watched.answer);
    expect(watched.failure).toMatchObject({ forMs: 10 * MINUTE_MS });
  });

  it('counts anew once the process was stopped for a while', () => {
    const watched = new Watched();
    watched.answer();
    watched.pass(9);
    watched.nowMs += 60 * MINUTE_MS;
    watched.pass(9);
    expect(watched.failure).toBeUndefined();
    expect(watched.pass(2).failure).toMatchObject({ forMs: 10 * MINUTE_MS });
  });
});

describe('a run', () => {
  let server: FaultyKinesis | undefined;
  afterEach(() => server?.stop());

  it('ends with a StalledError when its stream answers no read any more', async () => {
    const records = ['a', 'b', 'c', 'd'];
    server = await startFaultyKinesis({
      shards: [{ id: 's', records }],
      fault: ({ operation, nth }) =>
        operation === 'GetRecords' && nth > 0 ? { status: 400, type: 'ProvisionedThroughputExceededException' } : undefined,
    });
    const sink = memorySink<Event<Uint8Array>>();
    const declared = pipeline('test')
      .from(kinesis({ stream: 'shop', endpoint: server.endpoint, maxRecords: 2 }))
      .to(sink);
    const told: Diagnostic[] = [];
    const failing = run(declared, {
      scheduler: hurried(100),
      stalledAfter: { minutes: 2 },
      report: (diagnostic) => told.push(diagnostic),
    });
    await expect(failing).rejects.toBeInstanceOf(StalledError);
    await expect(failing).rejects.toThrow(/in s within 120 s.*trying again \(\d+\) after ProvisionedThroughputExceededException/);
    expect(sink.stored).toHaveLength(2);
    expect(told.some(({ type }) => type === 'shard-quiet')).toBe(true);
    expect(told.findLast((one) => one.type === 'shard-health')).toMatchObject({ shard: 's', inFlight: 0, behindMs: 1000 });
  });

  it.each([
    ['as long as it may', 4 * MINUTE_MS],
    ['longer than it may', 0],
  ])('whose step holds events %s', async (_, keepsMs) => {
    const scheduler = hurried(100);
    const keep = named(
      'keep',
      '',
      (events: Observable<Event<Uint8Array>>) =>
        events.pipe(
          tap((event) => event.hold()),
          delay(4 * MINUTE_MS, scheduler),
          mergeMap(async (event) => event),
          tap((event) => setImmediate(() => event.release())),
        ),
      { keepsMs },
    );
    const declared = pipeline('test')
      .from(scripted({ s: [['a'], ['b'], { pauseMs: 5 * MINUTE_MS }] }))
      .pipe(keep)
      .to(memorySink<Event<Uint8Array>>());
    const done = run(declared, { scheduler, stalledAfter: { minutes: 2 } });
    if (keepsMs > 0) expect(await done).toMatchObject({ stored: 2 });
    else await expect(done).rejects.toThrow(/progress in s within 120 s.*waiting for a step/);
  });

  it('does not blame its stream, which was slow to say what shards it has, when a sink does not take one over', async () => {
    const sink = memorySink<Event<Uint8Array>>();
    const hanging: typeof sink = {
      ...sink,
      open: async (context) => ({ ...(await sink.open(context)), acquire: () => new Promise<never>(() => {}) }),
    };
    const source = readingDeliveries((context) =>
      readShards(context, {
        async list() {
          context.report({ type: 'source-retry', shard: 'all shards', attempt: 1, delayMs: 1, error: down });
          return [{ id: 's', parents: [] }];
        },
        readShard: async () => [],
      }),
    );
    const declared = pipeline('slow')
      .from({ name: 'one', describe: 'one', check: async () => '', ...source })
      .to(hanging);
    const stop = new AbortController();
    const finished = run(declared, { scheduler: hurried(1000), stalledAfter: { seconds: 30 }, stop: stop.signal });
    setTimeout(() => stop.abort('enough'), 100);
    await expect(finished).rejects.toBeInstanceOf(DrainDeadlineError);
  });

  it('goes on while windows that are in an operator made of several may keep events', async () => {
    const hours = pipe(
      minuteWindow<Uint8Array>({ every: { hours: 1 } }),
      filter(({ count }) => count > 0),
    );
    const declared = pipeline('test')
      .from(scripted({ s: [['a'], ['b'], { pauseMs: 5 * MINUTE_MS }] }))
      .pipe(hours)
      .to(memorySink<Window<Uint8Array>>());
    expect(await run(declared, { scheduler: hurried(100), stalledAfter: { minutes: 2 } })).toMatchObject({ stored: 2 });
  });

  it('goes on when for long nothing comes but lines of a log, which a step keeps until it is known whose their newlines are', async () => {
    const line =
      '[pool-2-thread-6] INFO com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource - Checkpointing shard shardId-000000000001\n';
    const record = lineOf({ app_id: 'shop' }).toString();
    const quietNight = [record + line, line, line, line].flatMap((text) => [[text], { pauseMs: 3 * MINUTE_MS }] as const);
    const declared = pipeline('test')
      .from(scripted({ s: quietNight }))
      .pipe(stripCheckpoints({ of: 'text' }))
      .to(memorySink<Event<Uint8Array>>());
    const counts = await run(declared, { scheduler: hurried(100), stalledAfter: { minutes: 2 } });
    expect(counts).toMatchObject({ read: 4, stored: 1, inFlight: 0 });
  });
});
