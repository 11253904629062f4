import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import { faultOf } from '../../../src/fault.ts';
import { pipeline } from '../../../src/pipeline.ts';
import { run } from '../../../src/run/run.ts';
import { apply } from '../../../src/sinks/apply.ts';
import { scripted } from '../../../src/sources/scripted.ts';
import { incrby, rank, redisCommand, zincrby } from '../../../src/stores/commands.ts';
import { get } from '../../../src/stores/reads.ts';
import { redis } from '../../../src/stores/redis.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { certificate, certificateKey } from '../../support/certificate.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import type { FaultKind } from '../../support/fault-proxy/plan.ts';
import { freePort } from '../../support/free-port.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';

let server: RedisServer;
let proxy: FaultProxy;
const printed: unknown[] = [];

beforeAll(async () => {
  server = await startRedis({ settings: { 'enable-debug-command': 'local' } });
  for (const method of ['log', 'info', 'warn', 'error'] as const)
    vi.spyOn(console, method).mockImplementation((...args) => void printed.push(args));
});

afterAll(async () => {
  vi.restoreAllMocks();
  await server.stop();
});

beforeEach(async () => {
  await server.client.flushall();
  proxy = await startFaultProxy({ target: server.url });
});

afterEach(async () => {
  await proxy.close();
  expect(printed).toEqual([]);
  expect(await clients()).toEqual([]);
});

/** Connections of millrace that the server still has. */
async function clients(untilMs = deadlineMs): Promise<string[]> {
  const list = String(await server.client.call('CLIENT', 'LIST'));
  const ours = list.split('\n').filter((line) => line.includes('name=millrace'));
  if (ours.length === 0 || Date.now() > untilMs) return ours;
  await new Promise((resolve) => setTimeout(resolve, 5));
  return clients(untilMs);
}
let deadlineMs = 0;
beforeEach(() => void (deadlineMs = Date.now() + 20_000));

const EVENTS = 60;
const bounds = { keep: 100, expire: { days: 1 } };
/** Six deliveries of ten events, with a moment in between; the commands of every fifth event are refused. */
const script = {
  'shard-1': Array.from({ length: 6 }, (_, i) => [Array.from({ length: 10 }, (_, j) => `${i * 10 + j}`), { pauseMs: 20 }]).flat(),
};

/** Counts the events of a stream in a run of its own, in calls of at most four events. */
async function counted(url = proxy.url, during: (diagnostic: Diagnostic) => void = () => {}): Promise<Diagnostic[]> {
  await server.client.set('text', 'x');
  const told: Diagnostic[] = [];
  const counts = await run(
    pipeline('p')
      .from(scripted(script))
      .to(
        apply(
          redis(url, { timeoutMs: 500, rememberScores: 1_000 }),
          (data) => {
            const n = Number(Buffer.from(data).toString());
            const likes = rank(
              `likes${n % 3}`,
              ['a', 'b', 'c', 'd'].map((member) => [member, n] as const),
              bounds,
            );
            return [incrby('n', 1), zincrby('sums', 1.5, `m${n % 3}`), likes, ...(n % 5 === 0 ? [incrby('text', 1)] : [])];
          },
          { maxEvents: 4 },
        ),
      ),
    {
      retry: { firstDelayMs: 1, maxDelayMs: 20, within: { seconds: 20 } },
      report(diagnostic) {
        told.push(diagnostic);
        during(diagnostic);
      },
    },
  );
  expect(counts).toMatchObject({ read: EVENTS, stored: EVENTS - EVENTS / 5, rejected: EVENTS / 5, inFlight: 0 });
  return told;
}

/** Everything counted once, and every reject whole. */
async function expectExact(): Promise<void> {
  const { client } = server;
  expect(await client.get('n')).toBe(String(EVENTS));
  expect(await client.zrange('sums', '0', '-1', 'WITHSCORES')).toEqual(['m0', '30', 'm1', '30', 'm2', '30']);
  for (const [i, sum] of [570, 590, 610].entries())
    expect(await client.zrange(`likes${i}`, '0', '-1', 'WITHSCORES')).toEqual(
      ['a', 'b', 'c', 'd'].flatMap((one) => [one, `${sum}`]),
    );
  const keys = await client.zrange('millrace:rejects:p', '0', '-1');
  expect(keys).toHaveLength(EVENTS / 5);
  const raws = await Promise.all(keys.map((key) => client.hget(key, 'raw')));
  expect(raws.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: EVENTS / 5 }, (_, i) => i * 5));
}

describe('a call whose outcome is unknown', () => {
  test.each<[FaultKind, string]>([
    ['reset-request', 'EVALSHA'],
    ['reset-answer', 'EVALSHA'],
    ['drop-answer', 'EVALSHA'],
    ['late', 'EVALSHA'],
    ['silence', 'EVALSHA'],
    ['drop-answer', 'HMGET'],
    ['reset-request', 'HSET'],
    ['drop-answer', 'ZADD'],
    ['drop-answer', 'EVAL'],
    ['late', 'EVAL'],
  ])('because of %s of %s is made once', async (kind, on) => {
    for (const at of [0, 1, 3, 6, 8]) void proxy.inject({ kind, on, at, bytes: 100, delayMs: 150 });
    if (on === 'HMGET') void proxy.inject({ kind: 'drop-answer', on: 'EVALSHA', at: 2 });
    const told = await counted();
    await expectExact();
    expect(proxy.injected[kind]).toBeGreaterThan(0);
    expect(told.some(({ type }) => type === 'sink-retry')).toBe(true);
  });

  test('that runs when another has been made in its place changes nothing', async () => {
    void proxy.inject({ kind: 'late', on: 'EVALSHA', at: 2, delayMs: 150 });
    await counted();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(proxy.injected).toEqual({ late: 1 });
    await expectExact();
  });
});

/** Puts the server into a state once the run has stored something, and ends that when it has tried some times. Gives its errors. */
async function whileIt(begin: () => Promise<unknown>, end: () => Promise<unknown>): Promise<string> {
  const errors: string[] = [];
  let begun: Promise<unknown> | undefined;
  let ended: Promise<unknown> | undefined;
  await counted(server.url, (diagnostic) => {
    if (diagnostic.type === 'committed') begun ??= begin();
    if (diagnostic.type !== 'sink-retry') return;
    errors.push((diagnostic.error as Error).message);
    if (errors.length === 3) ended = end();
  });
  await Promise.all([begun, ended]);
  await expectExact();
  return errors.join('\n');
}

describe('a server that cannot just now', () => {
  const call = (...args: [string, ...string[]]): Promise<unknown> => server.client.call(...args);

  test('as it has become a replica is waited for', async () => {
    const dead = await freePort();
    const errors = await whileIt(
      () => call('REPLICAOF', '127.0.0.1', String(dead)),
      () => call('REPLICAOF', 'NO', 'ONE'),
    );
    // The connection is made anew for it: a call that was under way beside may be told of first.
    expect(errors).toMatch(/^redis \S+: READONLY/m);
  });

  test('as its memory is full has done nothing of a batch, and gets it again', async () => {
    const errors = await whileIt(
      () => call('CONFIG', 'SET', 'maxmemory', '1'),
      () => call('CONFIG', 'SET', 'maxmemory', '0'),
    );
    expect(errors).toMatch(/^redis \S+: OOM/);
  });

  test('as it has too few replicas has done nothing of a batch, and gets it again', async () => {
    const errors = await whileIt(
      () => call('CONFIG', 'SET', 'min-replicas-to-write', '1'),
      () => call('CONFIG', 'SET', 'min-replicas-to-write', '0'),
    );
    expect(errors).toMatch(/^redis \S+: NOREPLICAS/);
  });

  test('as somebody has it forget all scripts again and again gets it anew', async () => {
    const timer = setInterval(() => void call('SCRIPT', 'FLUSH'), 3);
    await counted(server.url);
    clearInterval(timer);
    await expectExact();
  });

  test('as a script of somebody else runs for too long is waited for', async () => {
    await call('CONFIG', 'SET', 'busy-reply-threshold', '20');
    const other = server.client.duplicate();
    const errors = await whileIt(
      async () => void other.eval('while true do end', 0).catch(() => {}),
      () => call('SCRIPT', 'KILL'),
    );
    other.disconnect();
    expect(errors).toMatch(/^redis \S+: BUSY/);
  });

  test('as it was killed is waited for, and gets its script anew', async () => {
    const errors = await whileIt(
      () => server.restart(),
      async () => {},
    );
    expect(errors).toMatch(/^redis 127\.0\.0\.1:\d+: no connection: /);
  });

  test('as it loads its data is waited for', async () => {
    await call('DEBUG', 'POPULATE', '3000');
    await call('BGREWRITEAOF');
    while (/aof_rewrite_in_progress:1/.test(await server.client.info('persistence')))
      await new Promise((resolve) => setTimeout(resolve, 10));
    const errors = await whileIt(
      () => server.restart({ 'key-load-delay': '100', 'loading-process-events-interval-bytes': '1024' }),
      async () => {},
    );
    await call('CONFIG', 'SET', 'key-load-delay', '0');
    expect(errors).toMatch(/^redis \S+: LOADING/m);
  });
});

describe('the database of a URL', () => {
  test('is the one that is read, also when the server could not change to it as the connection was made anew', async () => {
    const { client } = server;
    await client.call('CONFIG', 'SET', 'busy-reply-threshold', '20');
    const [inside, other] = [client.duplicate({ db: 3 }), client.duplicate()];
    await inside.set('key', 'there');
    const reads = redis(`${server.url}/3`, { timeoutMs: 1000 }).openReads();
    const read = (): Promise<unknown> =>
      new Promise((resolve) => reads.read([get('key')], (answers, failure) => resolve(failure ?? answers[0])));
    expect(await read()).toBe('there');
    for (const line of await clients(0)) await client.call('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(line)![1]!);
    other.eval('while true do end', 0).catch(() => {});
    let answer: unknown;
    do answer = await read();
    while (!String(answer).includes('BUSY'));
    expect(faultOf(answer)).toBe('transient');
    await client.call('SCRIPT', 'KILL');
    do answer = await read();
    while (answer instanceof Error);
    expect(answer).toBe('there');
    reads.close();
    inside.disconnect();
    other.disconnect();
  });
});

describe('opening', () => {
  const opening = async (url: string, timeoutMs = 300): Promise<Error> => {
    const store = redis(url, { timeoutMs }).open({ report: () => {} });
    return store.then(
      () => new Error('it opened'),
      (error: unknown) => error as Error,
    );
  };

  test('a server that is not there says where it was looked for', async () => {
    const port = await freePort();
    const error = await opening(`redis://user:secret@127.0.0.1:${port}/3`);
    expect(error.message).toBe(`redis 127.0.0.1:${port}: no connection: connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(faultOf(error)).toBe('transient');
  });

  test('a server that never answers ends in time', async () => {
    const mute = createServer().listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as AddressInfo;
    const error = await opening(`redis://127.0.0.1:${port}`);
    expect(error.message).toMatch(new RegExp(`^redis 127.0.0.1:${port}: no connection: Socket timeout`));
    mute.close();
  });

  test('a cluster over TLS calls its hosts by the names that their certificates have', async () => {
    const trusted = getCACertificates();
    setDefaultCACertificates([certificate]);
    const secure = createTlsServer({ cert: certificate, key: certificateKey }).listen(0, '127.0.0.1');
    const spoken = new Promise<boolean>((resolve) => {
      // It closes before it says anything when the name is another one.
      secure.on('secureConnection', (socket) => socket.once('data', () => resolve(true)).once('close', () => resolve(false)));
      secure.on('tlsClientError', () => resolve(false));
    });
    await once(secure, 'listening');
    await opening(`rediss-cluster://localhost:${(secure.address() as AddressInfo).port}`);
    expect(await spoken).toBe(true);
    secure.close();
    setDefaultCACertificates(trusted);
  });

  test('with the wrong password, with none, or without the permission, says so and shows no secret', async () => {
    const locked = await startRedis({
      settings: { user: 'reader on >secret ~* +@read +client +hello +ping', requirepass: 'secret' },
    });
    const at = `127.0.0.1:${locked.port}`;
    const wrong = await opening(`redis://reader:guess@${at}`);
    expect(wrong.message).toBe(
      `redis ${at}: expected the right user and password in its URL: WRONGPASS invalid username-password pair or user is disabled.`,
    );
    const none = await opening(`redis://${at}`);
    expect(none.message).toMatch(/expected the right user and password in its URL: NOAUTH/);
    const store = await redis(`redis://reader:secret@${at}`).open({ report: () => {} });
    const refused = await store.acquire({ pipeline: 'p', sink: 's' }, 'a').catch((error: unknown) => error as Error);
    expect((refused as Error).message).toMatch(/the user of its URL may not do what is needed: NOPERM/);
    await store.close();
    for (const error of [wrong, none, refused]) {
      expect(faultOf(error)).toBe('permanent');
      expect((error as Error).message).not.toMatch(/guess|secret/);
    }
    await locked.stop();
  });

  test.each([
    ['-zincrby', 'ZINCRBY likes'],
    ['-time', 'TIME'],
    ['-incrby', 'INCRBY seen'],
    ['-smismember', 'SMISMEMBER bought'],
    ['resetkeys ~millrace:* ~seen', 'ZINCRBY likes'],
  ])('a user who may not run what the pipeline asks (%s) ends the run before anything is changed', async (rights, missing) => {
    await server.client.call('ACL', 'SETUSER', 'few', 'on', '>pw', '~*', '+@all', ...rights.split(' '));
    const running = (): Promise<unknown> =>
      run(
        pipeline('p')
          .from(scripted({ a: [['1', '2', '3']] }))
          .to(
            apply(redis(`redis://few:pw@127.0.0.1:${server.port}`, { rememberScores: 1_000 }), () => [
              incrby('seen', 1),
              rank('likes', [['a', 1]], bounds),
              rank('likes', [['b', 1]], { ...bounds, without: 'bought' }),
              redisCommand('NOSUCH', 'seen'),
            ]),
          )
          .rejects(memorySink('rejects')),
      );
    try {
      const refused = await running().catch((error: unknown) => error as Error);
      expect((refused as Error).message).toContain(
        `the user of its URL may not do what is needed: NOPERM no right to run ${missing}`,
      );
      expect(await server.client.exists('seen', 'likes', 'millrace:rejects:p')).toBe(0);
      expect(await server.client.hget('millrace:positions:p:apply', 'a')).toMatch(/^1 (TRIM_HORIZON)?$/);
      await server.client.call('ACL', 'SETUSER', 'few', '~*', '+@all');
      // What no server knows is refused as before.
      expect(await running()).toMatchObject({ read: 3, rejected: 3 });
      expect(await server.client.mget('seen')).toEqual(['3']);
    } finally {
      await server.client.call('ACL', 'DELUSER', 'few');
    }
  });

  test('a database that the server lacks, or does not let the user change to, is no other one', async () => {
    const missing = await opening(`${server.url}/99`);
    expect(missing.message).toMatch(/^redis \S+: expected a database that it has in its URL: ERR DB index is out of range/);
    await server.client.call('ACL', 'SETUSER', 'one', 'on', '>pw', '~*', '+@all', '-select');
    const refused = await opening(`redis://one:pw@127.0.0.1:${server.port}/3`);
    await server.client.call('ACL', 'DELUSER', 'one');
    expect(refused.message).toMatch(/the user of its URL may not do what is needed: NOPERM .*select/);
    expect([missing, refused].map(faultOf)).toEqual(['permanent', 'permanent']);
  });

  test('a server that may evict positions is refused', async () => {
    const set = (setting: string, value: string): Promise<unknown> => server.client.call('CONFIG', 'SET', setting, value);
    await set('maxmemory-policy', 'allkeys-lru');
    await (await redis(server.url).open({ report: () => {} })).close();
    await set('maxmemory', '100mb');
    expect((await opening(server.url)).message).toMatch(
      /expected a maxmemory-policy .*, got allkeys-lru, which may evict positions/,
    );
    await set('maxmemory-policy', 'volatile-lru');
    const told: Diagnostic[] = [];
    const report = (diagnostic: Diagnostic): void => void told.push(diagnostic);
    await (await redis(server.url).open({ report })).close();
    expect(told).toEqual([]);
    const keeping = redis(server.url, { keepRejects: { days: 90 } });
    await (await keeping.open({ report })).close();
    expect(told).toEqual([{ type: 'may-evict-rejects', store: `redis 127.0.0.1:${server.port}`, policy: 'volatile-lru' }]);
    expect(await keeping.check!()).toMatch(/runs scripts; by its maxmemory-policy, volatile-lru, it may evict rejects/);
    await set('maxmemory', '0');
    expect(await keeping.check!()).toMatch(/runs scripts$/);
  });

  test('takes only URLs of Redis, and shows none', () => {
    for (const url of [
      'http://secret',
      'secret',
      'redis://',
      'redis:secret',
      'redis-cluster://a:1,,b:2',
      'redis-cluster://a:1/3',
    ])
      expect(() => redis(url)).toThrow(
        new TypeError(
          'redis: expected a URL like redis://user:password@host:6379/0 or redis-cluster://host:6379,host:6379, ' +
            'in the password %2F for /, %3F for ?, %23 for # and %25 for %',
        ),
      );
    expect(redis('rediss://user:secret@cache:6380/2').describe).toBe('rediss://cache:6380/2');
    expect(redis('redis-cluster://user:secret@a:1,b:2').describe).toBe('redis-cluster://a:1,b:2');
  });
});
