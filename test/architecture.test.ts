import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { globSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', 'src');

/** The rooms from the ground up; a file may import from its own room and from those below it. */
const floors: readonly (readonly string[])[] = [
  [
    'as-buffer',
    'position',
    'check-counts',
    'counted',
    'event',
    'delivery',
    'ledger',
    'reject-line',
    'room',
    'shard-in-flight',
    'sink-stands',
    'diagnostic',
    'errors',
    'keepers',
    'steady',
    'owner',
    'duration',
    'fault',
    'fifo',
    'decay',
    'lines',
    'one-by-one',
    'records',
  ],
  ['operators', 'snowplow', 'stores'],
  ['sources', 'sinks'],
  ['pipeline'],
  ['observe'],
  ['run'],
  ['command'],
  ['index'],
  // What helps to try and to test a pipeline may use all of it, and nothing uses that.
  ['testing', 'demo'],
];

const floorOf = (room: string): number => floors.findIndex((rooms) => rooms.includes(room));
const roomOf = (file: string): string => file.split('/')[0]!.replace(/\.ts$/, '');

const imports = globSync('**/*.ts', { cwd: root }).flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:from |import |import\()'(\.[^']+)'/g)].map(([, target]) => ({
    file,
    target: relative('.', normalize(join(dirname(file), target!))),
  }));
});

describe('architecture', () => {
  it('knows the room of every file', () => {
    const rooms = new Set(globSync('**/*.ts', { cwd: root }).map(roomOf));
    expect([...rooms].filter((room) => floorOf(room) < 0)).toEqual([]);
    expect(imports.length).toBeGreaterThan(50);
  });

  it('imports run one way: from the ground up, never back', () => {
    const upward = imports.filter(({ file, target }) => floorOf(roomOf(target)) > floorOf(roomOf(file)));
    expect(upward.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('imports of date-fns only its types: Node loads its functions slowly as ES modules', () => {
    const texts = globSync('**/*.ts', { cwd: root }).map((file) => [file, readFileSync(join(root, file), 'utf8')] as const);
    expect(texts.filter(([, text]) => /^import (?!type\b).*'date-fns/m.test(text)).map(([file]) => file)).toEqual([]);
  });

  it('a client is loaded with the store that is opened, not with what declares it', () => {
    const listed = `
      const { databaseFrom, kinesis, objectStoreFrom, redis } = await import(${JSON.stringify(join(root, 'index.ts'))});
      databaseFrom('postgres://127.0.0.1/shop');
      objectStoreFrom('s3://archive');
      kinesis({ stream: 'events' });
      redis('redis://127.0.0.1');
      console.log(Object.keys(process.getBuiltinModule('module').createRequire('file:///here').cache).join());`;
    const loaded = execFileSync(process.execPath, ['--input-type=module', '--eval', listed], { encoding: 'utf8' });
    expect(loaded).toContain('/node_modules/rxjs/');
    expect(loaded).not.toMatch(/\/node_modules\/(@aws-sdk|@duckdb|@smithy|ioredis|pg)\//);
  });

  it('operators know no source, no sink and no store', () => {
    const known = imports.filter(
      ({ file, target }) => roomOf(file) === 'operators' && ['stores', 'sinks', 'sources'].includes(roomOf(target)),
    );
    expect(known.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('nothing reads observe but command', () => {
    const readers = imports.filter(
      ({ file, target }) => roomOf(target) === 'observe' && !['observe', 'command'].includes(roomOf(file)),
    );
    expect(readers.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });
});
