import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { Subject, from } from 'rxjs';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Delivery } from '../../src/delivery.ts';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { FencedError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import { comparePositions } from '../../src/position.ts';
import { Ledger } from '../../src/ledger.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import type { IdentityState } from '../../src/operators/identity-state.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { deliver } from '../../src/testing/deliver.ts';

const root = mkdtempSync(join(tmpdir(), 'dedupe-'));
afterAll(() => rmSync(root, { recursive: true }));

let path: string;
let files = 0;
const newPath = (): string => join(root, String(files++), 'dedupe.db');
beforeEach(() => {
  path = newPath();
});

interface Record {
  readonly shard: string;
  readonly sequence: number;
  readonly raw: string;
  readonly arrivedAtMs?: number;
}

const text = (data: Uint8Array): string => Buffer.from(data).toString();
const nameOf = ({ shard, position, data }: Event<Uint8Array>): string => `${shard}:${position.sequence}=${text(data)}`;

/** A run over records, one delivery each, with its memory in a file. */
class Run {
  readonly passed: Event<Uint8Array>[] = [];
  readonly told: Diagnostic[] = [];
  readonly ledger = new Ledger({ report: (diagnostic) => this.told.push(diagnostic) });
  error: Error | undefined;
  readonly #source = new Subject<Event<Uint8Array>>();
  readonly #deliveries: Delivery[] = [];

  constructor(state: IdentityState = identityLog(path)) {
    this.#source.pipe(dedupe({ by: text, within: { hours: 1 }, state })).subscribe({
      next: (event) => this.passed.push(event),
      error: (error: Error) => (this.error = error),
    });
  }

  read(...records: Record[]): this {
    for (const record of records) {
      const { delivery, events } = deliver([record], this.ledger);
      this.#deliveries.push(delivery);
      for (const event of events) this.#source.next(event);
    }
    return this;
  }

  /** Settles what was read so far. */
  letGo(): void {
    for (const delivery of this.#deliveries.splice(0)) delivery.letGo();
  }

  end(): string[] {
    this.#source.complete();
    return this.passed.map(nameOf);
  }
}

const [a1, a2, b1, b2]: Record[] = [
  { shard: 'a', sequence: 1, raw: 'x' },
  { shard: 'a', sequence: 2, raw: 'y' },
  { shard: 'b', sequence: 1, raw: 'x' },
  { shard: 'b', sequence: 2, raw: 'z' },
] as [Record, Record, Record, Record];

describe('dedupe with a state', () => {
  test('after a restart drops what was a repeat before, though it is read before the one that passed', () => {
    expect(new Run().read(a1, b1, a2).end()).toEqual(['a:1=x', 'a:2=y']);
    expect(new Run().read(b1, b2, a1, a2).end()).toEqual(['b:2=z', 'a:1=x', 'a:2=y']);
  });

  test('without one, a repeat after a restart passes', () => {
    const out: string[] = [];
    const { events } = deliver([b1]);
    const operator = dedupe({ by: text, within: { hours: 1 } });
    from(events)
      .pipe(operator)
      .subscribe((event) => out.push(nameOf(event)));
    expect(out).toEqual(['b:1=x']);
  });

  test('touches no file before it is subscribed to', () => {
    dedupe({ by: (data: string) => data, within: { hours: 1 }, state: identityLog(path) });
    expect(existsSync(path)).toBe(false);
    new Run().end();
    expect(existsSync(path)).toBe(true);
  });

  test('tells how many identities it loaded, from where and how long it took', () => {
    new Run().read(a1, a2, b1).end();
    const run = new Run().read(b2);
    expect(run.told).toEqual([
      { type: 'identities-loaded', step: 'dedupe', count: 2, ms: expect.any(Number), state: `file:${path}` },
    ]);
    run.end();
  });

  test('remembers what is read again once, and all of what is flushed at once, however much', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => ({ shard: 'a', sequence: i + 1, raw: `id ${i}` }));
    new Run().read(...many).end();
    new Run().read(...many.slice(-10)).end();
    const run = new Run();
    run.read({ ...many[19_999]!, shard: 'b' });
    expect(run.told).toMatchObject([{ type: 'identities-loaded', count: 20_000 }]);
    expect(run.end()).toEqual([]);
  });

  test('forgets in its state, too, what is of no use any more', async () => {
    const at = (hours: number) => ({ shard: 'a', sequence: hours + 1, raw: `hour ${hours}`, arrivedAtMs: hours * 3_600_000 });
    const run = new Run();
    for (let hours = 0; hours < 10; hours++) {
      run.read(at(hours)).letGo();
      await run.ledger.flushState();
    }
    run.end();
    const next = new Run().read(at(10));
    expect(next.told).toMatchObject([{ type: 'identities-loaded', count: 2 }]);
    next.end();
  });

  test('what the ledger flushed is durable at once, what it did not is not', async () => {
    const run = new Run().read(a1, a2);
    await run.ledger.flushState();
    run.read(b2);
    expect(new Run(identityLog(crashImage(path))).read({ ...a1, shard: 'c' }, { ...b2, shard: 'c' }).end()).toEqual(['c:2=z']);
    run.end();
  });

  test('is durable when it completes, before anybody behind it hears of it', () => {
    const { events } = deliver([a1, a2]);
    let loaded = 0;
    from(events)
      .pipe(dedupe({ by: text, within: { hours: 1 }, state: identityLog(path) }))
      .subscribe({
        complete() {
          const log = identityLog(crashImage(path)).open();
          log.load((sights) => (loaded += sights.length / 7));
          log.close();
        },
      });
    expect(loaded).toBe(2);
  });

  test('a newer run on the same file takes it over: the older one can make nothing durable any more, also at its end', async () => {
    const one = new Run().read(a1);
    await one.ledger.flushState();
    const other = new Run();
    one.read(b2);
    await expect(one.ledger.flushState()).rejects.toThrow(FencedError);
    one.end();
    expect(one.error).toBeInstanceOf(FencedError);
    expect(other.read({ ...a1, shard: 'c' }, { ...b2, shard: 'c' }).end()).toEqual(['c:2=z']);
    expect(other.error).toBeUndefined();
  });

  test('a damaged file is an error of the stream, not an empty memory', () => {
    new Run().read(a1).end();
    writeFileSync(path, '');
    expect(new Run().read(b1)).toMatchObject({ passed: [], error: { message: expect.stringContaining(path) } });
  });

  test('what arrived last in a block keeps it in the state, whatever came late behind it', async () => {
    const minute = 60_000;
    const at = (raw: string, sequence: number, arrivedAtMs: number) => ({ shard: 'a', raw, sequence, arrivedAtMs });
    const run = new Run();
    run.read(at('x', 1, 50 * minute), at('late', 2, 0));
    await run.ledger.flushState();
    // A repeat of what came 50 minutes ago or later is one still.
    for (const [i, minutes] of [100, 105, 110].entries()) {
      run.letGo();
      run.read(at(`y${i}`, 3 + i, minutes * minute));
      await run.ledger.flushState();
    }
    run.end();
    expect(new Run().read(at('x', 6, 109 * minute), at('late', 7, 110 * minute)).end()).toEqual(['a:7=late']);
  });

  test('a state that cannot be loaded is closed', () => {
    const close = vi.fn<() => void>();
    const load = (): never => {
      throw new Error('torn');
    };
    const { error } = new Run({ describe: 'torn', open: () => ({ load, append: () => {}, close }) });
    expect(error).toMatchObject({ message: 'torn' });
    expect(close).toHaveBeenCalledOnce();
  });

  test('what is on its way to a server is waited for, also once the stream has ended', async () => {
    const arrived = Promise.withResolvers<void>();
    const ledger = new Ledger();
    const open = { load: () => ({ ms: 0 }), append: () => {}, flush: () => arrived.promise, close: () => {} };
    const state = { describe: 'a server', open: () => open };
    from(deliver(['a'], ledger).events)
      .pipe(dedupe({ by: text, within: { hours: 1 }, state }))
      .subscribe();
    let isFlushed = false;
    const flushed = ledger.flushState().then(() => (isFlushed = true));
    await new Promise(setImmediate);
    expect(isFlushed).toBe(false);
    arrived.resolve();
    await flushed;
  });

  test('what cannot be made durable is never committed: the flush fails, now and after the end', async () => {
    const log = identityLog(path);
    const full = new Error('the disk is full');
    const run = new Run({
      ...log,
      open() {
        const open = log.open();
        const append = (): never => {
          throw full;
        };
        return { load: (take, expect) => open.load(take, expect), append, close: () => open.close() };
      },
    }).read(a1);
    await expect(run.ledger.flushState()).rejects.toThrow(full);
    run.end();
    expect(run.error).toBe(full);
    await expect(run.ledger.flushState()).rejects.toThrow(full);
  });

  test(
    'whatever is committed and wherever it is cut off, each identity is stored once by every sink',
    { timeout: 30_000 },
    () => {
      const copies = fc.array(
        fc.record({ shard: fc.constantFrom('a', 'b', 'c'), raw: fc.constantFrom('u', 'v', 'w', 'x', 'y', 'z') }),
        {
          minLength: 1,
          maxLength: 30,
        },
      );
      fc.assert(
        fc.property(
          copies,
          fc.array(fc.nat(100), { minLength: 2, maxLength: 4 }),
          fc.infiniteStream(fc.nat(1000)),
          (all, cuts, random) => {
            path = newPath();
            const records = all.map((record, i) => ({ ...record, sequence: i + 1 }));
            const draw = (below: number): number => random.next().value! % below;
            // Each sink stores up to its own position in each shard.
            const sinks = [0, 1].map(() => ({ stored: [] as string[], positions: new Map<string, number>() }));
            for (const cut of [...cuts, Infinity]) {
              const from = (shard: string): number => Math.min(...sinks.map(({ positions }) => positions.get(shard) ?? 0));
              const queues = ['a', 'b', 'c'].map((name) =>
                records.filter(({ shard, sequence }) => shard === name && sequence > from(shard)),
              );
              const run = new Run();
              const seen = new Map<string, number>();
              for (let n = 0; n < cut; n++) {
                const left = queues.filter((queue) => queue.length > 0);
                if (left.length === 0) break;
                const record = left[draw(left.length)]!.shift()!;
                run.read(record);
                seen.set(record.shard, record.sequence);
                if (draw(4) === 0) commit();
              }
              if (cut === Infinity) for (const _ of [0, 1, 2, 3, 4, 5, 6, 7]) commit(true);
              const image = crashImage(path);
              run.end();
              path = image;

              function commit(isAll = false): void {
                // Of a file it is done when the call returns.
                void run.ledger.flushState();
                for (const sink of sinks)
                  for (const [shard, last] of seen) {
                    const before = sink.positions.get(shard) ?? 0;
                    const position = isAll ? last : before + draw(Math.max(last - before, 0) + 1);
                    if (position <= before) continue;
                    for (const event of run.passed) {
                      const sequence = Number(event.position.sequence);
                      if (event.shard === shard && sequence > before && sequence <= position) sink.stored.push(text(event.data));
                    }
                    sink.positions.set(shard, position);
                  }
              }
            }
            const once = [...new Set(records.map(({ raw }) => raw))].sort();
            for (const { stored } of sinks) expect(stored.sort()).toEqual(once);
          },
        ),
        { numRuns: 40 },
      );
    },
  );

  test('after SIGKILL everything that was flushed is remembered', { timeout: 30_000 }, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', READER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    let flushed = 0;
    try {
      for await (const line of createInterface({ input: child.stdout })) if ((flushed = Number(line)) > 5000) break;
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    const run = new Run();
    for (let i = 0; i < flushed; i++) run.read({ shard: 'b', sequence: i + 1, raw: `id ${i}` });
    for (let i = 0; i < flushed; i++) run.read({ shard: 'a', sequence: i + 1, raw: `id ${i}` });
    expect(run.error).toBeUndefined();
    expect(run.passed.filter(({ shard }) => shard === 'b')).toEqual([]);
    expect(run.passed.length).toBe(flushed);
    expect(run.passed.every((event, i) => i === 0 || comparePositions(run.passed[i - 1]!.position, event.position) < 0)).toBe(
      true,
    );
    run.end();
  });
});

/** What a crash at this moment would leave behind. */
function crashImage(of: string): string {
  const image = newPath();
  mkdirSync(join(image, '..'));
  for (const end of ['', '-wal']) if (existsSync(of + end)) copyFileSync(of + end, image + end);
  return image;
}

// Reads without end, flushes every hundred events and says how many are flushed.
const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
const READER = `
  import { writeSync } from 'node:fs';
  import { Subject } from 'rxjs';
  import { Ledger } from ${at('../../src/ledger.ts')};
  import { dedupe } from ${at('../../src/operators/dedupe.ts')};
  import { identityLog } from ${at('../../src/stores/identity-log.ts')};
  import { deliver } from ${at('../../src/testing/deliver.ts')};
  const source = new Subject();
  const state = identityLog(process.argv[1]);
  source.pipe(dedupe({ by: (data) => Buffer.from(data).toString(), within: { hours: 1 }, state })).subscribe();
  const ledger = new Ledger();
  for (let i = 0; ; i += 100) {
    const samples = Array.from({ length: 100 }, (_, k) => ({ shard: 'a', sequence: i + k + 1, raw: 'id ' + (i + k) }));
    for (const event of deliver(samples, ledger).events) source.next(event);
    ledger.flushState();
    writeSync(1, String(i + 100) + '\\n');
  }
`;
