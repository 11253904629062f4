import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Command,
  del,
  expire,
  hincrby,
  hset,
  incrby,
  lpush,
  rank,
  recent,
  redisCommand,
  rpush,
  sadd,
  set,
  zincrby,
  zrem,
} from '../../../src/stores/commands.ts';
import { CommandMerger, type Merged } from '../../../src/stores/commands/merge-commands.ts';
import { redis } from '../../../src/stores/redis.ts';
import { contentsOf } from '../../support/redis-contents.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'no' } });
});
afterAll(() => server.stop());

const merged = (...commands: Command[]): Merged[] => {
  const merger = new CommandMerger();
  commands.forEach((command, i) => merger.add(command, i));
  return merger.take();
};
const bounds = { keep: 2, expire: { days: 1 } };
const many = Array.from({ length: 2000 }, (_, i) => `${i}`);

describe('merging commands', () => {
  it.each<[string, Command[], Command[]]>([
    ['sums up whole numbers', [incrby('n', 1), incrby('m', 5), incrby('n', 2)], [incrby('n', 3), incrby('m', 5)]],
    [
      'sums up by field and by member',
      [hincrby('h', 'a', 1), hincrby('h', 'a', 2), zincrby('z', 1, 'a'), zincrby('z', 1, 'b')],
      [hincrby('h', 'a', 3), zincrby('z', 1, 'a'), zincrby('z', 1, 'b')],
    ],
    ['joins pushes', [rpush('l', 'a'), rpush('l', 'b', 'c')], [rpush('l', 'a', 'b', 'c')]],
    ['keeps the last of values that replace each other', [set('a', 1), set('a', 2)], [set('a', 2)]],
    [
      'keeps of recent members what the list will keep',
      [recent('l', 'a', bounds), recent('l', 'b', bounds), recent('l', 'a', bounds), recent('l', 'c', bounds)],
      [{ ...recent('l', 'a', bounds), args: [2, 86_400_000, 'a', 'c'] }],
    ],
    [
      'leaves alone what another command of the key parts',
      [incrby('n', 1), set('n', 7), incrby('n', 1)],
      [incrby('n', 1), set('n', 7), incrby('n', 1)],
    ],
    [
      'leaves alone what a command parts that may read any key',
      [incrby('n', 1), redisCommand('copy', 'k', 'n'), incrby('n', 1)],
      [incrby('n', 1), redisCommand('copy', 'k', 'n'), incrby('n', 1)],
    ],
    [
      'leaves alone what a command parts that deletes it with others',
      [incrby('n', 1), redisCommand('del', 'k', 'n'), incrby('n', 1)],
      [incrby('n', 1), redisCommand('del', 'k', 'n'), incrby('n', 1)],
    ],
    [
      'leaves fractions alone, and makes no whole number of two',
      [incrby('n', 0.5), incrby('n', 0.5)],
      [incrby('n', 0.5), incrby('n', 0.5)],
    ],
    [
      'leaves alone a sum that a double cannot hold',
      [incrby('n', 2 ** 53 - 1), incrby('n', 1)],
      [incrby('n', 2 ** 53 - 1), incrby('n', 1)],
    ],
  ])('%s', (_, commands, expected) => {
    expect(merged(...commands).map(({ command }) => command)).toEqual(expected);
  });

  it.each([
    ['a push of nothing, which is refused', redisCommand('lpush', 'l'), lpush('l', 'a')],
    ['a value that is only set where there is none', set('k', 1), redisCommand('set', 'k', 2, 'NX')],
    ['an option that no store knows', redisCommand('set', 'k', 1, 'NO'), set('k', 2)],
    ['an expiry that lies in the past, and deletes', redisCommand('pexpire', 'k', -1), expire('k', { hours: 1 })],
    ['an expiry on a condition', expire('k', { hours: 1 }), redisCommand('pexpire', 'k', 1000, 'NX')],
    ['fields without values, which are refused', redisCommand('hset', 'h', 'a'), redisCommand('hset', 'h', 'b')],
    ['more than one number, which is refused', redisCommand('incrby', 'n', 1, 1), incrby('n', 1)],
    ['a field with more than one number', redisCommand('hincrby', 'h', 'a', 1, 1), hincrby('h', 'a', 1)],
    ['a member with more than one number', redisCommand('zincrby', 'z', 1, 'a', 1), zincrby('z', 1, 'a')],
    [
      'ranks that last for another time',
      rank('r', [['a', 1]], bounds),
      rank('r', [['a', 1]], { ...bounds, expire: { days: 2 } }),
    ],
    ['lists that keep another number', recent('l', 'a', bounds), recent('l', 'a', { ...bounds, keep: 1 })],
    ['more arguments than a script hands on', sadd('s', 'a', ...many), sadd('s', 'b', ...many)],
  ])('leaves alone %s', (_, one, two) => {
    expect(merged(one, two).map(({ command }) => command)).toEqual([one, two]);
  });

  it('knows nothing of commands that were taken', () => {
    const merger = new CommandMerger();
    for (const key of ['a', 'b']) merger.add(incrby(key, 1), 0);
    merger.take();
    for (const key of ['c', 'a', 'b']) merger.add(incrby(key, 2), 0);
    expect(merger.take().map(({ command }) => command)).toEqual(['c', 'a', 'b'].map((key) => incrby(key, 2)));
  });

  it('joins ranks only as long as the set that both leave out is as it was', () => {
    const bounds = { keep: 5, expire: { days: 1 }, without: 'bought' };
    const [one, two] = [rank('r', [['a', 1]], bounds), rank('r', [['b', 1]], bounds)];
    expect(merged(one, two)).toHaveLength(1);
    expect(merged(one, sadd('bought', 'b'), two)).toHaveLength(3);
    expect(merged(sadd('bought', 'a'), one, sadd('bought', 'b')).map(({ command }) => command)).toEqual([
      sadd('bought', 'a'),
      one,
      sadd('bought', 'b'),
    ]);
  });

  it('remembers for which events a command stands', () => {
    const merger = new CommandMerger();
    merger.add(incrby('n', 1), 0);
    merger.add(incrby('n', 1), 0);
    merger.add(incrby('n', 1), 3);
    expect(merger.take().map(({ events }) => events)).toEqual([[0, 3]]);
    expect(merger.take()).toEqual([]);
  });

  it('leaves every key as the commands would, one by one', async () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const member = fc.constantFrom('x', 'y', 'z', '1', '2');
    const by = fc.oneof(fc.integer({ min: -3, max: 9 }), fc.constantFrom(0.5, 0.25));
    const whole = fc.integer({ min: -5, max: 5 });
    const command = fc.oneof(
      fc.tuple(key, member).map(([k, m]) => set(k, m)),
      key.map(del),
      fc.tuple(key, whole).map(([k, n]) => incrby(k, n)),
      fc.tuple(key, member, member).map(([k, f, v]) => hset(`h${k}`, f, v)),
      fc.tuple(key, member, whole).map(([k, f, n]) => hincrby(`h${k}`, f, n)),
      fc.tuple(key, by, member).map(([k, n, m]) => zincrby(`z${k}`, n, m)),
      fc.tuple(key, member).map(([k, m]) => zrem(`z${k}`, m)),
      fc.tuple(key, member).map(([k, m]) => sadd(`s${k}`, m)),
      fc.tuple(key, member).map(([k, m]) => lpush(`l${k}`, m)),
      fc.tuple(key, member).map(([k, m]) => rpush(`l${k}`, m)),
      key.map((k) => expire(`l${k}`, { hours: 1 })),
      fc.tuple(key, member, fc.constantFrom(2, 3)).map(([k, m, keep]) => recent(`r${k}`, m, { keep, expire: { days: 1 } })),
      fc
        .tuple(key, fc.array(fc.tuple(member, by), { maxLength: 3 }), fc.constantFrom(2, 3), fc.option(key, { nil: undefined }))
        .map(([k, scores, keep, not]) =>
          rank(`k${k}`, scores, { keep, expire: { days: 1 }, ...(not !== undefined && { without: `s${not}` }) }),
        ),
      fc.tuple(key, key).map(([a, b]) => redisCommand('ZUNIONSTORE', `z${a}`, 1, `z${b}`)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 60 }), async (commands) => {
        const oneByOne = await keysAfter(commands.map((one) => [{ command: one, events: [0] }]));
        expect(await keysAfter([merged(...commands)])).toEqual(oneByOne);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses the events that the commands would, one by one, where keys are of any kind', async () => {
    const key = fc.constantFrom('a', 'b');
    const member = fc.constantFrom('x', 'y', '1', '2', '\uD800', '\uFFFD');
    const by = fc.oneof(fc.integer({ min: -3, max: 9 }), fc.constant(0.5));
    const [some, two] = [fc.array(fc.tuple(member, by), { maxLength: 6 }), fc.tuple(key, member, member)];
    const command = fc.oneof(
      two.map(([k, f, v]) => hset(k, f, v)),
      two.map(([k, m, n]) => zrem(k, m, n)),
      two.map(([k, m, n]) => sadd(k, m, n)),
      two.map(([k, m, n]) => rpush(k, m, n)),
      two.map(([k, m]) => set(k, m)),
      two.map(([k, m]) => redisCommand('set', k, m, 'EX', 100)),
      two.map(([k, m]) => recent(k, m, bounds)),
      fc.tuple(key, by).map(([k, n]) => incrby(k, n)),
      fc.tuple(key, by, member).map(([k, n, m]) => hincrby(k, m, n)),
      fc.tuple(key, by, member).map(([k, n, m]) => zincrby(k, n, m)),
      fc.tuple(key, fc.constantFrom(1, 5)).map(([k, hours]) => expire(k, { hours })),
      fc
        .tuple(key, some, fc.option(key, { nil: undefined }))
        .map(([k, scores, not]) => rank(k, scores, not === undefined ? bounds : { ...bounds, without: not })),
      key.map(del),
      key.map((k) => redisCommand('PEXPIRE', k, -1)),
      key.map((k) => redisCommand('LPUSH', k)),
      fc.tuple(key, key).map(([a, b]) => redisCommand('COPY', a, b, 'REPLACE')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), async (commands) => {
        const refused: [one: number[], other: number[]] = [[], []];
        const oneByOne = commands.map((one, i) => [{ command: one, events: [i] }]);
        const left = await keysAfter(oneByOne, refused[0]);
        expect(await keysAfter([merged(...commands)], refused[1])).toEqual(left);
        expect(new Set(refused[1])).toEqual(new Set(refused[0]));
      }),
      { numRuns: 100 },
    );
  });
});

/** Runs batches against an empty server and gives all it then holds. @param refused gets the events that were */
async function keysAfter(batches: readonly (readonly Merged[])[], refused: number[] = []): Promise<unknown> {
  const { client } = server;
  await client.flushall();
  const store = await redis(server.url).open({ report: () => {} });
  const owner = { pipeline: 'p', sink: 's' };
  await store.acquire(owner, 'a');
  const at = (sequence: number) => ({ shard: 'a', sequence: String(sequence), subSequence: 0 });
  for (const [i, commands] of batches.entries()) {
    const faults = await store.execute(owner, {
      events: Array.from({ length: 60 }, (_, n) => ({ position: at(n + 1), arrivedAtMs: 0 })),
      commands,
      positions: new Map([['a', at(i + 1)]]),
    });
    refused.push(...new Set(faults.flatMap(({ events }) => events)));
  }
  await store.close();
  const keys = (await client.keys('*')).filter((key) => !key.startsWith('millrace:')).sort();
  return Promise.all(keys.map(async (key) => [key, await contentsOf(client, key), (await client.pttl(key)) > 0]));
}

// Redis is sent the same three bytes for each half of a surrogate pair.
it('takes halves of surrogate pairs for the one text that they are to the store', () => {
  const pushed = ['\uD800', '\uD801', '\uFFFD'].map((member) => recent('l', member, bounds));
  expect(merged(...pushed).map(({ command }) => command)).toEqual([recent('l', '\uFFFD', bounds)]);
  const written = merged(set('\uD800', 1), set('\uFFFD', 2), set('\uD800', 3));
  expect(written.map(({ command }) => command.args)).toEqual([[3]]);
});

it('knows no set of an empty key', () => {
  expect(() => rank('k', [['a', 1]], { ...bounds, without: '' })).toThrow(
    'rank: expected the key of a set in `without`, got an empty one',
  );
});
