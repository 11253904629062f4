import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import { Ledger, Outcome } from '../../../src/ledger.ts';
import { jsonLine, jsonLog } from '../../../src/observe/log/json-log.ts';
import { entryOf, logLine } from '../../../src/observe/log/log.ts';
import { Screen } from '../../../src/observe/log/screen.ts';
import { Status } from '../../../src/observe/log/status.ts';
import { textLog } from '../../../src/observe/log/text-log.ts';
import type { Resume } from '../../../src/position.ts';
import { deliver } from '../../../src/testing/deliver.ts';

const recorder = (isTTY: boolean) => {
  const written: string[] = [];
  return { written, isTTY, columns: 12, write: (text: string) => written.push(text) > 0 };
};

const seenIn = ({ written }: { readonly written: readonly string[] }): string =>
  written
    .join('')
    .replaceAll('\r\u001B[2K', '<clear>')
    .replaceAll('\u001B[1F\u001B[J', '<up 1, clear>')
    // Wrapping off and on.
    .replaceAll('\u001B[?7l', '')
    .replaceAll('\u001B[?7h', '');

describe('status', () => {
  it('says in one line how a run stands', () => {
    const ledger = new Ledger();
    const status = new Status(() => ledger, { windowMs: 60_000 });
    const { events } = deliver(['stored', 'repeat'], ledger);
    events[1]!.drop('dedupe');
    status.report({ type: 'shard-lag', shard: 'a', behindMs: 1500, readAtMs: 0 });
    status.report({ type: 'shard-lag', shard: 'b', behindMs: 20, readAtMs: 0 });
    expect(status.line(50_000)).toBe(
      'read 2  stored 0  repeats 0  rejected 0  in flight 2 (0.0 MiB)  behind 1.5 s  next window in 10 s',
    );
    expect(status.line(51_500)).toMatch(/next window in 9 s$/);
    status.report({ type: 'shard-ended', shard: 'a' });
    void ledger.room.reserve(ledger.room.maxInFlightBytes);
    expect(status.line(60_000)).toContain('behind 20 ms  waits for room  next window in 60 s');
    expect(new Status(() => ledger, { windowMs: 10_000 }).line(63_000)).toMatch(/next window in 7 s$/);
    expect(new Status(() => ledger).line(60_000)).toMatch(/behind 0 ms  waits for room$/);
  });

  it('counts what steps dropped beside repeats, rejects, and what is in flight', () => {
    const ledger = new Ledger();
    const status = new Status(() => ledger);
    const { events, delivery } = deliver(['repeat', 'repeat', 'filtered', 'other', 'rejected', 'stored'], ledger);
    for (const [i, step] of ['dedupe', 'dedupe', 'filter', 'keep'].entries()) events[i]!.drop(step);
    events[4]!.mark(Outcome.rejected);
    events[5]!.mark(Outcome.stored);
    delivery.letGo();
    deliver([{ sequence: 7, raw: Buffer.alloc(3 * 2 ** 20) }], ledger);
    status.report({ type: 'shard-lag', shard: 'a', behindMs: 900, readAtMs: 0 });
    expect(status.line(0)).toBe('read 7  stored 1  repeats 2  dropped 2  rejected 1  in flight 1 (3.0 MiB)  behind 900 ms');
  });
});

describe('log', () => {
  it('warns of what somebody should look at', () => {
    const again = { attempt: 2, delayMs: 80.4, error: new Error('lost') };
    const counts = { read: 5, stored: 3, dropped: {}, rejected: 0, inFlight: 2 };
    const gap = { type: 'gap', shard: 'a', resume: 'TRIM_HORIZON' } as const;
    const said = (
      [
        { ...gap, isAccepted: false },
        { ...gap, isAccepted: true },
        { type: 'source-retry', shard: 'a', ...again },
        { type: 'lookup-retry', ...again },
        { type: 'went-back', error: new Error('copy went back'), counts },
        { type: 'identities-forgotten', step: 'dedupe', count: 7, capacity: 100 },
        { type: 'no-conditional-writes', store: 's3' },
        { type: 'unlogged', store: 'pg', table: 'events' },
        { type: 'table-anew', sink: 'copy', table: 'events', shard: 'a', resume: 'SHARD_END' },
        { type: 'may-evict-rejects', store: 'redis', policy: 'volatile-lru' },
        { type: 'line-open', shard: 'a', sizeBytes: 3 },
        { type: 'spool-read', shard: 'stdin', where: 'spool/p/stdin', sizeBytes: 2000, cutBytes: 0 },
        { type: 'spool-read', shard: 'stdin', where: 'spool/p/stdin', sizeBytes: 0, cutBytes: 9 },
        { type: 'shard-quiet', shard: 'a', forMs: 1000, doing: 'waiting' },
        { type: 'shard-ended', shard: 'a' },
        { type: 'identities-loaded', step: 'dedupe', count: 7, ms: 80.4, state: 'file:x' },
      ] satisfies Diagnostic[]
    ).map((diagnostic) => {
      const { level, message } = entryOf('p', diagnostic)!;
      return `${level} ${message.split(';')[0]!}`;
    });
    expect(said).toEqual([
      'error a: a gap behind TRIM_HORIZON: what came behind it is past retention',
      'warn a: a gap behind TRIM_HORIZON: what came behind it is past retention',
      'warn a: try 2 failed, again in 80 ms: Error: lost',
      'warn lookup: try 2 failed, again in 80 ms: Error: lost',
      'warn copy went back',
      'warn dedupe: full, 7 of the oldest of 100 identities forgotten before their time',
      'warn s3: has no conditional writes',
      'warn pg: events is UNLOGGED, so a crash of the server empties it, and what it had is not read again',
      'warn copy: events was not there and is made, empty',
      'warn redis: may evict rejects before their time when it is short of memory, by its maxmemory-policy volatile-lru',
      'warn a: ends inside a line, whose 3 bytes are left to a run that finds the rest of it',
      'info stdin: 2,000 bytes that an earlier run had read, and may not have stored, come first from spool/p/stdin',
      'warn stdin: 0 bytes that an earlier run had read, and may not have stored, come first from spool/p/stdin',
      'warn a: no progress for 1 s, waiting',
      'info a: read to its end',
      'info dedupe: remembers 7 identities from file:x, loaded in 80 ms',
    ]);
    expect(logLine({ type: 'went-back', error: new Error('x'), counts })).toMatch(/had read 5 and stored 3\)$/);
  });

  it('tells of a shard that stands still, and leaves numbers to the status', () => {
    const doing = 'waiting for room';
    expect(logLine({ type: 'shard-quiet', shard: 'a', forMs: 150_400, doing })).toBe(
      'a: no progress for 150 s, waiting for room',
    );
    expect(logLine({ type: 'shard-lag', shard: 'a', behindMs: 0, readAtMs: 0 })).toBeUndefined();
  });
});

describe('a log for machines', () => {
  beforeEach(() => void vi.useFakeTimers({ now: Date.UTC(2026, 10, 22, 9) }));
  afterEach(() => void vi.useRealTimers());

  it('says one object a line: what happened, in fields and in words', () => {
    const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    const error = Object.assign(new TypeError('lost\n"it"', { cause }), { socket: { circle: {} } });
    error.socket.circle = error.socket;
    const line = jsonLine(entryOf('p', { type: 'sink-retry', sink: 'copy', attempt: 2, delayMs: 80.4, error })!, Date.now());
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toEqual({
      time: '2026-11-22T09:00:00.000Z',
      level: 'warn',
      pipeline: 'p',
      type: 'sink-retry',
      message: 'copy: try 2 failed, again in 80 ms: TypeError: lost\n"it"',
      sink: 'copy',
      attempt: 2,
      delayMs: 80.4,
      error: {
        name: 'TypeError',
        message: 'lost\n"it"',
        cause: { name: 'Error', message: 'read ECONNRESET', code: 'ECONNRESET' },
      },
    });
  });

  it('says causes that are no errors, and of a circle of them no more than five', () => {
    const error = Object.assign(new Error('outer', { cause: { why: 'full' } }), { code: 28 });
    const told = (of: unknown): unknown =>
      JSON.parse(jsonLine(entryOf('p', { type: 'lookup-retry', attempt: 1, delayMs: 1, error: of })!, 0)).error;
    expect(told(error)).toEqual({ name: 'Error', message: 'outer', code: 28, cause: "{ why: 'full' }" });
    const circle = new Error('round');
    circle.cause = circle;
    let depth = 0;
    for (let at = told(circle) as { cause?: unknown } | undefined; at; at = at.cause as typeof at) depth++;
    expect(depth).toBe(6);
  });

  it('writes places in a shard as stores keep them', () => {
    const resumeOf = (resume: Resume): unknown =>
      JSON.parse(jsonLine(entryOf('p', { type: 'shard-started', shard: 's', resume })!, 0)).resume;
    expect(resumeOf({ shard: 's', sequence: '7', subSequence: 1 })).toBe('7:1');
    expect(resumeOf(new Date(0))).toBe('@1970-01-01T00:00:00.000Z');
    expect(resumeOf('TRIM_HORIZON')).toBe('TRIM_HORIZON');
  });

  it('says every ten seconds how each run stands', () => {
    const output = recorder(true);
    const ledger = new Ledger();
    const { delivery } = deliver(['one'], ledger);
    const log = jsonLog({ output, pipelines: ['p'], statuses: new Map([['p', new Status(() => ledger)]]) });
    vi.advanceTimersByTime(10_000);
    log.close();
    vi.advanceTimersByTime(60_000);
    expect(output.written.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({
        time: '2026-11-22T09:00:10.000Z',
        type: 'status',
        pipeline: 'p',
        read: 1,
        inFlight: 1,
        behindMs: 0,
      }),
    ]);
    delivery.letGo();
  });
});

describe('screen', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('keeps one line at the foot of a terminal, cut at its edge, with messages above it', () => {
    const output = recorder(true);
    const screen = new Screen(output, () => 'a line that is too long');
    vi.advanceTimersByTime(250);
    screen.print('hello');
    screen.close();
    expect(seenIn(output)).toBe('<clear>a line that<clear>hello\n<clear>a line that<clear>');
  });

  it('keeps several lines, each cut at the edge, and takes all of them away before it writes', () => {
    const output = recorder(true);
    const screen = new Screen(output, () => 'a line that is too long\nanother line');
    vi.advanceTimersByTime(250);
    screen.print('hello');
    screen.close();
    const both = 'a line that\nanother lin';
    expect(seenIn(output)).toBe(`<clear>${both}<up 1, clear>hello\n<clear>${both}<up 1, clear>`);
  });

  it('lets no line wrap, and prints what is said after its end as it is', () => {
    const output = recorder(true);
    const screen = new Screen(output, () => 'one\nother');
    vi.advanceTimersByTime(250);
    expect(output.written.join('')).toBe('\r\u001B[2K\u001B[?7lone\nother\u001B[?7h');
    screen.close();
    output.written.length = 0;
    screen.print('last words');
    vi.advanceTimersByTime(1000);
    expect(seenIn(output)).toBe('<clear>last words\n');
  });

  it('folds how a run stands where the terminal is too narrow for it, between two numbers', () => {
    const ledger = new Ledger();
    const output = { ...recorder(true), columns: 60 };
    const statuses = new Map([['shop', new Status(() => ledger)]]);
    const log = textLog({
      output,
      pipelines: ['shop', 'other'],
      statuses,
      foot: () => ['a foot  that is not folded, and is cut at the edge of the terminal'],
    });
    vi.advanceTimersByTime(250);
    log.close();
    expect(
      seenIn(output)
        .split('\n')
        .map((line) => line.replace('<clear>', '')),
    ).toEqual([
      'shop   read 0  stored 0  repeats 0  rejected 0',
      '       in flight 0 (0.0 MiB)  behind 0 ms',
      expect.stringMatching(/^a foot  that is not folded, and is cut at the edge of the t\W/),
    ]);
  });

  it('prints plain lines with the time where there is no terminal', () => {
    vi.setSystemTime('2026-11-22T09:00:00Z');
    const output = recorder(false);
    const screen = new Screen(output, () => 'a line that is too long\nanother');
    screen.print('hello');
    vi.advanceTimersByTime(10_000);
    screen.close();
    vi.advanceTimersByTime(60_000);
    expect(output.written.join('')).toBe(
      '2026-11-22T09:00:00.000Z hello\n2026-11-22T09:00:10.000Z a line that is too long\n2026-11-22T09:00:10.000Z another\n',
    );
  });
});
