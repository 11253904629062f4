import { createHash } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { filter } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { Outcome } from '../../../src/ledger.ts';
import { LIVE_PAGE_HEADERS, LivePage } from '../../../src/observe/page/live-page.ts';
import { SCRIPT } from '../../../src/observe/page/script.ts';
import { RunRecord } from '../../../src/observe/run-record.ts';
import { minuteWindow } from '../../../src/operators/minute-window.ts';
import { transform } from '../../../src/operators/transform.ts';
import { deliver } from '../../../src/testing/deliver.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { runRecord } from '../../support/run-record.ts';

const position = { shard: 'a', sequence: '1', subSequence: 0 };

/** The words of a page, with one space between them. */
function wordsOf(record: RunRecord, nowMs = 0, page = new LivePage([record])): string {
  const body = /<main>([^]*)<\/main>/.exec(page.text(nowMs))![1]!;
  return body
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replaceAll(/\s+/g, ' ');
}

describe('the live page', () => {
  it('draws the pipeline as it is declared, each step with what it dropped and rejected', () => {
    const { record, ledger } = runRecord(
      ['memory'],
      [transform((data: Uint8Array) => data), filter(() => true), transform((data: Uint8Array) => data), minuteWindow()],
    );
    const [dropped, kept] = [deliver(['to be dropped'], ledger), deliver([{ sequence: 2, raw: 'kept' }], ledger)];
    dropped.events[0]!.drop('filter');
    dropped.delivery.letGo();
    record.report({ type: 'rejected', position, why: { step: 'transform', code: 'TypeError', reason: 'wrong' } });
    record.report({ type: 'committed', sink: 'memory', count: 1200, sizeBytes: 2 ** 20, ms: 20, positions: new Map() });
    record.report({ type: 'sink-retry', sink: 'memory', attempt: 1, delayMs: 1, error: 'x' });
    const words = wordsOf(record);
    expect(words).toContain(
      'script of one shard transform step 2 an operator of RxJS 1 dropped transform 1 rejected minuteWindow',
    );
    expect(words).toContain('memory memory: in memory 1,200 events, 1 MiB commits within 25 ms 1 call tried again');
    expect(words).toContain('2 read 0 stored 1 dropped 0 rejected 1 in flight');
    expect(words).toContain(
      'Rejects as they are made; above they count once all that was read with them is stored step code made transform TypeError 1',
    );
    expect(words).not.toContain('other kinds');
    kept.events[0]!.mark(Outcome.stored);
    kept.delivery.letGo();
    expect(wordsOf(record)).toContain('2 read 1 stored 1 dropped 0 rejected 0 in flight');
  });

  it('says what each sink did, that of the rejects too, how long its commits took, and how often it was asked again', () => {
    const record = new RunRecord({ ...runRecord(['memory']).record.declared, rejectsSink: memorySink('rejects') });
    const commit = { type: 'committed', sink: 'memory', count: 1, sizeBytes: 1, positions: new Map() } as const;
    for (const ms of [20, 20, 70_000]) record.report({ ...commit, ms });
    for (const attempt of [1, 2]) record.report({ type: 'sink-retry', sink: 'memory', attempt, delayMs: 1, error: 'x' });
    record.report({ type: 'rejected', position, why: { step: 'memory', code: '22P02', reason: 'wrong' } });
    const words = wordsOf(record);
    expect(words).toContain(
      'in memory 3 events, 3 B, 1 rejected commits: half within 25 ms, 99 % longer than a minute 2 calls tried again',
    );
    expect(words).toContain('rejects rejects: in memory 0 events, 0 B');
  });

  it('draws how fast it read, and what became of all that was read', () => {
    const { record, ledger } = runRecord(['memory']);
    const page = new LivePage([record]);
    const look = (nowMs: number, ...raws: string[]): string => {
      if (raws.length > 0) deliver(raws, ledger);
      return page.text(nowMs);
    };
    expect(look(0)).not.toContain('class="pace"');
    look(10_000, 'a', 'b', 'c', 'd');
    const { delivery, events } = deliver(
      Array.from({ length: 16 }, () => 'e'),
      ledger,
    );
    events[0]!.drop('dedupe');
    for (const event of events.slice(1, 6)) event.mark(Outcome.rejected);
    for (const event of events.slice(6)) event.mark(Outcome.stored);
    delivery.letGo();
    const drawn = look(20_000);
    expect(drawn).toContain('at most 1.6/s');
    expect(drawn).toContain('d="M110.0,40L110.0,29.0L120.0,2.0L120,40Z"');
    const bars = [...drawn.matchAll(/<rect class="(\w+)" x="([\d.]+)" width="([\d.]+)"/g)].map((bar) =>
      bar.slice(1, 4).join(' '),
    );
    expect(bars).toEqual(['stored 0 500', 'dropped 500 50', 'rejected 550 250', 'flight 800 200']);
    expect(drawn).toContain('<title>p: running</title>');
    expect(wordsOf(record)).toMatch(/[1-9]\d* KiB of 256 MiB in flight /);
    void ledger.room.reserve(ledger.room.maxInFlightBytes);
    expect(wordsOf(record)).toContain('MiB in flight waits for room');
    record.report({ type: 'went-back', error: new Error('forgot'), counts: ledger.counts() });
    expect(wordsOf(record)).toContain('20 read 10 stored 1 dropped 5 rejected 4 read again 0 in flight');
    expect(look(30_000)).toContain('<span class="stage back">going back</span>');
  });

  it('tells of several runs, each how it is', () => {
    const [one, other] = [runRecord(['memory']).record, runRecord(['memory']).record];
    other.end('failed');
    const text = new LivePage([one, other]).text(0);
    expect(text).toContain('<title>p: starting, p: failed</title>');
    expect(text).toMatch(/>starting<[^]*>failed</);
  });

  it('tells of the most frequent kinds of rejects', () => {
    const { record } = runRecord(['memory']);
    for (let i = 1; i <= 22; i++)
      for (let n = 0; n < i; n++)
        record.report({ type: 'rejected', position, why: { step: 'validate', code: `code-${i}`, reason: 'wrong' } });
    const words = wordsOf(record);
    expect(words).toContain('made validate code-22 22 validate code-21 21 ');
    expect(words).toContain('validate code-3 3 and 2 other kinds, less frequent');
    expect(words).not.toContain('code-2 ');
  });

  it('says how fast it reads once somebody has looked twice', () => {
    const { record, ledger } = runRecord(['memory']);
    const page = new LivePage([record]);
    wordsOf(record, 0, page);
    deliver(['one', 'two', 'three', 'four'], ledger);
    expect(wordsOf(record, 2000, page)).toContain('a script of one shard 2/s');
  });

  it('tells of shards that make no progress first, then of those farthest behind, and not of all where they are many', () => {
    const { record } = runRecord(['memory']);
    const health = { readAtMs: 1000, settledAtMs: 0, inFlight: 0, sizeBytes: 0, waitsForRoom: false };
    for (let i = 0; i < 100; i++) {
      const [shard, behindMs] = [`shard-${i}`, i * 1000];
      const quiet = i === 7 ? { forMs: 50_000, doing: 'waits for copy: <timeout>' } : undefined;
      record.report({ type: 'shard-started', shard, resume: 'TRIM_HORIZON' });
      record.report({ type: 'shard-lag', shard, behindMs, readAtMs: 1000 });
      record.report({ type: 'shard-health', shard, behindMs, ...health, quiet });
    }
    const words = wordsOf(record, 4000);
    expect(words).toContain('p quiet reads 99 s behind 0 B of');
    expect(words).toMatch(/p quiet .*Shards .* shard-7 7 s 0 3 s 4 s no progress for 50 s: waits for copy: <timeout> shard-99 /);
    expect(words).toContain('shard-37 37 s 0 3 s 4 s and 36 others');
    expect(words).not.toContain('shard-36 ');
    const { record: begun, ledger } = runRecord(['memory']);
    begun.report({ type: 'shard-started', shard: 'a', resume: 'TRIM_HORIZON' });
    expect(wordsOf(begun)).toMatch(/last settled a – 0 – – (?!waits|and)/);
    deliver([{ shard: 'a', raw: 'x' }], ledger);
    void ledger.room.reserve(ledger.room.maxInFlightBytes, 'a');
    expect(wordsOf(begun)).toContain('a – 1 – – waits for room');
  });

  it('keeps the last things that were said, newest first', () => {
    const { record } = runRecord(['memory']);
    for (let i = 1; i <= 14; i++) record.say({ level: 'warn', type: 'sink-retry', message: `message ${i}` }, i * 1000);
    const words = wordsOf(record, 74_000);
    expect(words).toContain('What it last said 60 s ago message 14 61 s ago message 13');
    expect(words).toContain('message 3 ');
    expect(words).not.toContain('message 2 ');
    // The clock was set back.
    expect(wordsOf(record, 13_000)).toContain('last said 0 ms ago message 14 0 ms ago message 13 1 s ago message 12');
  });

  it('has no markup but its own, and a browser runs no other script', () => {
    const { record } = runRecord(['memory']);
    const nasty = '<script>alert(1)</script>';
    record.report({ type: 'shard-started', shard: nasty, resume: 'TRIM_HORIZON' });
    record.report({ type: 'rejected', position, why: { step: nasty, code: nasty, reason: nasty } });
    record.say({ level: 'info', type: 'x', message: nasty }, 0);
    const text = new LivePage([record]).text(0);
    expect(text).not.toContain('<script>alert');
    expect(wordsOf(record).split(nasty)).toHaveLength(5);
    for (const kind of ['style', 'script']) {
      const [, content] = new RegExp(`<${kind}>([^]*?)</${kind}>`).exec(text)!;
      const digest = createHash('sha256').update(content!).digest('base64');
      expect(LIVE_PAGE_HEADERS['content-security-policy']).toContain(`${kind}-src 'sha256-${digest}'`);
    }
  });
});

describe('the script of the live page', () => {
  /** A browser, as far as the script looks at one, and the page that it gets. */
  function browser(fetch: () => Promise<{ text: () => Promise<string> }>) {
    const timers: (() => Promise<void>)[] = [];
    const selection = { isCollapsed: true };
    const gone = { hidden: true };
    const main = { replaceWith: vi.fn() };
    const document = { hidden: false, title: 'old', getElementById: () => gone, querySelector: () => main };
    class DOMParser {
      parseFromString(text: string): object {
        return { title: `title of ${text}`, querySelector: () => `main of ${text}` };
      }
    }
    const setTimeout = (work: () => Promise<void>): void => void timers.push(work);
    const location = { href: 'http://127.0.0.1:9464/' };
    runInNewContext(SCRIPT, { document, fetch, DOMParser, setTimeout, location, AbortSignal, getSelection: () => selection });
    return { document, gone, main, selection, second: async () => timers.shift()!() };
  }

  it('puts what is new in the place of the old each second, and says when nobody answers', async () => {
    const fetch = vi.fn(async () => ({ text: async () => 'page 2' }));
    const { document, gone, main, second } = browser(fetch);
    await second();
    expect(main.replaceWith).toHaveBeenCalledExactlyOnceWith('main of page 2');
    expect(document.title).toBe('title of page 2');
    fetch.mockRejectedValueOnce(new TypeError('refused'));
    await second();
    expect([gone.hidden, main.replaceWith.mock.calls.length]).toEqual([false, 1]);
    await second();
    expect([gone.hidden, main.replaceWith.mock.calls.length]).toEqual([true, 2]);
  });

  it('asks for nothing while nobody looks, or a text is selected', async () => {
    const fetch = vi.fn(async () => ({ text: async () => 'page' }));
    const { document, selection, second } = browser(fetch);
    document.hidden = true;
    await second();
    document.hidden = false;
    selection.isCollapsed = false;
    await second();
    expect(fetch).not.toHaveBeenCalled();
    selection.isCollapsed = true;
    await second();
    expect(fetch).toHaveBeenCalledOnce();
  });
});
