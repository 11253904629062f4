import { createHash } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { filter } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { Outcome } from '../../../src/ledger.ts';
import { LIVE_PAGE_HEADERS, LivePage } from '../../../src/observe/page/live-page.ts';
import { SCRIPT } from '../../../src/observe/page/script.ts';
import type { RunRecord } from '../../../src/observe/run-record.ts';
import { minuteWindow } from '../../../src/operators/minute-window.ts';
import { transform } from '../../../src/operators/transform.ts';
import { deliver } from '../../../src/testing/deliver.ts';
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
    expect(words).toContain('Rejects step code made transform TypeError 1');
    kept.events[0]!.mark(Outcome.stored);
    kept.delivery.letGo();
    expect(wordsOf(record)).toContain('2 read 1 stored 1 dropped 0 rejected 0 in flight');
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
      const quiet = i === 7 ? { forMs: 150_000, doing: 'waits for copy: <timeout>' } : undefined;
      record.report({ type: 'shard-started', shard, resume: 'TRIM_HORIZON' });
      record.report({ type: 'shard-lag', shard, behindMs, readAtMs: 1000 });
      record.report({ type: 'shard-health', shard, behindMs, ...health, quiet });
    }
    const words = wordsOf(record, 4000);
    expect(words).toMatch(
      /p quiet .*Shards .* shard-7 7 s 0 3 s 4 s no progress for 2.5 min: waits for copy: <timeout> shard-99 /,
    );
    expect(words).toContain('shard-37 37 s 0 3 s 4 s and 36 others');
    expect(words).not.toContain('shard-36 ');
  });

  it('keeps the last things that were said, newest first', () => {
    const { record } = runRecord(['memory']);
    for (let i = 1; i <= 14; i++) record.say({ level: 'warn', type: 'sink-retry', message: `message ${i}` }, i * 1000);
    const words = wordsOf(record, 74_000);
    expect(words).toContain('What it last said 60 s ago message 14 61 s ago message 13');
    expect(words).toContain('message 3 ');
    expect(words).not.toContain('message 2 ');
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
