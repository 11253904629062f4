import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import type { OpenIdentityState } from '../../src/operators/identity-state.ts';
import { SIGHT_WORDS } from '../../src/operators/dedupe/sight.ts';
import { identityLog } from '../../src/stores/identity-log.ts';

const root = mkdtempSync(join(tmpdir(), 'identity-log-'));
afterAll(() => rmSync(root, { recursive: true }));

let path: string;
let files = 0;
beforeEach(() => {
  path = join(root, String(files++), 'dedupe.db');
});

const unlimited = { beforeMs: undefined, capacity: Infinity };

/** A block of sights that are all made of one number. */
function block(number: number, count = 1): { sights: Uint32Array; count: number; newestMs: number } {
  return { sights: new Uint32Array(count * SIGHT_WORDS).fill(number), count, newestMs: number };
}

/** What is kept: the number of each block, as often as it has sights. */
function read(log: OpenIdentityState): number[] {
  const numbers: number[] = [];
  log.load((sights) => {
    for (let at = 0; at < sights.length; at += SIGHT_WORDS) numbers.push(sights[at]!);
  });
  return numbers;
}

function reopen(): number[] {
  const log = identityLog(path).open();
  try {
    return read(log);
  } finally {
    log.close();
  }
}

function write(...numbers: number[]): void {
  const log = identityLog(path).open();
  read(log);
  for (const number of numbers) log.append(block(number), unlimited);
  log.close();
}

/** Changes the file behind the log's back. */
function execute(sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

describe('identityLog', () => {
  test('is made when it is absent, folder and all, and is empty then', () => {
    const log = identityLog(`file:${path}`);
    expect(log.describe).toBe(`file:${path}`);
    expect(existsSync(path)).toBe(false);
    log.open().close();
    expect(reopen()).toEqual([]);
    expect(readdirSync(join(path, '..'))).toEqual(['dedupe.db']);
  });

  test('gives back the blocks in the order they were appended, also those of an earlier opening', () => {
    const log = identityLog(pathToFileURL(path).href).open();
    expect(read(log)).toEqual([]);
    log.append(block(3, 2), unlimited);
    log.append(block(1), unlimited);
    log.close();
    write(2);
    const again = identityLog(path).open();
    const told: number[] = [];
    again.load(
      (sights) => told.push(sights.length),
      (count) => told.push(count),
    );
    again.close();
    expect(told).toEqual([4, 2 * SIGHT_WORDS, SIGHT_WORDS, SIGHT_WORDS]);
    expect(reopen()).toEqual([3, 3, 1, 2]);
  });

  test.each(['removed', 'replaced'])('keeps nothing more in a file that was %s while it is open', (how) => {
    const log = identityLog(path).open();
    read(log);
    log.append(block(1), unlimited);
    renameSync(path, `${path}.old`);
    if (how === 'replaced') write(2);
    expect(() => log.append(block(3), unlimited)).toThrow(`${path} was removed, or another file was put in its place`);
    log.close();
    expect(reopen()).toEqual(how === 'replaced' ? [2] : []);
  });

  test('keeps a large block as it is', () => {
    const sights = crypto.getRandomValues(new Uint32Array(2048 * SIGHT_WORDS));
    const log = identityLog(path).open();
    read(log);
    log.append({ sights: sights.subarray(SIGHT_WORDS), count: 2047, newestMs: 1 }, unlimited);
    log.close();
    const again = identityLog(path).open();
    const loaded: Uint32Array[] = [];
    expect(again.load((block) => loaded.push(block)).ms).toBeGreaterThan(0);
    again.close();
    expect(loaded).toEqual([sights.subarray(SIGHT_WORDS)]);
  });

  test('forgets blocks from the oldest on that arrived before a time, two at once', () => {
    write(10, 11, 12, 99, 13);
    const log = identityLog(path).open();
    read(log);
    log.append(block(100), { beforeMs: 50, capacity: Infinity });
    log.close();
    expect(reopen()).toEqual([12, 99, 13, 100]);
    const again = identityLog(path).open();
    read(again);
    again.append(block(101), { beforeMs: 50, capacity: Infinity });
    again.append(block(102), { beforeMs: 50, capacity: Infinity });
    again.close();
    expect(reopen()).toEqual([99, 13, 100, 101, 102]);
  });

  test('forgets blocks that have enough newer sights behind them, and not one that is needed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 10 }),
        (counts, capacity) => {
          rmSync(path, { force: true });
          const log = identityLog(path).open();
          read(log);
          counts.forEach((count, i) => log.append(block(i + 1, count), { beforeMs: undefined, capacity }));
          log.close();
          const all = counts.flatMap((count, i) => Array.from({ length: count }, () => i + 1));
          const kept = reopen();
          expect(kept).toEqual(all.slice(all.length - kept.length));
          expect(kept.length).toBeGreaterThanOrEqual(Math.min(capacity, all.length));
          // The newest block that could go as a whole was worked off two at a time, and all of them have at most five sights.
          expect(kept.length).toBeLessThan(capacity + 5);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('belongs to whoever opened it last: who had it before can neither append nor load', () => {
    const first = identityLog(path).open();
    expect(read(first)).toEqual([]);
    first.append(block(1), unlimited);
    const second = identityLog(path).open();
    expect(() => first.append(block(9), unlimited)).toThrow(FencedError);
    expect(() => first.append(block(9), unlimited)).toThrow(
      `identityLog: ${path}: a newer run has taken the memory of dedupe over; this one, of epoch 1, may not write to it any more`,
    );
    expect(read(second)).toEqual([1]);
    second.append(block(2), unlimited);
    const third = identityLog(path).open();
    expect(() => read(second)).toThrow(FencedError);
    for (const log of [first, second, third]) log.close();
    expect(reopen()).toEqual([1, 2]);
  });

  test(
    'is taken over from a process that was stopped, which can append nothing when it wakes up',
    { timeout: 30_000 },
    async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, path], { stdio: ['pipe', 'pipe', 'inherit'] });
      const ended = once(child, 'exit');
      const said = createInterface(child.stdout)[Symbol.asyncIterator]();
      try {
        expect((await said.next()).value).toBe('appended');
        child.kill('SIGSTOP');
        expect(reopen()).toEqual([7, 7]);
        child.kill('SIGCONT');
        child.stdin.write('again\n');
        expect((await said.next()).value).toBe('FencedError');
      } finally {
        child.kill('SIGKILL');
        await ended;
      }
      expect(reopen()).toEqual([7, 7]);
    },
  );

  test('is one file after it was closed, and until then two that belong together', () => {
    const log = identityLog(path).open();
    expect(read(log)).toEqual([]);
    log.append(block(1), unlimited);
    expect(existsSync(`${path}-wal`)).toBe(true);
    log.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(reopen()).toEqual([1]);
  });

  test('begins anew when the file alone was removed behind a run that was killed, whatever that left beside it', () => {
    // Of many pages the first ones lie in the file alone.
    for (const [count, sights] of [
      [3, 1],
      [100, 2000],
    ] as const) {
      const log = identityLog(path).open();
      read(log);
      for (let number = 1; number <= count; number++) log.append(block(number, sights), unlimited);
      // As SIGKILL leaves it: a log that was closed is none any more.
      const left = ['-wal', '-shm'].map((end) => [path + end, readFileSync(path + end)] as const);
      log.close();
      rmSync(path);
      for (const [file, bytes] of left) writeFileSync(file, bytes);
      expect(reopen()).toEqual([]);
      write(7);
      expect(reopen()).toEqual([7]);
      rmSync(path);
    }
  });

  test('says so when another run holds its lock for good', () => {
    write(1);
    const holder = new DatabaseSync(path);
    holder.exec('BEGIN IMMEDIATE');
    expect(() => identityLog(path).open()).toThrow(`identityLog: ${path} is held by another run`);
    holder.exec('ROLLBACK');
    holder.close();
    expect(reopen()).toEqual([1]);
  }, 20_000);

  test.each([
    ['empty', () => writeFileSync(path, '')],
    ['something else', () => writeFileSync(path, 'not a database '.repeat(1000))],
    ['cut short', () => truncateSync(path, 8192)],
    ['without a block in the middle', () => execute('DELETE FROM block WHERE id = 2')],
    ['without its first block', () => execute('DELETE FROM block WHERE id = 1')],
    ['without its last block', () => execute('DELETE FROM block WHERE id = 3')],
    ['without any block', () => execute('DELETE FROM block')],
    ['without an owner', () => execute('DELETE FROM owner')],
    ['with another time in a block', () => execute('UPDATE block SET newest_ms = 5 WHERE id = 2')],
  ])('a file that is %s is an error that names it', (_, damage) => {
    write(1, 2, 3);
    damage();
    expect(() => reopen()).toThrow(new RegExp(`^identityLog: ${path} is damaged: .*Restore it; or remove it, and repeats`));
  });

  test.each([
    ['of another program', () => (rmSync(path), execute('CREATE TABLE block (id)')), 'it is not a file of identityLog'],
    ['of a newer millrace', () => execute('PRAGMA user_version = 3'), 'it is of version 3, and this millrace keeps version 2'],
    ['of an older millrace', () => execute('PRAGMA user_version = 1'), 'it is of version 1, and this millrace keeps version 2'],
  ])('a file %s is none that is damaged, and --check says so too', async (_, change, message) => {
    write(1);
    change();
    const before = readFileSync(path);
    expect(() => identityLog(path).open()).toThrow(`identityLog: ${path}: ${message}`);
    await expect(identityLog(path).check!()).rejects.toThrow(message);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('whichever byte of the file is another one: it is an error, or the blocks are as they were', () => {
    write(1, 2, 3);
    const intact = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(intact.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        writeFileSync(path, intact);
        const file = openSync(path, 'r+');
        writeSync(file, Uint8Array.of(intact[at]! ^ change), 0, 1, at);
        closeSync(file);
        let numbers: number[] = [];
        try {
          numbers = reopen();
        } catch (error) {
          expect((error as Error).message).toContain(path);
          return;
        }
        expect(numbers).toEqual([1, 2, 3]);
      }),
      { numRuns: 200 },
    );
  });

  test('an error of the disk is one, and no damage', () => {
    expect(() => identityLog(root).open()).toThrow(`identityLog: ${root}: unable to open database file`);
    writeFileSync(join(root, 'a-file'), '');
    const below = join(root, 'a-file', 'dedupe.db');
    expect(() => identityLog(below).open()).toThrow(`identityLog: ${below}: E`);
  });

  test('refuses URLs of another kind without saying what is in them', () => {
    const expected = 'identityLog: expected file:<path>, a path, postgres://… or redis://…, got';
    expect(() => identityLog('s3://user:secret@host')).toThrow(`${expected} s3:`);
    for (const nothing of ['', 'file:']) expect(() => identityLog(nothing)).toThrow(expected);
  });
});

const HOLDER = `
  import { identityLog } from ${JSON.stringify(new URL('../../src/stores/identity-log.ts', import.meta.url).href)};
  const log = identityLog(process.argv[1]).open();
  log.load(() => {});
  const append = () =>
    log.append({ sights: new Uint32Array(${2 * SIGHT_WORDS}).fill(7), count: 2, newestMs: 7 }, { beforeMs: undefined, capacity: 10 });
  append();
  console.log('appended');
  process.stdin.once('data', () => {
    try {
      append();
      console.log('appended');
    } catch (error) {
      console.log(error.name);
    }
  });
`;
