import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pipeline } from '../../../src/pipeline.ts';
import { run } from '../../../src/run/run.ts';
import { apply } from '../../../src/sinks/apply.ts';
import { rejectsIntoRedis } from '../../../src/sinks/rejects-into-redis.ts';
import { scripted } from '../../../src/sources/scripted.ts';
import { type Command, incrby, rank, recent, redisCommand, sadd } from '../../../src/stores/commands.ts';
import { identityLog } from '../../../src/stores/identity-log.ts';
import { get, highest } from '../../../src/stores/reads.ts';
import { redis } from '../../../src/stores/redis.ts';
import { RedisClient } from '../../../src/stores/redis/client.ts';
import { Rights } from '../../../src/stores/redis/rights.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'no' } });
});
afterAll(() => server.stop());
beforeEach(() => server.client.flushall());
afterEach(() => server.client.call('ACL', 'DELUSER', 'few'));

/** Gives a user those of docs/deployment.md, and then changes them. */
async function allow(rights: string): Promise<void> {
  const all = 'reset on >pw ~* +@read +@write +ping +info +time +eval +evalsha';
  await server.client.call('ACL', 'SETUSER', 'few', ...`${all} ${rights}`.trim().split(' '));
}

const url = (): string => `redis://few:pw@127.0.0.1:${server.port}`;
const bounds = { keep: 5, expire: { days: 1 } };
const likes = ['v', 'w', 'x', 'y'].map((member) => [member, 1] as const);

/** Each event in a call of its own. */
function running(commands: (event: string) => Command[]): Promise<unknown> {
  const store = redis(url(), { rememberScores: 1_000, keepRejects: { days: 1 } });
  return run(
    pipeline('p')
      .from(scripted({ a: [['1', '2', '3']] }))
      .to(apply(store, (data: Uint8Array) => commands(Buffer.from(data).toString()), { maxEvents: 1 }))
      .rejects(rejectsIntoRedis(store)),
  );
}

const whyNot = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing',
    (error: unknown) => (error as Error).message,
  );

describe('the rights that docs/deployment.md names', () => {
  test('are enough, also for events that are refused', async () => {
    await allow('');
    const counts = await running((event) => [
      incrby('seen', 1),
      sadd('bought:{u}', event),
      recent('viewed:{u}', event, bounds),
      rank('likes:{u}', likes, { ...bounds, without: 'bought:{u}' }),
      redisCommand('NOSUCH', 'seen'),
    ]);
    expect(counts).toMatchObject({ read: 3, rejected: 3 });
    expect(await server.client.zcard('millrace:rejects:p')).toBe(3);
  });
});

test('keys may begin with half of a surrogate pair, also the first ones of a run', async () => {
  await allow('');
  const counts = await running(() => [incrby('n\uD800', 1), rank('r\uDFFF', likes, { ...bounds, without: 's\uD801' })]);
  expect(counts).toMatchObject({ read: 3, stored: 3 });
  expect(await server.client.get('n\uFFFD')).toBe('3');
});

describe('a user who may not run what is needed', () => {
  test.each(['ZADD', 'ZREM', 'ZCARD', 'ZRANGE', 'ZINCRBY'])(
    'to remember scores (%s) ends the run before anything is changed',
    async (name) => {
      await allow(`-${name.toLowerCase()}`);
      // Of rejects, too, some are needed.
      const key = /ZADD|ZREM|ZRANGE/.test(name) ? 'millrace:rejects:p' : 'likes:{u}';
      expect(await whyNot(running(() => [incrby('seen', 1), rank('likes:{u}', likes, bounds)]))).toContain(
        `NOPERM no right to run ${name} ${key}`,
      );
      expect(await server.client.exists('seen', 'likes:{u}')).toBe(0);
    },
  );

  test('to remember what a set leaves out is told so', async () => {
    await allow('-smembers');
    const work = running(() => [rank('likes:{u}', likes, { ...bounds, without: 'bought:{u}' })]);
    expect(await whyNot(work)).toContain('NOPERM no right to run SMEMBERS bought:{u}');
  });

  test('on some keys alone ends the run when the first of them come, in whichever call', async () => {
    await allow('resetkeys ~millrace:* ~likes:* ~seen');
    const work = (): Promise<unknown> =>
      running((event) => [
        incrby('seen', 1),
        rank('likes:{u}', likes, bounds),
        ...(event === '3' ? [rank('brands:{u}', likes, bounds)] : []),
      ]);
    expect(await whyNot(work())).toContain('NOPERM no right to run ZINCRBY brands:{u}');
    expect(await server.client.mget('seen')).toEqual(['2']);
    expect(await server.client.zcard('millrace:rejects:p')).toBe(0);
    await allow('');
    await work();
    expect(await server.client.mget('seen')).toEqual(['3']);
    expect(await server.client.zscore('brands:{u}', 'v')).toBe('1');
  });

  test.each([
    ['-hset', 'HSET millrace:positions:p:'],
    ['-get', 'GET millrace:last-call:p:'],
    ['-set', 'SET millrace:last-call:p:'],
    ['resetkeys ~millrace:positions:* ~millrace:last-call:* ~millrace:rejects:* ~seen', 'HSET millrace:reject:p:'],
    ['resetkeys ~millrace:positions:* ~millrace:last-call:* ~millrace:reject:* ~seen', 'ZADD millrace:rejects:p'],
    ['-pexpire', 'PEXPIRE millrace:reject:p:'],
  ])('on keys of our own (%s) ends the run before a shard is taken over', async (rights, missing) => {
    await allow(rights);
    // Its event is a reject, of which nobody would know.
    expect(await whyNot(running(() => [redisCommand('NOSUCH', 'seen')]))).toContain(
      `the user of its URL may not do what is needed: NOPERM no right to run ${missing}`,
    );
    expect(await server.client.keys('*')).toEqual([]);
  });

  test.each(['HSET', 'HINCRBY', 'LLEN', 'RPUSH', 'LTRIM', 'LRANGE'])(
    'for what dedupe has seen (%s) learns so before the log is touched',
    async (name) => {
      await allow(`-${name.toLowerCase()}`);
      const state = identityLog(url());
      expect(await whyNot(state.prepare!('p'))).toContain(`NOPERM no right to run ${name} millrace:identities:{p}`);
      expect(await server.client.keys('*')).toEqual([]);
      await allow('');
      await (
        await state.prepare!('p')
      )();
    },
  );
});

test.each([
  ['-get', '(GET brand:A)'],
  ['resetkeys ~similar:*', '(GET brand:A)'],
  ['resetkeys ~brand:*', '(ZREVRANGE similar:A)'],
])('a user who may not look something up (%s) is told what and where', async (rights, missing) => {
  await allow(rights);
  const reads = redis(url()).openReads();
  const failure = await new Promise((resolve) =>
    reads.read([get('brand:A'), highest('similar:A', 20)], (_, why) => resolve(why)),
  );
  reads.close();
  expect((failure as Error).message).toMatch(/the user of its URL may not do what is needed: NOPERM .*/);
  expect((failure as Error).message.endsWith(` ${missing}`)).toBe(true);
});

test('a user who may not touch a key of a script is told all that it has', async () => {
  await allow('resetkeys ~a');
  const client = new RedisClient(url(), { timeoutMs: 1000 });
  await client.open();
  expect(await whyNot(client.call('EVAL', ['return 1', 2, 'a', 'b', 'c']))).toMatch(/ \(EVAL a b\)$/);
  client.close();
});

test('rights are asked for once for each command and beginning of its keys, and again for a call that failed', () => {
  const rights = new Rights(false);
  const asked = (...keys: string[]): [string, () => void] => {
    for (const key of keys) rights.need(incrby(key, 1));
    const { needed, granted } = rights.take();
    return [needed, granted];
  };
  expect(asked('a:1', 'a:2', 'b')[0]).toBe('[["INCRBY","a:1"],["INCRBY","b"]]');
  const [needed, granted] = asked('a:3', 'c');
  expect(needed).toBe('[["INCRBY","a:3"],["INCRBY","c"]]');
  granted();
  expect(asked('a:4', 'd', 'b:1')[0]).toBe('[["INCRBY","b:1"]]');
  const many = Array.from({ length: 1000 }, (_, i) => `${i}:x`);
  expect(JSON.parse(asked(...many)[0])).toHaveLength(64);
});
