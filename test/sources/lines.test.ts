import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setImmediate as soon } from 'node:timers/promises';
import { appendFile, chmod, mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Ledger } from '../../src/ledger.ts';
import { comparePositions } from '../../src/position.ts';
import { type FilesOptions, lines } from '../../src/sources/lines.ts';
import { type ReadOptions, type Reading, readSource, textsByShard } from '../support/read-source.ts';
import { sourceConformance } from './conformance.ts';

const nine = Date.UTC(2026, 10, 22, 9);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-lines-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Writes files below the folder. */
async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

const read = (pattern: string, options: Partial<FilesOptions> = {}, how?: ReadOptions): Reading =>
  readSource(lines({ files: join(folder, pattern), ...options }), how);

/** What was read of each file, by its name below the folder. */
async function linesIn(pattern: string, options?: Partial<FilesOptions>, how?: ReadOptions): Promise<Record<string, string[]>> {
  const { events, completed } = read(pattern, options, how);
  await completed;
  return Object.fromEntries(Object.entries(textsByShard(events)).map(([shard, texts]) => [nameOf(shard), texts]));
}

/** The shard of a file whose first line that is. */
const shardOf = (name: string, line: string): string =>
  `${join(folder, name)}#${createHash('sha256').update(line).digest('hex').slice(0, 8)}`;

const nameOf = (shard: string): string => shard.slice(folder.length + 1).split('#')[0]!;

const errorOf = (reading: Reading): Promise<string> =>
  reading.completed.then(
    () => 'it completed',
    (error: Error) => error.message,
  );

describe('lines, of files', () => {
  sourceConformance(async (shards, maxLines) => {
    const minuteOf = new Map<string, number>();
    for (const [i, batches] of shards.entries()) {
      for (const [minute, batch] of batches.entries()) for (const line of batch) minuteOf.set(line, minute);
      await write({ [`${i}.log`]: batches.flat().join('\n') });
    }
    const arrivedAt = (line: Uint8Array): Date => new Date(nine + minuteOf.get(Buffer.from(line).toString().trim())! * 60_000);
    return {
      source: lines({ files: join(folder, '*.log'), arrivedAt, maxLines }),
      shards: shards.map((batches, i) => shardOf(`${i}.log`, batches[0]![0]!)),
      times: shards[0]!.map((_, minute) => new Date(nine + minute * 60_000)),
    };
  });
});

describe('lines reads', () => {
  it('what patterns match, by folder and name, each file once, and no folder', async () => {
    await write({ 'b/1.log': 'b', 'a/10.log': 'ten', 'a/9.log': 'nine', 'a/c.log/inner.txt': 'no', 'a/9.txt': 'no' });
    const { acquired, completed, diagnostics } = readSource(lines({ files: [join(folder, '*/*.log'), join(folder, 'a/9.log')] }));
    await completed;
    expect([...acquired.keys()].map(nameOf)).toEqual(['a/9.log', 'a/10.log', 'b/1.log']);
    expect(diagnostics).toContainEqual(expect.objectContaining({ type: 'files-found', files: 3, sizeBytes: 8 }));
  });

  it('a file once that several paths lead to, as a link that names the newest does, and nothing of one that is gone', async () => {
    await write({ 'good.1.log': 'a' });
    await symlink('good.1.log', join(folder, 'good.current.log'));
    await symlink('good.0.log', join(folder, 'good.before.log'));
    await symlink(join(folder, 'good.1.log'), join(folder, '0.log'));
    expect(await linesIn('*.log')).toEqual({ 'good.1.log': ['a'] });
    expect(await linesIn('good.current.log')).toEqual({ 'good.current.log': ['a'] });
  });

  it('such a file by the path that has the fewest links, also below a folder that is one', async () => {
    await write({ 'real/2026/x.log': 'a' });
    await symlink('real', join(folder, 'logs'));
    await symlink('x.log', join(folder, 'real/2026/0.log'));
    await symlink('2026', join(folder, 'real/0'));
    for (const patterns of [['logs/*/*.log'], ['logs/2026/*.log', 'logs/0/*.log'], ['logs/0/*.log', 'logs/2026/*.log']]) {
      const { acquired, completed } = readSource(lines({ files: patterns.map((pattern) => join(folder, pattern)) }));
      await completed;
      expect([...acquired.keys()].map(nameOf)).toEqual(['logs/2026/x.log']);
    }
  });

  it('a line without its newline, be it the last one, and of a text with it', async () => {
    await write({ x: 'a\r\n\nb\nc' });
    expect(await linesIn('x')).toEqual({ x: ['a\r', '', 'b', 'c'] });
    expect(await linesIn('x', { of: 'text' })).toEqual({ x: ['a\r\n', '\n', 'b\n', 'c'] });
  });

  it('what was packed by gzip and zstd, in members, in pieces, lines of any length among them', async () => {
    const texts = [1, 0, 3_000_000, 5, 524_287, 524_288, 7].map((length, i) => String(i).repeat(length));
    const text = `${texts.join('\n')}\n`;
    await write({
      'x.gz': Buffer.concat([gzipSync(text), gzipSync(text)]),
      'y.zst': Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)]),
      z: text,
    });
    expect(await linesIn('*')).toEqual({ x: [...texts, ...texts], y: [...texts, ...texts], z: texts });
  });

  it('what was packed under a name that does not say so', async () => {
    await write({ 'x.GZ': gzipSync('a\nb\n'), y: zstdCompressSync('c\n'), z: gzipSync('d') });
    expect(await linesIn('*')).toEqual({ 'x.GZ': ['a', 'b'], y: ['c'], z: ['d'] });
  });

  it('nothing of files that are empty', async () => {
    await write({ x: '', 'y.gz': gzipSync('') });
    expect(await linesIn('*')).toEqual({});
  });

  it('lines that arrived when their file was made, or written to before as of a copy, from a time on', async () => {
    await write({ old: 'a', new: 'b' });
    await utimes(join(folder, 'old'), 0, nine / 1000);
    const { events, completed } = read('*');
    await completed;
    expect(events.find(({ shard }) => nameOf(shard) === 'old')!.arrivedAtMs).toBe(nine);
    expect(await linesIn('*', {}, { start: new Date(nine + 1) })).toEqual({ new: ['b'] });
  });

  it('when a line arrived from the line, from the one before where it tells nothing, and from the next at first', async () => {
    await write({ x: 'noise\n2026-11-22T09:00Z\nnoise\n2026-11-22T09:05Z\n2999-01-01T00:00Z\n' });
    const writtenAt = nine + 600_000;
    await utimes(join(folder, 'x'), 0, writtenAt / 1000);
    const arrivedAt = (line: Uint8Array): Date | undefined => {
      const ms = Date.parse(Buffer.from(line).toString().trim());
      return Number.isNaN(ms) ? undefined : new Date(ms);
    };
    const { events, completed } = read('x', { arrivedAt });
    await completed;
    expect(events.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([nine, nine, nine, nine + 300_000, writtenAt]);
    const invalid = read('x', { arrivedAt: (line) => new Date(Buffer.from(line).toString().trim()) });
    await invalid.completed;
    expect(invalid.events.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual(events.map(({ arrivedAtMs }) => arrivedAtMs));
  });

  it('four files at a time, and takes no other over meanwhile, or once it is stopped', async () => {
    await write(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [String(i), 'a\n'] as const)));
    let waiting: (() => void)[] = [];
    const { acquired, completed, stop } = read(
      '*',
      {},
      {
        acquire: (_, from) => new Promise((resolve) => waiting.push(() => resolve(from))),
      },
    );
    await expect.poll(() => waiting.length).toBe(4);
    const [first, ...others] = waiting;
    first!();
    await expect.poll(() => waiting.length).toBe(5);
    stop.abort();
    for (const go of [...others, waiting.at(-1)!]) go();
    await completed;
    expect(acquired.size).toBe(5);
    expect(waiting).toHaveLength(5);
  });
});

describe('lines, of files that change while they are read,', () => {
  /** What a run reads of x when something happens to it once it was found, and what a later run reads. */
  async function bothRuns(happens: () => Promise<unknown>, options?: Partial<FilesOptions>): Promise<[Reading, Reading]> {
    const first = read('x', options, { acquire: async (_, from) => (await happens(), from) });
    await first.completed;
    const last = first.events.at(-1)?.position;
    const again = read('x', options, { acquire: async (shard, from) => (shard === last?.shard ? last : from) });
    await again.completed;
    return [first, again];
  }

  it.each(['', 'on', 'one\n', 'one\ntw'])('leave to a later run what is appended to %j, and read it once', async (found) => {
    await write({ x: found });
    const [first, again] = await bothRuns(() => write({ x: 'one\ntwo\n' }), { rotated: true });
    expect(first.events).toHaveLength(found.includes('\n') ? 1 : 0);
    expect([...first.events, ...again.events].map(({ data }) => Buffer.from(data).toString())).toEqual(['one', 'two']);
  });

  it('know a packed one by the first line of its text, however much of it is there', async () => {
    const packed = gzipSync(Array.from({ length: 2000 }, (_, i) => `${i} ${Math.random()}\n`).join(''));
    await write({ 'x.gz': packed.subarray(0, packed.length / 2) });
    const first = read('x.gz');
    expect(await errorOf(first)).toMatch(/x\.gz: unexpected end of file$/);
    const last = first.events.at(-1)!.position;
    await write({ 'x.gz': packed });
    const again = read('x.gz', {}, { acquire: async (shard, from) => (shard === last.shard ? last : from) });
    await again.completed;
    expect(first.events.length).toBeGreaterThan(0);
    expect(first.events.length + again.events.length).toBe(2000);
  });

  it('refuse another one that was begun under its name', async () => {
    await write({ x: 'a\n' });
    const rotated = async (): Promise<void> => {
      await rename(join(folder, 'x'), join(folder, 'x.1'));
      await write({ x: 'b\nc\n' });
    };
    await expect(bothRuns(rotated)).rejects.toThrow(
      /^lines: .*x: expected the file that was found, got another one of this name/,
    );
  });

  it('refuse one that was emptied and written anew, as by copytruncate, however long it is', async () => {
    await write({ x: 'a\n' });
    await expect(bothRuns(() => write({ x: 'b\nc\n' }))).rejects.toThrow(
      /^lines: .*x: expected the file that was found, got another one of this name/,
    );
  });

  it('refuse one that was cut', async () => {
    await write({ x: 'a\nb\n' });
    await expect(bothRuns(() => truncate(join(folder, 'x'), 2))).rejects.toThrow(
      /^lines: .*x: expected the 4 bytes that were found, got 2: it was cut meanwhile$/,
    );
  });

  it('stop in the middle of what they unpack to pass over it', async () => {
    const member = gzipSync(Buffer.alloc(32 * 1024 * 1024, '\n'));
    await write({ 'x.gz': Buffer.concat(Array<Uint8Array>(128).fill(member)) });
    const position = { shard: 'it', sequence: String(2 ** 40), subSequence: 0 };
    const began = performance.now();
    await read(
      'x.gz',
      {},
      {
        acquire: async () => position,
        report: ({ type }, { stop }) => void (type === 'shard-started' && stop.abort()),
      },
    ).completed;
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe('lines, run again,', () => {
  it('reads what was appended, and files that are new', async () => {
    await write({ x: 'a\nb\n' });
    const first = read('*');
    await first.completed;
    const stands = first.events.at(-1)!.position;
    expect(stands.sequence).toBe('4');
    const acquire: ReadOptions['acquire'] = async (shard, from) => (shard === stands.shard ? stands : from);
    expect(await linesIn('*', {}, { acquire })).toEqual({});
    await appendFile(join(folder, 'x'), 'c\n');
    await write({ w: 'new' });
    expect(await linesIn('*', {}, { acquire })).toEqual({ x: ['c'], w: ['new'] });
  });

  it.each(['x', 'x.gz'])(
    'takes the newline that the last line of %s had not got for its own, and not for a line',
    async (name) => {
      const pack = (text: string): Uint8Array => (name === 'x' ? Buffer.from(text) : gzipSync(text));
      const position = { shard: 'it', sequence: '3', subSequence: 0 };
      const readOn = async (text: string): Promise<string[]> => {
        await write({ [name]: pack(text) });
        const { events, completed } = read(name, {}, { acquire: async () => position });
        await completed;
        return events.map(({ data, position: { sequence } }) => `${Buffer.from(data).toString()} ${sequence}`);
      };
      expect(await readOn('a\nb')).toEqual([]);
      expect(await readOn('a\nb\n')).toEqual([]);
      expect(await readOn('a\nb\n\nc\n')).toEqual([' 5', 'c 7']);
      expect(await readOn('a\nb, c')).toEqual([', c 6']);
      expect(await readOn('ab\n\nc')).toEqual([' 4', 'c 5']);
    },
  );

  it('reads all of a log that was begun anew under its old name, however long it is', async () => {
    await write({ x: 'a\nb\n' });
    const first = read('x');
    await first.completed;
    const stands = first.events.at(-1)!.position;
    await write({ x: 'c\nd\ne\nf\n' });
    const acquire: ReadOptions['acquire'] = async (shard, from) => (shard === stands.shard ? stands : from);
    expect(await linesIn('x', {}, { acquire })).toEqual({ x: ['c', 'd', 'e', 'f'] });
  });

  it.each<[string, string | Uint8Array, string | Uint8Array]>([
    ['x', 'abc', 'abc\ndef\n'],
    ['x.gz', gzipSync('abc\n'), Buffer.concat([gzipSync('abc\n'), gzipSync('def\n')])],
    ['x.gz', gzipSync('abc\ndef\n').subarray(0, -8), gzipSync('abc\ndef\n')],
    ['x.zst', zstdCompressSync('abc\n'), zstdCompressSync('abc\ndef\n')],
  ])('knows %s again once it has grown, however short it was', async (name, before, after) => {
    await write({ [name]: before });
    const first = read(name);
    await first.completed.catch(() => {});
    await write({ [name]: after });
    const again = read(name);
    await again.completed;
    expect(nameOf(first.events[0]!.shard)).toBe('x');
    expect(new Set([...first.events, ...again.events].map(({ shard }) => shard)).size).toBe(1);
  });

  it('has what arrived before it was appended arrive when it did', async () => {
    await write({ x: 'a\n' });
    const first = read('x');
    await first.completed;
    await appendFile(join(folder, 'x'), 'b\n');
    await utimes(join(folder, 'x'), 0, Date.now() / 1000 + 3600);
    const again = read('x');
    await again.completed;
    expect(again.events.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([0, 1].map(() => first.events[0]!.arrivedAtMs));
  });

  it.each(['x', 'x.gz'])(
    'reads %s from its beginning when it is a text that goes on, as what comes of it depends on that',
    async (name) => {
      const pack = (text: string): Uint8Array => (name === 'x' ? Buffer.from(text) : gzipSync(text));
      await write({ [name]: pack('a\nb\n') });
      const position = { shard: 'it', sequence: '4', subSequence: 0 };
      const acquire: ReadOptions['acquire'] = async () => position;
      if (name === 'x') expect(await linesIn(name, { of: 'text' }, { acquire })).toEqual({});
      await write({ [name]: pack('a\nb\nc\n') });
      expect(await linesIn(name, { of: 'text' }, { acquire })).toEqual({ x: ['a\n', 'b\n', 'c\n'] });
      expect(await linesIn(name, {}, { acquire })).toEqual({ x: ['c'] });
    },
  );

  it('does not look again at a compressed file whose end is written down', async () => {
    const ended: string[] = [];
    await write({ x: 'a', 'y.gz': gzipSync('b') });
    await linesIn('*', {}, { end: async (shard) => void ended.push(shard) });
    expect(ended).toEqual([shardOf('y', 'b')]);
    const acquire: ReadOptions['acquire'] = async (shard, from) => (ended.includes(shard) ? 'SHARD_END' : from);
    expect(await linesIn('*', {}, { acquire })).toEqual({ x: ['a'] });
  });

  it('looks again at one that was rotated, which another file may yet follow', async () => {
    const ended: string[] = [];
    await write({ 'y.gz': gzipSync('b\nc') });
    const end = async (shard: string): Promise<void> => void ended.push(shard);
    expect(await linesIn('*', { rotated: true }, { end })).toEqual({ y: ['b'] });
    expect(ended).toEqual([]);
  });

  it.each(['x.gz', 'x.zst'])('knows a file again that was packed since, as %s, and reads what it has more', async (name) => {
    await write({ x: 'a\nb\n' });
    const first = read('x*');
    await first.completed;
    const stands = first.events.at(-1)!.position;
    await rm(join(folder, 'x'));
    await write({ [name]: (name === 'x.gz' ? gzipSync : zstdCompressSync)('a\nb\nc\n') });
    const acquire: ReadOptions['acquire'] = async (shard, from) => (shard === stands.shard ? stands : from);
    expect(await linesIn('x*', {}, { acquire })).toEqual({ x: ['c'] });
  });

  it.each(['x', 'x.gz'])('refuses %s when it has become shorter', async (name) => {
    await write({ [name]: name === 'x' ? 'abc\n' : gzipSync('abc\n') });
    const position = { shard: 'it', sequence: '5', subSequence: 0 };
    expect(await errorOf(read(name, {}, { acquire: async () => position }))).toMatch(
      /^lines: .*x(\.gz)?: expected the 5 bytes up to which it was read before, or more, got 4: it was cut, or is another file;/,
    );
  });
});

describe('lines, of files whose memory is given back at once', () => {
  const texts = Array.from({ length: 3000 }, (_, i) => `${i} ${'x'.repeat(500 + (i % 97))}`);
  const whole = texts.map((text) => `${text}\n`).join('');

  /** Reads a file of several pieces as a run does in which each delivery is settled as it comes. Gives the lines, from behind so many bytes. */
  async function readAtOnce(name: string, of: 'line' | 'text', behind: number): Promise<string[]> {
    const got: string[] = [];
    const { completed } = read(
      name,
      { of },
      {
        ledger: new Ledger({ freesRecords: true }),
        onEvent: ({ data }) => void got.push(Buffer.from(data).toString().trimEnd()),
        acquire: async (shard, from) => (behind === 0 ? from : { shard, sequence: String(behind), subSequence: 0 }),
      },
    );
    await completed;
    return got;
  }

  it.each(['a.log', 'a.log.gz', 'a.log.zst'])('reads all of %s, and all that is behind a place', async (name) => {
    const packed = name.endsWith('gz') ? gzipSync(whole) : name.endsWith('zst') ? zstdCompressSync(whole) : whole;
    await write({ [name]: packed });
    expect(await readAtOnce(name, 'line', 0)).toEqual(texts);
    expect(await readAtOnce(name, 'text', 0)).toEqual(texts);
    const behind = whole.indexOf('\n700 ') + 1;
    expect(await readAtOnce(name, 'line', behind)).toEqual(texts.slice(700));
    expect(await readAtOnce(name, 'text', behind)).toEqual(texts);
  });
});

describe('lines, of files that were rotated,', () => {
  const rotated = { rotated: true };

  it('joins a line that files cut, and reads it once, with the file in which it begins', async () => {
    await write({ 'a/1': 'one\ntw', 'a/2': '', 'a/3': 'o and', 'a/4': ' a half\nthree\n', 'a/5': 'four\n', 'b/1': 'five\n' });
    expect(await linesIn('*/*', rotated)).toEqual({
      'a/1': ['one', 'two and a half'],
      'a/4': ['three'],
      'a/5': ['four'],
      'b/1': ['five'],
    });
  });

  it("knows when a line arrived by the next one, whatever of the file is another one's", async () => {
    await write({ 1: 'on', 2: `e\n${'long'.repeat(150_000)}\n2026-11-22T09:00Z\n` });
    const arrivedAt = (line: Uint8Array): Date => new Date(Buffer.from(line).toString().trim());
    const { events, completed } = read('*', { ...rotated, arrivedAt });
    await completed;
    const own = events.filter(({ shard }) => nameOf(shard) === '2');
    expect(own.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([nine, nine]);
  });

  it('leaves a line without an end to a later run, and says so', async () => {
    await write({ 1: 'one\ntwo', 2: ' and' });
    const first = read('*', rotated);
    await first.completed;
    expect(Object.values(textsByShard(first.events))).toEqual([['one']]);
    expect(first.diagnostics).toContainEqual({ type: 'line-open', shard: shardOf('1', 'one'), sizeBytes: 3 });
    await write({ 3: ' a half\n' });
    const stands = first.events[0]!.position;
    const again = read('*', rotated, { acquire: async (shard, from) => (shard === stands.shard ? stands : from) });
    await again.completed;
    expect(Object.values(textsByShard(again.events))).toEqual([['two and a half']]);
    expect(again.events[0]!.position.sequence).toBe('7');
  });

  it('is the text that it was, wherever it is cut, packed or not, and whatever was read before', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[ab\r]{0,6}$/), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat({ max: 40 }), { maxLength: 6 }),
        fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
        fc.nat(),
        fc.constantFrom('line' as const, 'text' as const),
        async (texts, cuts, packed, seen, of) => {
          await rm(folder, { recursive: true });
          const text = texts.map((line) => `${line}\n`).join('');
          const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).toSorted((a, b) => a - b), text.length];
          const parts = places.slice(1).map((end, i) => text.slice(places[i], end));
          await write(
            Object.fromEntries(parts.map((part, i) => (packed[i] ? [`${i}.gz`, gzipSync(part)] : ([`${i}`, part] as const)))),
          );
          const inOrder = async (how?: ReadOptions): Promise<Reading['events']> => {
            const { events, completed } = read('*', { ...rotated, of, maxLines: 2 }, how);
            await completed;
            const fileOf = (shard: string): number => Number.parseInt(nameOf(shard), 10);
            return events.toSorted((a, b) => fileOf(a.shard) - fileOf(b.shard) || comparePositions(a.position, b.position));
          };
          const events = await inOrder();
          expect(events.map(({ data }) => `${Buffer.from(data).toString()}${of === 'line' ? '\n' : ''}`).join('')).toBe(text);
          expect(events).toHaveLength(texts.length);

          const stand = events[seen % events.length]!;
          const rest = await inOrder({
            acquire: async (shard, from) => (shard === stand.shard ? stand.position : from),
          });
          const isLeft = ({ shard, position }: (typeof events)[number]): boolean =>
            shard !== stand.shard || comparePositions(position, stand.position) > 0;
          expect(rest.filter(isLeft).map(({ position }) => position)).toEqual(
            events.filter(isLeft).map(({ position }) => position),
          );
          if (of === 'line') expect(rest.every(isLeft)).toBe(true);
        },
      ),
      { numRuns: 100 },
    ));
});

describe('lines, of a stream,', () => {
  const now = { now: () => nine, schedule: () => ({ unsubscribe: () => {} }) } as unknown as ReadOptions['scheduler'];

  it('are events as they come, until it ends', async () => {
    const input = new PassThrough();
    const arrivedAt = (): Date => new Date(nine - 1);
    const { events, completed } = readSource(lines({ input, arrivedAt }), { scheduler: now!, start: 'LATEST' });
    input.write('a\nb');
    await expect.poll(() => events.length).toBe(1);
    input.write('b\n');
    await expect.poll(() => events.length).toBe(2);
    input.end('c');
    await completed;
    expect(textsByShard(events)).toEqual({ stdin: ['a', 'bb', 'c'] });
    expect(events.map(({ arrivedAtMs }) => arrivedAtMs)).toEqual([nine - 1, nine - 1, nine - 1]);
  });

  it('come behind all that an earlier run read of one, whatever the clock says', async () => {
    const position = { shard: 'mine', sequence: `${nine + 5}${'9'.repeat(13)}`, subSequence: 3 };
    const { events, completed } = readSource(lines({ input: new PassThrough().end('a\nb'), name: 'mine' }), {
      scheduler: now!,
      acquire: async () => position,
    });
    await completed;
    expect(events).toHaveLength(2);
    expect(comparePositions(position, events[0]!.position)).toBeLessThan(0);
    expect(comparePositions(events[0]!.position, events[1]!.position)).toBeLessThan(0);
  });

  it('end with a stop, which destroys it, while it says nothing', async () => {
    const input = new PassThrough();
    const { events, completed, stop } = readSource(lines({ input }));
    input.write('a\nb');
    await expect.poll(() => events.length).toBe(1);
    stop.abort();
    await completed;
    await soon();
    expect(input.destroyed).toBe(true);
    expect(events).toHaveLength(1);
  });

  it('end with its error', async () => {
    const input = new PassThrough();
    const reading = readSource(lines({ input }));
    input.destroy(new Error('the pipe broke'));
    expect(await errorOf(reading)).toBe('lines: stdin: the pipe broke');
  });

  it.each(['ended', 'was stopped'])('are not read again once it %s, as when a store went back', async (how) => {
    const input = new PassThrough();
    const source = lines({ input });
    const first = readSource(source);
    input.write('a\n');
    await expect.poll(() => first.events.length).toBe(1);
    if (how === 'ended') input.end();
    else first.unsubscribe();
    await finished(input, { writable: false, error: false }).catch(() => {});
    expect(await errorOf(readSource(source))).toBe(
      'lines: stdin: expected a stream that was not read yet, got one that was: it cannot be read again',
    );
  });

  it('are made of bytes, not of characters', async () => {
    expect(await errorOf(readSource(lines({ input: Readable.from(['a\n10\n']) })))).toBe(
      'lines: stdin: expected a stream of bytes, as without setEncoding, got a string',
    );
  });
});

describe('lines refuses', () => {
  it('a pattern without files, at the start and by check', async () => {
    await write({ x: 'a' });
    const source = lines({ files: [join(folder, 'x'), join(folder, 'none.*')] });
    const refused = `lines: expected files that match ${folder}/none.*, got none`;
    expect(await errorOf(readSource(source))).toBe(refused);
    await expect(source.check('test')).rejects.toThrow(refused);
    expect(await lines({ files: join(folder, 'x') }).check('test')).toBe(`${join(folder, 'x')}: 1 file of 1 byte`);
  });

  it('a folder, and says how its files are called', async () => {
    await write({ 'logs/x': 'a' });
    const logs = join(folder, 'logs');
    expect(await errorOf(read('logs'))).toBe(`lines: expected files that match ${logs}, got a folder: its files are ${logs}/*`);
  });

  it('a file beside what it was packed into, and not one that begins otherwise', async () => {
    await write({ x: 'a\nb\n', 'x.gz': gzipSync('a\nb\n') });
    expect(await errorOf(read('x*'))).toMatch(/^lines: expected .+ or .+, got both: one is the other packed/);
    await write({ x: 'c\n' });
    const { completed, events } = read('x*');
    await completed;
    expect(events).toHaveLength(3);
  });

  it('what is no file, such as a pipe that has a name, or a socket', async () => {
    const server = createServer().listen(join(folder, 'socket'));
    await once(server, 'listening');
    expect(await errorOf(read('sock*'))).toMatch(/got .+\/socket, which is no file: read it as `input`$/);
    server.close();
  });

  it.each([
    ['logs/*/x', 0o700, false],
    ['logs/**', 0o700, false],
    ['logs/**/x', 0o700, false],
    ['logs/web-2/*', 0o711, false],
    ['logs/web-2/x', 0o711, true],
    ['logs/web-1/*', 0o700, true],
  ])('%s where a folder that may match may not be looked through, of mode %o', async (pattern, mode, isRead) => {
    await write({ 'logs/web-1/x': 'a\n', 'logs/web-2/x': 'b\n' });
    // Root may look everywhere, so it becomes somebody else; anybody else is the owner of the folder.
    const modeOfReader = process.getuid?.() === 0 ? mode : (mode & 0o7) << 6;
    await Promise.all([chmod(folder, 0o755), chmod(join(folder, 'logs/web-2'), modeOfReader)]);
    const program = `
      const { findFiles } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/sources/lines/find-files.ts'))});
      if (process.getuid?.() === 0) process.setuid(65534);
      console.log(await findFiles([${JSON.stringify(join(folder, pattern))}]).then((found) => found.length, String));`;
    const told = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }).trim();
    await chmod(join(folder, 'logs/web-2'), 0o755);
    const refused = `expected a folder that may be looked through: EACCES: permission denied, access '${folder}/logs/web-2'`;
    if (isRead) expect(told).toBe('1');
    else expect(told).toContain(refused);
  });

  it('zeros where something was appended, as after a loss of power, by the name of the file; not at its end', async () => {
    const [a, b, hole] = [gzipSync('a\n'), gzipSync('b\n'), Buffer.alloc(100_000)];
    await write({ 'x.gz': Buffer.concat([a, hole, b]), 'y.gz': Buffer.concat([a, b, hole]) });
    expect(await errorOf(read('x.gz'))).toMatch(/^lines: .*x\.gz: .*zeros/);
    expect(await linesIn('y.gz')).toEqual({ y: ['a', 'b'] });
  });

  it('what cannot be unpacked, by the name of the file', async () => {
    await write({ 'x.gz': 'no gzip' });
    expect(await errorOf(read('x.gz'))).toMatch(/^lines: .*x\.gz: incorrect header check$/);
    await write({ 'x.gz': gzipSync('a'.repeat(100)).subarray(0, 20) });
    expect(await errorOf(read('x.gz'))).toMatch(/^lines: .*x\.gz: unexpected end of file$/);
  });

  it.each([
    ['bzip2', 'BZh91AY'],
    ['xz', '\xfd7zXZ\0'],
    ['lzop', '\x89LZO\0\r\n'],
    ['zip', 'PK\x03\x04'],
  ])('a file that %s has packed', async (by, begins) => {
    await write({ x: Buffer.from(`${begins}…`, 'latin1') });
    const refused = `lines: ${join(folder, 'x')}: expected lines, as they are or packed by gzip or zstd, got a file that ${by} has packed`;
    expect(await errorOf(read('x'))).toBe(refused);
    await expect(lines({ files: join(folder, 'x') }).check('test')).rejects.toThrow(refused);
  });

  it('a file that went away since it was found', async () => {
    await write({ x: 'a\n' });
    const reading = read('x', {}, { acquire: async (_, from) => (await rm(join(folder, 'x')), from) });
    expect(await errorOf(reading)).toMatch(/^lines: .*ENOENT/);
  });

  it('a line of more than 64 MiB', async () => {
    await write({ x: '' });
    await truncate(join(folder, 'x'), 65 * 1024 * 1024);
    expect(await errorOf(read('x'))).toMatch(/^lines: .*x: expected lines of up to 67108864 bytes, got a longer one$/);
    const long = Buffer.alloc(40 * 1024 * 1024, 'l');
    long[long.length - 1] = 10;
    await write({ z: Buffer.concat([long, long]) });
    expect((await linesIn('z'))['z']).toHaveLength(2);
    for (const name of ['y1', 'y2']) {
      await write({ [name]: '' });
      await truncate(join(folder, name), 40 * 1024 * 1024);
    }
    expect(await errorOf(read('y*', { rotated: true }))).toMatch(/y2: expected lines of up to 67108864 bytes, got a longer one$/);
  });

  it('to be made of nothing', () => {
    expect(() => lines({ files: [] })).toThrow('lines: expected the paths of files, got none');
    expect(() => lines({ files: '' })).toThrow('lines: expected the paths of files, got none');
    for (const nothing of [{}, { files: undefined }, { input: undefined }, { files: ['x', undefined] }])
      expect(() => lines(nothing as unknown as FilesOptions)).toThrow('lines: expected the paths of files, got none');
    expect(() => lines({ files: 'x', of: 'lines' as 'line' })).toThrow("lines: expected of 'line' or 'text', got lines");
    expect(() => lines({ files: 'x', maxLines: 0 })).toThrow('lines: expected maxLines of 1 or more, got 0');
  });
});
