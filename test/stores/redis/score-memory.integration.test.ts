import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WentBackError } from '../../../src/errors.ts';
import { isPosition } from '../../../src/position.ts';
import { faultOf } from '../../../src/fault.ts';
import type { OpenCommandStore } from '../../../src/stores/command-store.ts';
import {
  type Command,
  del,
  expire,
  incrby,
  rank,
  recent,
  redisCommand,
  sadd,
  set,
  shares,
  zincrby,
  zrem,
} from '../../../src/stores/commands.ts';
import { CommandMerger } from '../../../src/stores/commands/merge-commands.ts';
import { PackWriter } from '../../../src/stores/redis/pack-writer.ts';
import { redis } from '../../../src/stores/redis.ts';
import { ScoreMemory } from '../../../src/stores/redis/score-memory.ts';
import { contentsOf } from '../../support/redis-contents.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'no' } });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.client.flushall();
  await server.client.call('CONFIG', 'RESETSTAT');
});

const owner = { pipeline: 'p', sink: 's' };
const at = (sequence: number, shard = 'a') => ({ shard, sequence: String(sequence), subSequence: 0 });
const bounds = { keep: 5, expire: { days: 1 } };
const likes = (by: number): (readonly [string, number])[] => ['v', 'w', 'x', 'y'].map((member) => [member, by]);

async function opened(rememberScores = 10_000): Promise<OpenCommandStore> {
  const store = await redis(server.url, { rememberScores }).open({ report: () => {} });
  for (const shard of ['a', 'b']) await store.acquire(owner, shard);
  return store;
}

/** One call, of one event. */
function execute(
  store: OpenCommandStore,
  sequence: number,
  commands: readonly Command[],
  { shard = 'a', goesOn = false } = {},
): Promise<unknown> {
  const merger = new CommandMerger();
  for (const command of commands) merger.add(command, 0);
  return store.execute(owner, {
    events: [{ position: at(sequence, shard), arrivedAtMs: 0 }],
    commands: merger.take(),
    positions: new Map([[shard, at(sequence, shard)]]),
    goesOn,
  });
}

/** How often the server ran a command since the last time. */
async function countOf(name: string): Promise<number> {
  const stats = await server.client.info('commandstats');
  await server.client.call('CONFIG', 'RESETSTAT');
  return Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

describe('scores that are remembered', () => {
  it('are set to what they become, and not added to', async () => {
    const store = await opened();
    await execute(store, 1, [zincrby('k', 3, 'x'), zincrby('k', 1, 'z')]);
    await execute(store, 2, [rank('k', likes(1), bounds)]);
    await countOf('zincrby');
    await execute(store, 3, [rank('k', likes(2), bounds)]);
    await store.close();
    expect(await countOf('zincrby')).toBe(0);
    expect(await contentsOf(server.client, 'k')).toEqual(['z', '1', 'v', '3', 'w', '3', 'y', '3', 'x', '6']);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['was deleted', () => server.client.del('k')],
    [
      'has expired',
      async () => {
        await server.client.pexpire('k', 1);
        while ((await server.client.exists('k')) === 1);
      },
    ],
    ['became something else', () => server.client.set('k', 'x')],
    ['has another member', () => server.client.zadd('k', 1, 'other')],
  ])('of a set that %s meanwhile leave the call undone, once', async (_, meanwhile) => {
    const store = await opened();
    await execute(store, 1, [rank('k', likes(1), bounds)]);
    await meanwhile();
    const failure: unknown = await execute(store, 2, [incrby('n', 1), rank('k', likes(2), bounds)]).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ message: expect.stringMatching(/k is not as this run left it$/) });
    expect(faultOf(failure)).toBe('transient');
    expect(await server.client.get('n')).toBeNull();
    expect(await store.positions(owner, ['a'])).toEqual(new Map([['a', at(1)]]));
    await execute(store, 2, [incrby('n', 1), rank('k', likes(2), bounds)]);
    await server.client.del('k');
    await execute(store, 3, [rank('k', likes(4), bounds)]);
    await store.close();
    expect(await server.client.get('n')).toBe('1');
    expect(await contentsOf(server.client, 'k')).toEqual(['v', '4', 'w', '4', 'x', '4', 'y', '4']);
  });

  it('leave out what a set had, until that has expired', async () => {
    const [store, without] = [await opened(), { ...bounds, without: 's' }];
    await execute(store, 1, [sadd('s', 'x'), rank('k', likes(1), without)]);
    await execute(store, 2, [rank('k', likes(1), without)]);
    await server.client.del('s');
    await expect(execute(store, 3, [rank('k', likes(1), without)])).rejects.toThrow(/s is not as this run left it/);
    await store.positions(owner, ['a']);
    await execute(store, 3, [rank('k', likes(1), without)]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(['x', '1', 'v', '3', 'w', '3', 'y', '3']);
  });

  it('are not written over a call that a failover has lost, also when that was of another shard', async () => {
    const store = await opened();
    const { client } = server;
    await execute(store, 1, [rank('k', likes(1), bounds)]);
    const had = await Promise.all(
      ['k', 'millrace:positions:p:s', 'millrace:last-call:p:s'].map(async (key) => [key, await client.dumpBuffer(key)] as const),
    );
    await execute(store, 2, [rank('k', likes(2), bounds)]);
    for (const [key, bytes] of had) await client.restore(key, 0, bytes, 'REPLACE');
    await expect(execute(store, 1, [rank('k', likes(4), bounds)], { shard: 'b' })).rejects.toThrow(
      /another call has come between/,
    );
    expect(await client.zscore('k', 'x')).toBe('1');
    await expect(store.positions(owner, ['a'])).rejects.toThrow(WentBackError);
    await store.close();
  });

  it('may change in several ways in one call', async () => {
    const [store, without] = [await opened(), { ...bounds, without: 's' }];
    await execute(store, 1, [rank('k', likes(1), without)]);
    await execute(store, 2, [
      sadd('s', 'v'),
      zrem('k', 'v'),
      rank('k', likes(1), without),
      zrem('k', 'w'),
      rank('k', likes(1), without),
    ]);
    await execute(store, 3, [sadd('s', 'w'), zrem('k', 'w'), rank('k', likes(1), without)]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(['x', '4', 'y', '4']);
    expect(await countOf('zadd')).toBe(4);
  });

  it('are not those of before a change that was sent before they were told', async () => {
    const store = await opened();
    await execute(store, 1, [zincrby('k', 1, 'x')]);
    await Promise.all([
      execute(store, 2, [rank('k', likes(1), bounds)]),
      execute(store, 3, [zincrby('k', 5, 'x')], { goesOn: true }),
    ]);
    await execute(store, 4, [rank('k', likes(1), bounds)]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(['v', '2', 'w', '2', 'y', '2', 'x', '8']);
  });

  it.each<[string, (store: OpenCommandStore, same: Command) => Promise<unknown>, string[]]>([
    [
      'in several calls under way',
      (store, same) => Promise.all([1, 2, 3].map((sequence) => execute(store, sequence, [same], { goesOn: sequence > 1 }))),
      ['v', '13', 'w', '13', 'x', '13', 'y', '13'],
    ],
    [
      'twice in one call',
      (store, same) => execute(store, 3, [same, zrem('k', 'x'), same]),
      ['x', '11', 'v', '12', 'w', '12', 'y', '12'],
    ],
  ])('are not mistaken when one command comes %s', async (_, come, holds) => {
    const store = await opened();
    await come(store, rank('k', likes(1), bounds));
    await execute(store, 4, [rank('k', likes(10), bounds)]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(holds);
  });

  it.each(['inf', '-inf'])('may be %s', async (infinite) => {
    const all = async (rememberScores: number): Promise<unknown> => {
      await server.client.flushall();
      await server.client.zadd('k', infinite, 'pinned');
      const store = await opened(rememberScores);
      for (const [i, others] of ['abcd', 'efg', 'hij', 'klm'].entries()) {
        const scores = ['pinned', ...others.split('')].map((member, j) => [member, i + j] as const);
        await execute(store, i + 1, [rank('k', scores, bounds)]);
      }
      await store.close();
      return contentsOf(server.client, 'k');
    };
    expect(await all(10_000)).toEqual(await all(0));
  });

  it('may become infinite', async () => {
    const store = await opened();
    const [most, least] = [Number.MAX_VALUE, -Number.MAX_VALUE].map((by) => [['v', by] as const, ...likes(1).slice(1)]);
    for (const [i, scores] of [most!, most!, least!, least!].entries()) await execute(store, i + 1, [rank('k', scores, bounds)]);
    await execute(store, 5, [rank('k', likes(1), { ...bounds, keep: 3 })]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(['x', '5', 'y', '5', 'v', 'inf']);
  });

  it.each([
    ['deleted with others', redisCommand('del', 'other', 'k')],
    ['told an expiry that lies in the past', redisCommand('pexpire', 'k', -1)],
  ])('are forgotten when their set is %s', async (_, gone) => {
    const store = await opened();
    await execute(store, 1, [rank('k', likes(1), bounds)]);
    await execute(store, 2, [gone, rank('k', likes(5), bounds)]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(['v', '5', 'w', '5', 'x', '5', 'y', '5']);
  });

  it('are those of a list that comes again after all was forgotten', async () => {
    const [store, list] = [
      await opened(),
      [
        ['v', 4],
        ['w', 3],
        ['x', 2],
        ['y', 1],
      ] as const,
    ];
    await execute(store, 1, [rank('k', shares(list, 1), bounds)]);
    await execute(store, 2, [redisCommand('touch', 'k')]);
    for (const sequence of [3, 4]) await execute(store, sequence, [rank('k', shares(list, 1), bounds)]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(['y', '3', 'x', '6', 'w', '9', 'v', '12']);
  });

  it('are those of one set, whichever half of a surrogate pair its key has', async () => {
    const store = await opened();
    const keys = ['\uFFFD', '\uD800', '\uFFFD', '\uDFFF'];
    for (const [i, key] of keys.entries()) await execute(store, i + 1, [rank(key, likes(1), bounds)]);
    expect(await contentsOf(server.client, '\uFFFD')).toEqual(['v', '4', 'w', '4', 'x', '4', 'y', '4']);
    const ranked = rank('k', likes(1), { ...bounds, without: '\uD800s' });
    await execute(store, 5, [ranked]);
    await execute(store, 6, [sadd('\uFFFDs', 'v'), ranked]);
    await execute(store, 7, [zrem('k', '\uD800'), ranked]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(['v', '1', 'w', '3', 'x', '3', 'y', '3']);
  });

  it('are not those of a set in which a member is no text', async () => {
    const store = await opened();
    await server.client.zadd('k', -1, Buffer.from([0xff]));
    await execute(store, 1, [rank('k', likes(1), bounds)]);
    await execute(store, 2, [rank('k', [...likes(1), ['z', 1]], bounds)]);
    await store.close();
    expect(await contentsOf(server.client, 'k')).toEqual(['z', '1', 'v', '2', 'w', '2', 'x', '2', 'y', '2']);
  });

  it('may push members out and bring them back in one command', async () => {
    const store = await opened();
    await execute(store, 1, [rank('k', likes(1), bounds)]);
    const [others, again] = ['abcd', 'vefg'].map((all, i) => all.split('').map((one) => [one, 2 + i] as const));
    await execute(store, 2, [rank('k', others!, bounds), rank('k', again!, bounds)]);
    expect(await contentsOf(server.client, 'k')).toEqual(['d', '2', 'e', '3', 'f', '3', 'g', '3', 'v', '3']);
    await execute(store, 3, [rank('k', likes(1), bounds)]);
    await store.close();
  });

  it('make their set last as long as others do', async () => {
    const store = await opened();
    for (const sequence of [1, 2]) await execute(store, sequence, [rank('k', likes(1), bounds), expire('k', { hours: 1 })]);
    await execute(store, 3, [rank('k', likes(1), bounds)]);
    await store.close();
    expect(await countOf('zadd')).toBe(3);
    expect(await server.client.pttl('k')).toBeGreaterThan(86_000_000);
  });

  it('rest on what a set left out when it was asked for last', () => {
    const [memory, writer] = [new ScoreMemory(100), new PackWriter()];
    const [one, two] = ['k1', 'k2'].map((key) => rank(key, likes(1), { ...bounds, without: 's' })) as [Command, Command];
    const sent = (...commands: readonly Command[]): number => {
      const call = memory.begin(0);
      for (const command of commands) memory.write(command, writer);
      return call;
    };
    const first = sent(one);
    sent(sadd('s', 'v'), two);
    // By now the set holds more.
    memory.learn(one, [first, 0], '');
    sent(one);
    expect(memory.end(writer)).toBe(false);
  });

  it('are as many as it is told to keep, and no more', () => {
    const [memory, writer] = [new ScoreMemory(100), new PackWriter()];
    const rests = (i: number): boolean => {
      const command = rank(`k${i}`, likes(1), bounds);
      const call = memory.begin(0);
      memory.write(command, writer);
      const does = memory.end(writer);
      if (!does) memory.learn(command, [call, 0], '');
      return does;
    };
    for (let i = 0; i < 100; i++) expect(rests(i)).toBe(false);
    expect(rests(99)).toBe(true);
    // Each has four scores and counts like four more.
    expect(rests(100 - 1 - Math.ceil(100 / 8))).toBe(false);
  });
});

describe('members of sets that are remembered', () => {
  /** How often all is forgotten while a set gets so many new members, four at a time. */
  function forgets(count: number, textOf: (i: number) => string): number {
    const [memory, writer] = [new ScoreMemory(1000), new PackWriter()];
    let times = 0;
    for (let i = 0; i < count; i += 4) {
      const command = rank(
        'k',
        [0, 1, 2, 3].map((j) => [textOf(i + j), i] as const),
        bounds,
      );
      const call = memory.begin(0);
      memory.write(command, writer);
      const isRemembered = memory.end(writer);
      writer.take();
      if (isRemembered) continue;
      memory.learn(command, [call, 0], '');
      times++;
    }
    return times;
  }

  it('are at most twice as many as scores', () => {
    expect(forgets(2000, String)).toBe(1);
    expect(forgets(20_000, String)).toBe(10);
  });

  it('are fewer when they are long', () => {
    expect(forgets(20_000, (i) => String(i).padStart(640, 'x'))).toBeGreaterThan(95);
  });
});

describe('members of sets that others leave out', () => {
  it('are fewer when they are long', async () => {
    const store = await opened(1000);
    /** Whether a visitor's set has to be asked for, once each has got a member of so many letters. */
    const isAskedAgain = async (first: number, letters: number): Promise<boolean> => {
      const ranked = (i: number): Command => rank(`k${i}`, likes(1), { ...bounds, without: `s${i}` });
      for (let i = first; i < first + 5; i++) {
        await execute(store, 3 * i + 1, [sadd(`s${i}`, 'a')]);
        await execute(store, 3 * i + 2, [ranked(i)]);
        await execute(store, 3 * i + 3, [sadd(`s${i}`, 'x'.repeat(letters))]);
      }
      await countOf('smembers');
      await execute(store, 3 * (first + 5), [ranked(first)]);
      return (await countOf('smembers')) > 0;
    };
    expect(await isAskedAgain(0, 10)).toBe(false);
    expect(await isAskedAgain(10, 64_000)).toBe(true);
    await store.close();
  });
});

describe('the expiry of a set that is remembered', () => {
  afterEach(() => void vi.useRealTimers());

  it('is told anew once a hundredth of it is over, or it is another one', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const store = await opened();
    const told = async (sequence: number, ...commands: readonly Command[]): Promise<number> => {
      await execute(store, sequence, commands);
      return countOf('pexpireat');
    };
    expect(await told(1, rank('k', likes(1), bounds))).toBe(1);
    expect(await told(2, rank('k', likes(1), bounds))).toBe(0);
    vi.advanceTimersByTime(86_400_000 / 100 - 1);
    expect(await told(3, rank('k', likes(1), bounds))).toBe(0);
    vi.advanceTimersByTime(1);
    expect(await told(4, rank('k', likes(1), bounds))).toBe(1);
    const longer = { keep: 5, expire: { days: 2 } };
    expect(await told(5, rank('k', likes(1), longer))).toBe(1);
    expect(await told(6, expire('k', { hours: 1 }))).toBe(0);
    expect(await told(7, rank('k', likes(1), longer))).toBe(1);
    await store.close();
  });

  it('is told anew when all that the set held goes', async () => {
    const store = await opened();
    await execute(store, 1, [rank('k', likes(1), bounds)]);
    const others = ['a', 'b', 'c', 'd', 'e'].map((member) => [member, 9] as const);
    await execute(store, 2, [rank('k', others, bounds)]);
    expect(await server.client.pttl('k')).toBeGreaterThan(86_000_000);
    await execute(store, 3, [zrem('k', 'a', 'b', 'c', 'd', 'e')]);
    await execute(store, 4, [rank('k', likes(1), bounds)]);
    await store.close();
    expect(await server.client.pttl('k')).toBeGreaterThan(86_000_000);
    expect(await contentsOf(server.client, 'k')).toEqual(['v', '1', 'w', '1', 'x', '1', 'y', '1']);
  });

  it('counts as told only by a call that was answered', async () => {
    const store = await opened();
    await execute(store, 1, [rank('k', likes(1), bounds), expire('k', { hours: 1 })]);
    await countOf('pexpireat');
    await Promise.all([
      execute(store, 2, [rank('k', likes(1), bounds)]),
      execute(store, 3, [rank('k', likes(1), bounds)], { goesOn: true }),
    ]);
    await execute(store, 4, [rank('k', likes(1), bounds)]);
    await store.close();
    expect(await countOf('pexpireat')).toBe(2);
  });
});

describe('a call that was sent before another had its answer', () => {
  it('does not take place when that one has failed, nor does any that goes on', async () => {
    const store = await opened(0);
    const broken = { ...redisCommand('script:x', 'k'), name: 'script:x', script: { name: 'x', lua: 'return 1' } };
    await execute(store, 1, [broken]);
    const clash = { ...broken, script: { name: 'x', lua: 'return 2' } };
    await expect(execute(store, 2, [clash])).rejects.toThrow(/expected one script of the name x, got two/);
    for (const shard of ['a', 'b'])
      await expect(execute(store, 3, [incrby('n', 1)], { shard, goesOn: true })).rejects.toThrow(
        /a call before this one has failed/,
      );
    await execute(store, 2, [incrby('n', 1)]);
    expect(await store.positions(owner, ['a', 'b'])).toEqual(new Map([['a', at(2)]]));
    await store.close();
    expect(await server.client.get('n')).toBe('1');
  });

  it('does not take place when it alone reaches the server', async () => {
    const store = await opened(0);
    await execute(store, 1, [incrby('n', 1)]);
    // As if the one under way had been lost on its way.
    await server.client.set('millrace:last-call:p:s', 'another');
    const failing = [
      execute(store, 1, [incrby('n', 10)], { shard: 'b', goesOn: true }),
      execute(store, 2, [incrby('n', 100)], { goesOn: true }),
    ];
    for (const { status } of await Promise.allSettled(failing)) expect(status).toBe('rejected');
    expect(await server.client.get('n')).toBe('1');
    // One that belongs to none may come behind calls of others for a while; one that belongs to another may not.
    await execute(store, 1, [incrby('n', 1)], { shard: 'b' });
    await server.client.set('millrace:last-call:p:s', 'another');
    await expect(execute(store, 2, [incrby('n', 1000)], { goesOn: true })).rejects.toThrow(/another call has come between/);
    expect(await server.client.get('n')).toBe('2');
    await store.close();
  });
});

const member = fc.constantFrom('v', 'w', 'x', 'y', '1', '\u{1F6D2}', '\uFF5E', '\uD800', '\uDFFF', '\uFFFD');
const by = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom(0.5, 0.25, 2 ** 40));
const ranked = fc.constantFrom('ka', 'kb');
const anyKey = fc.oneof({ weight: 3, arbitrary: ranked }, fc.constant('s'));
/** Lists that come again. */
const lists = [
  ['y', 'x', 'w', 'v'],
  ['z', '\u{1F6D2}', 'v', '\uD800', '1'],
].map((members) => members.map((one, i) => [one, i + 1] as const));
const without = fc.option(fc.constant('s'), { nil: undefined });
const scores = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.tuple(member, by), { maxLength: 9 }) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...lists), by).map(([list, score]) => shares(list, score)) },
);
const ranking = fc
  .tuple(ranked, scores, fc.constantFrom(3, 5, 8), without)
  .map(([k, of, keep, not]) => rank(k, of, { keep, expire: { days: 1 }, ...(not !== undefined && { without: not }) }));
const command = fc.oneof(
  { weight: 40, arbitrary: ranking },
  { weight: 4, arbitrary: fc.tuple(ranked, member).map(([k, m]) => zrem(k, m)) },
  { weight: 2, arbitrary: member.map((m) => sadd('s', m)) },
  { weight: 4, arbitrary: fc.tuple(ranked, fc.integer({ min: -5, max: 5 }), member).map(([k, n, m]) => zincrby(k, n, m)) },
  { weight: 3, arbitrary: fc.tuple(anyKey, fc.constantFrom(1, 48)).map(([k, hours]) => expire(k, { hours })) },
  { weight: 1, arbitrary: member.map((m) => redisCommand('srem', 's', m)) },
  { weight: 2, arbitrary: fc.tuple(ranked, ranked).map(([a, b]) => redisCommand('ZUNIONSTORE', a, 1, b)) },
  { weight: 1, arbitrary: anyKey.map(del) },
  { weight: 1, arbitrary: fc.tuple(anyKey, member).map(([k, m]) => set(k, m)) },
  { weight: 1, arbitrary: fc.tuple(anyKey, member).map(([k, m]) => recent(k, m, bounds)) },
);
/** What comes to pass between calls: keys that vanish, another run. */
const between = fc.oneof(
  anyKey.map((vanishes) => ({ vanishes })),
  fc.constant('restart' as const),
);
const step = fc.oneof(
  { weight: 19, arbitrary: fc.array(command, { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: between },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

it('leaves every key as without a memory, whatever comes in whatever calls', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), fc.boolean(), async (steps, isSmall) => {
      const plainly = await keysAfter(steps, 0);
      expect(await keysAfter(steps, isSmall ? 30 : 10_000)).toEqual(plainly);
    }),
    { numRuns: 400 },
  );
});

/**
 * Runs steps against an empty server, up to three calls at once, each again that did not take place, which only happens where a key has vanished;
 * gives all that the server holds then.
 */
async function keysAfter(steps: readonly Step[], rememberScores: number): Promise<unknown> {
  const { client } = server;
  await client.flushall();
  let store = await opened(rememberScores);
  let waiting: [sequence: number, commands: readonly Command[]][] = [];
  let hasVanished = false;
  const done = async (): Promise<void> => {
    while (waiting.length > 0) {
      const ended = await Promise.allSettled(
        waiting.map(([sequence, commands], i) => execute(store, sequence, commands, { goesOn: i > 0 })),
      );
      if (ended.every(({ status }) => status === 'fulfilled')) waiting = [];
      else expect(hasVanished).toBe(true);
      const stands = (await store.positions(owner, ['a'])).get('a');
      const stored = stands && isPosition(stands) ? Number(stands.sequence) : 0;
      waiting = waiting.filter(([sequence]) => sequence > stored);
    }
  };
  for (const [i, one] of steps.entries()) {
    if (Array.isArray(one)) waiting.push([i + 1, one]);
    if (waiting.length === 3 || !Array.isArray(one)) await done();
    if (one === 'restart') {
      await store.close();
      store = await opened(rememberScores);
    } else if (!Array.isArray(one)) {
      hasVanished = true;
      await client.del(one.vanishes);
    }
  }
  await done();
  await store.close();
  const keys = (await client.keys('*')).filter((name) => !name.startsWith('millrace:last-call')).sort();
  return Promise.all(
    keys.map(async (name) => [name, await contentsOf(client, name), Math.ceil((await client.pttl(name)) / 3_600_000)]),
  );
}
