import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { type SchedulerLike, asyncScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Event, Reject } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import type { Window } from '../../src/operators/window.ts';
import { stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import { transform } from '../../src/operators/transform.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { Spool } from '../../src/sources/lines/spool.ts';
import { lines } from '../../src/sources/lines.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { anId, lineOf } from '../snowplow/line.ts';
import { type ReadOptions, type Reading, readSource } from '../support/read-source.ts';

const nine = Date.UTC(2026, 10, 22, 9);
const at = (ms: number): SchedulerLike => ({ now: () => ms, schedule: asyncScheduler.schedule.bind(asyncScheduler) });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-spool-'));
});
afterEach(() => rm(folder, { recursive: true }));

const where = (): string => join(folder, 'spool', 'test', 'stdin');
/** Until a run that has ended has let go of the spool, and has removed from it what is settled. */
const soon = (): Promise<void> => sleep(20);
const filesThere = async (): Promise<string[]> => (await readdir(where())).filter((name) => name.endsWith('.lines'));

type Of = 'line' | 'text';
const read = (input: PassThrough, nowMs = nine, options: ReadOptions = {}, of: Of = 'line'): Reading =>
  readSource(lines({ input, of, spool: join(folder, 'spool') }), { scheduler: at(nowMs), ...options });
const textOf = ({ data }: Event<Uint8Array>): string => Buffer.from(data).toString();
const held = { onEvent: (event: Event<Uint8Array>) => event.hold() };

/** What a run read that was killed before any of it was stored. */
async function killed(text: string, nowMs = nine, options: ReadOptions = held): Promise<Event<Uint8Array>[]> {
  const input = new PassThrough();
  const { events, unsubscribe } = read(input, nowMs, options);
  input.write(text);
  await expect.poll(() => events.length > 0 && text.endsWith(`${textOf(events.at(-1)!)}\n`)).toBe(true);
  unsubscribe();
  await soon();
  return events;
}

async function ended(text: string, nowMs = nine, options: ReadOptions = {}): Promise<Reading> {
  const reading = read(new PassThrough().end(text), nowMs, options);
  await reading.completed;
  return reading;
}

describe('lines, of a stream with a spool,', () => {
  it('that a killed run had read come again, where and when they had come, before those that are new', async () => {
    const before = await killed('a\nbb\n');
    const { events, diagnostics } = await ended('c\n', nine + 5000);
    expect(events.map(textOf)).toEqual(['a', 'bb', 'c']);
    expect(events.slice(0, 2).map(({ position, arrivedAtMs }) => ({ position, arrivedAtMs }))).toEqual(
      before.map(({ position, arrivedAtMs }) => ({ position, arrivedAtMs })),
    );
    expect(events[2]!.arrivedAtMs).toBe(nine + 5000);
    expect(diagnostics).toContainEqual({ type: 'spool-read', shard: 'stdin', where: where(), sizeBytes: 5, cutBytes: 0 });
  });

  it('come again where they had come, though the memory of those before is given back meanwhile', async () => {
    const input = new PassThrough();
    const { events, unsubscribe } = read(input, nine, held);
    for (const [i, text] of ['a\n', 'bb\n', 'c\n'].entries()) {
      input.write(text);
      await expect.poll(() => events.length).toBe(i + 1);
    }
    unsubscribe();
    await soon();
    const again = await ended('', nine, { ledger: new Ledger({ freesRecords: true }) });
    expect(again.events.map(({ position }) => position)).toEqual(events.map(({ position }) => position));
  });

  it('come again from run to run, whatever the clock says, until they are settled', async () => {
    await killed('a\n');
    await killed('b\n', nine - 1000);
    const { events } = await ended('c\n', nine - 2000);
    expect(events.map(textOf)).toEqual(['a', 'b', 'c']);
    expect(new Set(events.map(({ position }) => position.sequence)).size).toBe(3);
    expect(events.map(({ position }) => position.sequence)).toEqual(
      events.map(({ position }) => position.sequence).toSorted((x, y) => Number(BigInt(x) - BigInt(y))),
    );
    await soon();
    expect(await filesThere()).toEqual([]);
  });

  it('are gone from it once they are settled, be it behind the end or a stop', async () => {
    await ended('a\nb');
    await soon();
    expect(await filesThere()).toEqual([]);

    const input = new PassThrough();
    const late: Event<Uint8Array>[] = [];
    const { events, stop, completed } = read(input, nine + 1, {
      onEvent(event) {
        event.hold();
        late.push(event);
      },
    });
    input.write('c\n');
    await expect.poll(() => events.length).toBe(1);
    stop.abort();
    await completed;
    await soon();
    expect(await filesThere()).toHaveLength(1);
    for (const event of late) event.release();
    await soon();
    expect(await filesThere()).toEqual([]);
  });

  it('come from behind what was settled when later ones were read', async () => {
    const first = new PassThrough();
    const { events, unsubscribe } = read(first, nine, { onEvent: (event) => textOf(event) === 'open' && event.hold() });
    for (const [i, text] of ['done\n', 'open\n', 'last\n'].entries()) {
      first.write(text);
      await expect.poll(() => events.length).toBe(i + 1);
      await soon();
    }
    unsubscribe();
    await soon();
    expect((await ended('')).events.map(textOf)).toEqual(['open', 'last']);
  });

  it('come from behind what was settled in whichever run that was', async () => {
    const first = new PassThrough();
    const begun = read(first, nine, { onEvent: (event) => textOf(event) !== 'done' && event.hold() });
    for (const [i, text] of ['done\n', 'a\n'].entries()) {
      first.write(text);
      await expect.poll(() => begun.events.length).toBe(i + 1);
      await soon();
    }
    begun.unsubscribe();
    await soon();
    // Of a run that has settled nothing, what the one before had settled holds.
    expect((await killed('b\n')).map(textOf)).toEqual(['a', 'b']);

    const third = new PassThrough();
    const { events, unsubscribe } = read(third, nine, { onEvent: (event) => textOf(event) === 'c' && event.hold() });
    await expect.poll(() => events.map(textOf)).toEqual(['a', 'b']);
    await soon();
    third.write('c\n');
    await expect.poll(() => events.map(textOf)).toEqual(['a', 'b', 'c']);
    unsubscribe();
    await soon();
    expect((await ended('')).events.map(textOf)).toEqual(['c']);
  });

  it.each([
    { stand: 'ahead of what was settled', line: 1, left: ['c'] },
    { stand: 'before what was settled', line: 0, left: ['c'] },
  ])('come from behind it, where the sinks stand $stand', async ({ stand, line, left }) => {
    const first = new PassThrough();
    const open = stand.startsWith('ahead') ? /[bc]/ : /c/;
    const { events, unsubscribe } = read(first, nine, { onEvent: (event) => open.test(textOf(event)) && event.hold() });
    for (const [i, text] of ['a\n', 'b\n', 'c\n'].entries()) {
      first.write(text);
      await expect.poll(() => events.length).toBe(i + 1);
      await soon();
    }
    unsubscribe();
    await soon();
    const { position } = events[line]!.origin;
    const acquire = async () => position;
    expect((await ended('', nine, { acquire })).events.map(textOf)).toEqual(left);
  });

  it('come run by run, also where one has filled more than one file', async () => {
    const long = `${'x'.repeat(1023)}\n`.repeat(17 * 1024);
    const first = new PassThrough();
    const { ledger, unsubscribe } = read(first, nine, held);
    for (const [read, text] of [
      [17 * 1024, long],
      [17 * 1024 + 1, 'end\n'],
    ] as const) {
      if (!first.write(text)) await once(first, 'drain');
      await expect.poll(() => ledger.counts().read).toBe(read);
    }
    unsubscribe();
    await soon();
    expect(await filesThere()).toHaveLength(2);
    await killed('later\n');
    expect((await ended('new\n')).events.slice(-3).map(textOf)).toEqual(['end', 'later', 'new']);
  });

  it('are not written any more once the spool was let go of: another run may have it', async () => {
    const spool = await Spool.open(where());
    await spool.close();
    await spool.write(
      [Buffer.from('a\n')],
      { beganAtMs: nine, beginsAt: 0 },
      { readAtMs: nine, lineBeforeAtMs: undefined, settled: undefined },
    );
    expect(await filesThere()).toEqual([]);
  });

  it('arrived with the line before, where they do not tell, also when that is settled', async () => {
    const arrivedAt = (line: Uint8Array): Date | undefined => (line[0] === 0x3d ? new Date(nine - 5000) : undefined);
    const source = (input: PassThrough): Parameters<typeof readSource>[0] =>
      lines({ input, arrivedAt, spool: join(folder, 'spool') });
    const input = new PassThrough();
    const { events, unsubscribe } = readSource(source(input), {
      scheduler: at(nine),
      onEvent: (event) => textOf(event) === 'open' && event.hold(),
    });
    for (const [i, text] of ['=\n', 'open\n'].entries()) {
      input.write(text);
      await expect.poll(() => events.length).toBe(i + 1);
      await soon();
    }
    unsubscribe();
    await soon();
    const again = readSource(source(new PassThrough().end()), { scheduler: at(nine + 1) });
    await again.completed;
    expect(again.events.map((event) => [textOf(event), event.arrivedAtMs])).toEqual([['open', nine - 5000]]);
  });

  it('take no more files than what is not settled has', async () => {
    const input = new PassThrough();
    let open: Event<Uint8Array> | undefined;
    const { ledger, unsubscribe } = read(input, nine, {
      onEvent(event) {
        if (textOf(event).startsWith('open')) (open = event).hold();
      },
    });
    const megabyte = `${'x'.repeat(1023)}\n`.repeat(1024);
    for (const [i, text] of [...Array.from({ length: 40 }, () => megabyte), 'open\n', megabyte].entries()) {
      if (!input.write(text)) await once(input, 'drain');
      if (i === 38) await expect.poll(async () => (await filesThere()).length).toBeLessThanOrEqual(2);
      // Each has 16 MiB, not all.
      if (i === 38) expect(await filesThere()).not.toContainEqual(expect.stringMatching(/-0+\.lines$/));
    }
    await expect.poll(() => [ledger.counts().read, open === undefined]).toEqual([41 * 1024 + 1, false]);
    unsubscribe();
    await soon();
    expect((await ended('')).events.length).toBeLessThan(3 * 1024);
  });

  it('take another file after 128 MiB at the latest, though no line tells that a record begins there', async () => {
    const input = new PassThrough();
    const source = lines({
      input,
      arrivedAt: (line) => (line[0] === 0x3d ? new Date(nine) : undefined),
      spool: join(folder, 'spool'),
    });
    const { ledger, unsubscribe } = readSource(source, { scheduler: at(nine), ...held });
    const megabyte = `${'x'.repeat(1023)}\n`.repeat(1024);
    for (let i = 0; i < 129; i++) if (!input.write(`${i === 0 ? '=' : 'x'}${megabyte.slice(1)}`)) await once(input, 'drain');
    await expect.poll(() => ledger.counts().read).toBe(129 * 1024);
    expect(await filesThere()).toEqual([expect.stringMatching(/-0+\.lines$/), expect.stringMatching(/-0*134217728\.lines$/)]);
    unsubscribe();
  });

  it('are left out up to where the sinks stand, of which a text may have an event on both sides', async () => {
    const [a] = await killed('a\nb\n');
    const acquire = async () => a!.position;
    const rest = read(new PassThrough().end(), nine + 1, { ...held, acquire });
    await expect.poll(() => rest.events.map(textOf)).toEqual(['b']);
    rest.unsubscribe();
    await soon();
    const text = read(new PassThrough().end(), nine + 2, { ...held, acquire }, 'text');
    await expect.poll(() => text.events.map(textOf)).toEqual(['a\n', 'b\n']);
    text.unsubscribe();
  });

  it.each([
    ['a whole one', ''],
    ['half of one', 'half'],
  ])('do not go on in the text of the next run, where the last record of theirs has no newline: %s', async (_, part) => {
    const ids = ['11', '12', '13'].map((end) => anId.slice(0, -2) + end);
    const [a, b, c] = ids.map((id) => lineOf({ app_id: 'shop', event_id: id }).toString());
    const last = part === '' ? b! : b!.slice(0, 60);
    const [sink, rejects] = [memorySink<Event<Uint8Array>>(), memorySink<Reject>('rejects')];
    const start = (text: string): Promise<unknown> =>
      run(
        pipeline('p')
          .from(lines({ input: new PassThrough().end(text), of: 'text', spool: join(folder, 'spool') }))
          .pipe(stripCheckpoints({ of: 'text' }))
          .to(sink)
          .rejects(rejects),
      );
    const kill = ({ items }: { readonly items: readonly unknown[] }): void => {
      if (items.length > 0) throw new Error('killed');
    };
    for (const one of [sink, rejects]) one.beforeCommit = kill;
    await expect(start(`${a}\n${last}`)).rejects.toThrow('killed');
    await soon();
    for (const one of [sink, rejects]) one.beforeCommit = () => {};
    await start(`${c}\n`);
    expect(sink.stored.map(textOf)).toEqual(part === '' ? [a, b, c] : [a, c]);
    expect(rejects.stored.map(({ event }) => Buffer.from(event.data as Uint8Array).toString())).toEqual(
      part === '' ? [] : [last],
    );
  });

  it('teach the next text nothing, also where its first line is an ordinary one and takes the short cut', async () => {
    const ids = ['11', '12', '13'].map((end) => anId.slice(0, -2) + end);
    const [a, b, c] = ids.map((id) => lineOf({ app_id: 'shop', event_id: id }).toString());
    const exception = 'com.amazonaws.ThrottlingException: Rate exceeded [400]';
    const [sink, rejects] = [memorySink<Window<Uint8Array>>(), memorySink<Reject>('rejects')];
    await killed(`${a}\n${exception}\n`);
    await run(
      pipeline('test')
        .from(lines({ input: new PassThrough().end(`${b}\n${exception}${c}\n\n`), of: 'text', spool: join(folder, 'spool') }))
        .pipe(stripCheckpoints({ of: 'text' }), minuteWindow())
        .to(sink)
        .rejects(rejects),
    );
    const stored = sink.stored.flatMap((window) => window.events.map(textOf));
    expect(stored.sort()).toEqual([a, b]);
    // Had it heard of the exception, it would know where that ends.
    expect(rejects.stored.map(({ event }) => Buffer.from(event.data as Uint8Array).toString())).toEqual([exception + c]);
  });

  it('come first also where the stream fails meanwhile, which then ends the run', async () => {
    await killed('a\n');
    const input = new PassThrough();
    const { events, completed } = read(input, nine + 1, { onEvent: () => void input.destroy(new Error('gone')) });
    await expect(completed).rejects.toThrow('lines: stdin: gone');
    expect(events.map(textOf)).toEqual(['a']);
  });

  it('of a text come from the beginning of their file, though some are settled, as what is made of them depends on what came before', async () => {
    const first = new PassThrough();
    const begun = read(first, nine, { onEvent: (event) => textOf(event) === 'open\n' && event.hold() }, 'text');
    for (const [i, text] of ['done\n', 'open\n', 'last\n'].entries()) {
      first.write(text);
      await expect.poll(() => begun.events.length).toBe(i + 1);
      await soon();
    }
    begun.unsubscribe();
    await soon();
    const again = read(new PassThrough().end('new\n'), nine + 1, {}, 'text');
    await again.completed;
    const begins = (event: Event<Uint8Array>): unknown => [textOf(event), event.delivery.records!.beginsText];
    expect(begun.events.map(begins)).toEqual([
      ['done\n', true],
      ['open\n', false],
      ['last\n', false],
    ]);
    expect(again.events.map(begins)).toEqual([...begun.events.map(begins), ['new\n', true]]);
  });

  it('that there was no room for when the run was stopped come with the next one', async () => {
    const input = new PassThrough();
    const ledger = new Ledger({ maxInFlightBytes: 1 });
    const { events, stop, completed } = readSource(lines({ input, maxLines: 1, spool: join(folder, 'spool') }), {
      ledger,
      ...held,
    });
    input.write('a\nb\n');
    await expect.poll(() => events.length).toBe(1);
    stop.abort();
    await completed;
    events[0]!.release();
    await soon();
    expect((await ended('')).events.map(textOf)).toContain('b');
  });

  it('of which the last were not written to their end are those before, and that is told', async () => {
    await killed('a\nb\n');
    const [name] = await filesThere();
    const path = join(where(), name!);
    await truncate(path, (await readFile(path)).length - 1);
    const { events, diagnostics } = await ended('c\n');
    expect(events.map(textOf)).toEqual(['c']);
    expect(diagnostics).toContainEqual({ type: 'spool-read', shard: 'stdin', where: where(), sizeBytes: 0, cutBytes: 47 });
  });

  it.each([0, 9, 20, 44])('are an error, and stay, when byte %i of it was changed', async (byte) => {
    await killed('a\nb\n');
    const [name] = await filesThere();
    const bytes = await readFile(join(where(), name!));
    bytes[byte]! ^= 1;
    await writeFile(join(where(), name!), bytes);
    const taken = new Map<string, unknown>();
    await expect(ended('', nine, { acquire: async (shard, from) => (taken.set(shard, from), from) })).rejects.toThrow(
      /^lines: .*\.lines is damaged: what lies at byte 0 is not as it was written\. Move it away/,
    );
    expect(taken.size).toBe(0);
    expect(await filesThere()).toEqual([name]);
  });

  it('are an error when a file of it is missing in the middle of a run', async () => {
    await killed('a\n');
    const [name] = await filesThere();
    await writeFile(join(where(), name!.replace(/0\.lines$/, '9.lines')), await readFile(join(where(), name!)));
    await expect(ended('')).rejects.toThrow(/expected the text up to 9, where the next file begins, got it up to 2$/);
  });

  it('are one run’s at a time: another one ends before it takes anything over', async () => {
    const first = read(new PassThrough());
    await expect.poll(() => first.acquired.size).toBe(1);
    const second = read(new PassThrough());
    await expect(second.completed).rejects.toThrow(
      `lines: another run is at work with ${where()}: stop it, or name another folder`,
    );
    expect(second.acquired.size).toBe(0);
    first.unsubscribe();
    await soon();
    await ended('');
  });

  it('are not read where the folder cannot be locked, and that names it', async () => {
    await mkdir(join(where(), 'lock'), { recursive: true });
    await expect(ended('')).rejects.toThrow(`lines: ${where()}: unable to open database file`);
  });

  it('are told of by check, which makes nothing', async () => {
    const source = lines({ input: new PassThrough(), spool: join(folder, 'spool') });
    expect(await source.check('test')).toBe('stdin, as it comes');
    expect(await readdir(folder)).toEqual([]);
    await killed('a\n');
    expect(await source.check('test')).toBe(`stdin, as it comes, behind up to 46 bytes that lie in ${where()}`);
    expect(() => lines({ input: new PassThrough(), spool: '~/spool' })).toThrow('lines: expected a path without ~');
  });

  it('are stored once in each sink, whichever of them was killed at whichever commit, though the writer sends them again', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ lines: fc.integer({ min: 1, max: 12 }), again: fc.nat(4), dies: fc.nat(5) }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.uuid(),
        async (runs, id) => {
          const [left, right] = [memorySink<Window<string>>('left'), memorySink<Window<string>>('right')];
          let commits = 0;
          let diesAt = Infinity;
          for (const [i, sink] of [left, right].entries())
            sink.beforeCommit = ({ items }) => {
              if (items.length > 0 && ++commits + i > diesAt) throw new Error('killed');
            };
          const readLines = new Set<string>();
          const start = (input: PassThrough): Promise<unknown> =>
            run(
              pipeline(`p${id}`)
                .from(
                  lines({
                    input,
                    spool: join(folder, 'spool'),
                    arrivedAt: (line) => new Date(nine + Number(Buffer.from(line).toString()) * 20_000),
                  }),
                )
                .pipe(
                  transform((line) => {
                    const text = Buffer.from(line).toString();
                    readLines.add(text);
                    return text;
                  }),
                  dedupe({ by: (text) => text, within: { hours: 1 }, state: identityLog(join(folder, `state-${id}`)) }),
                  minuteWindow(),
                )
                .to(left, right),
            );
          const stored = ({ stored: windows }: typeof left): string[] =>
            windows.flatMap((window) => window.events.map(({ data }) => data));

          const ended: unknown[] = [];
          let sent = 0;
          for (const { lines: count, again, dies } of runs) {
            const input = new PassThrough();
            const from = Math.max(0, sent - again);
            [commits, diesAt] = [0, Infinity];
            const running = start(input).catch((error: Error) => error.message);
            sent += count;
            const text = Array.from({ length: sent - from }, (_, i) => `${from + i}\n`).join('');
            input.write(text);
            await expect.poll(() => readLines.size).toBe(sent);
            diesAt = dies;
            input.end();
            ended.push(await running);
          }
          [commits, diesAt] = [0, Infinity];
          await start(new PassThrough().end());
          // What ends a run is the kill, if anything.
          expect(ended.filter((end) => typeof end === 'string' && !end.endsWith(': killed'))).toEqual([]);
          const all = Array.from({ length: sent }, (_, i) => String(i));
          expect(stored(left)).toEqual(all);
          expect(stored(right)).toEqual(all);
        },
      ),
      { numRuns: 20 },
    ));
});
