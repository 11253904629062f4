import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WentBackError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { type CommandsOf, apply } from '../../src/sinks/apply.ts';
import type { OpenSink, Refusal } from '../../src/sinks/sink.ts';
import {
  type Command,
  hset,
  incrby,
  rank,
  recent,
  redisCommand,
  rpush,
  sadd,
  script,
  set,
  zincrby,
} from '../../src/stores/commands.ts';
import { type RedisOptions, redis } from '../../src/stores/redis.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { sinkConformance } from './conformance.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.client.flushall();
});

const text = (data: Uint8Array): string => Buffer.from(data).toString();

sinkConformance('apply', async () => {
  await server.client.flushall();
  await server.client.set('text', 'not a number');
  return {
    declare: (name) =>
      apply<Uint8Array>(
        redis(server.url),
        (data) => [text(data).startsWith('refused') ? incrby('text', 1) : rpush('stored', text(data))],
        { ...(name && { name }), maxEvents: 2 },
      ),
    items: (events) => events,
    stored: () => server.client.lrange('stored', 0, -1),
    refuses: ['refused at once', 'refused again'],
    close: async () => {},
  };
});

const bounds = { keep: 3, expire: { days: 1 } };
const at = (sequence: number) => ({ shard: 'shard-1', sequence: String(sequence), subSequence: 0 });

async function opened(commands: CommandsOf<Uint8Array>, options: RedisOptions = {}): Promise<OpenSink<Event<Uint8Array>>> {
  const sink = await apply(redis(server.url, options), commands).open({ pipeline: 'p', report: () => {} });
  await sink.acquire('shard-1');
  return sink;
}

/** Applies the commands that each event is given by its number. */
async function applied(...commands: (readonly Command[] | (() => Iterable<Command>))[]): Promise<Refusal[]> {
  const sink = await opened((_, { position }) => {
    const its = commands[Number(position.sequence) - 1]!;
    return typeof its === 'function' ? its() : its;
  });
  const refused: Refusal[] = [];
  await sink.commit({ items: eventsOf(commands.length), positions: new Map([['shard-1', at(commands.length)]]) }, refused);
  await sink.close();
  return refused;
}

function eventsOf(count: number, ledger = new Ledger()): Event<Uint8Array>[] {
  return deliver(
    Array.from({ length: count }, (_, i) => `event ${i + 1}`),
    ledger,
  ).events;
}

describe('apply', () => {
  it('runs the commands of its events in order, with their position', async () => {
    await applied(
      [set('a', 1), incrby('n', 2)],
      [set('a', 2), incrby('n', 3), hset('h', 'f', 'x')],
      [zincrby('z', 1.5, 'm'), zincrby('z', 2, 'm')],
    );
    const { client } = server;
    expect(await client.get('a')).toBe('2');
    expect(await client.get('n')).toBe('5');
    expect(await client.hgetall('h')).toEqual({ f: 'x' });
    expect(await client.zscore('z', 'm')).toBe('3.5');
    expect(await client.hgetall('millrace:positions:p:apply')).toEqual({ 'shard-1': '1 3:0' });
  });

  it('keeps lists and ranks within their bounds', async () => {
    const scores = Object.entries({ a: 1, b: 2, c: 3, d: 4 });
    await applied(
      ...['a', 'b', 'c', 'b', 'd'].map((member) => [recent('viewed', member, bounds)]),
      [rank('interest', scores, bounds)],
      [rank('interest', [['a', 5]], bounds)],
    );
    const { client } = server;
    expect(await client.lrange('viewed', 0, -1)).toEqual(['d', 'b', 'c']);
    expect(await client.zrange('interest', '0', '-1', 'WITHSCORES')).toEqual(['c', '3', 'd', '4', 'a', '5']);
    expect(await client.pttl('viewed')).toBeGreaterThan(86_000_000);
    expect(await client.pttl('interest')).toBeGreaterThan(86_000_000);
  });

  it('keeps each member once in a list that was there, and no more of them than it may', async () => {
    const parted = (key: string, members: string): Command[][] =>
      members.split('').map((member) => [recent(key, member, bounds), redisCommand('touch', key)]);
    await applied(...parted('short', 'aba'), ...parted('full', 'abcd'));
    const { client } = server;
    expect([await client.lrange('short', 0, -1), await client.lrange('full', 0, -1)]).toEqual([
      ['a', 'b'],
      ['d', 'c', 'b'],
    ]);
  });

  it('gives no member a score where there is none to give, though some are left out', async () => {
    const refused = await applied([sadd('bought', 'a')], [rank('recommended', [], { ...bounds, without: 'bought' })]);
    expect(refused).toEqual([]);
  });

  it('runs a script of the pipeline with its keys and arguments', async () => {
    const copy = { name: "copy'\\\n", lua: `redis.call('SET', KEYS[2], redis.call('GET', KEYS[1]) .. ARGV[1])` };
    await applied([set('from', 'x')], [script(copy, ['from', 'to'], ['!'])]);
    expect(await server.client.get('to')).toBe('x!');
  });

  it('takes keys and members of any text', async () => {
    const odd = ['', ' ', '\n', '\r\n', '\0', 'ünïcödé 🛒', '%s', "'", '1', '-0', 'nil'];
    await applied(odd.map((member) => zincrby(`z${member}`, 1, member)));
    for (const member of odd) expect(await server.client.zscore(`z${member}`, member)).toBe('1');
  });

  it('moves the position of a batch without commands', async () => {
    await applied([], []);
    expect(await server.client.hgetall('millrace:positions:p:apply')).toEqual({ 'shard-1': '1 2:0' });
  });

  it('refuses a maxEvents that is no whole number above zero', () => {
    for (const maxEvents of [0, 1.5, Number.NaN])
      expect(() => apply(redis(server.url), () => [], { maxEvents })).toThrow(RangeError);
  });
});

describe('an event that apply rejects', () => {
  const kept = async (): Promise<Record<string, string>[]> => {
    const keys = await server.client.zrange('millrace:rejects:p', '0', '-1');
    return Promise.all(keys.map((key) => server.client.hgetall(key)));
  };

  it('has a command that the store refuses; all other commands stand', async () => {
    const refused = await applied([set('text', 'x')], [incrby('n', 1), zincrby('text', 1, 'm')], [incrby('n', 1)]);
    const reason = expect.stringMatching(/^WRONGTYPE Operation against a key holding the wrong kind of value$/);
    expect(refused.map(({ event, why }) => [event.position, why])).toEqual([
      [at(2), { step: 'apply', code: 'WRONGTYPE', reason, path: 'text' }],
    ]);
    expect(await server.client.get('n')).toBe('2');
    expect(await server.client.zrange('millrace:rejects:p', '0', '-1')).toEqual(['millrace:reject:p:apply:shard-1:2:0:apply']);
    expect(await kept()).toEqual([
      {
        step: 'apply',
        code: 'WRONGTYPE',
        reason,
        path: 'text',
        raw: 'event 2',
        arrived_at: '1970-01-01T00:00:00.000Z',
        command: '["ZINCRBY","text","1","m"]',
      },
    ]);
  });

  it.each([{}, { rememberScores: 1_000 }])(
    'tells of a command that is several of the server, as it was given, why that was refused: %j',
    async (options) => {
      await server.client.set('text', 'x');
      const sink = await opened(() => [rank('text', [['a', 1]], bounds)], options);
      const refused: Refusal[] = [];
      await sink.commit({ items: eventsOf(1), positions: new Map([['shard-1', at(1)]]) }, refused);
      await sink.close();
      const reason = 'WRONGTYPE Operation against a key holding the wrong kind of value';
      expect(refused.map(({ why }) => why)).toEqual([{ step: 'apply', code: 'WRONGTYPE', reason, path: 'text' }]);
      expect(await kept()).toMatchObject([{ code: 'WRONGTYPE', reason, command: expect.stringMatching(/^\["rank","text",/) }]);
    },
  );

  it('is one by the very call that had its command refused, before its bytes are kept', async () => {
    const owner = { pipeline: 'p', sink: 'apply' };
    const store = await redis(server.url, { keepRejects: { days: 30 } }).open({ report: () => {} });
    const places = [7, 8].map((sequence) => ({ position: { ...at(sequence), shard: 'a b' }, arrivedAtMs: 1000 + sequence }));
    await store.acquire(owner, 'a b');
    await server.client.set('text', 'x');
    const commands = [
      { command: zincrby('text', 1, 'm'), events: [0] },
      { command: script({ name: 'bad', lua: 'return nothing.at.all' }, ['k']), events: [1] },
    ];
    await store.execute(owner, { events: places, commands, positions: new Map([['a b', places[1]!.position]]) });
    const keys = [7, 8].map((sequence) => `millrace:reject:p:apply:a b:${sequence}:0:apply`);
    expect(await kept()).toMatchObject([
      { step: 'apply', code: 'WRONGTYPE', path: 'text', command: '["ZINCRBY","text","1","m"]' },
      { step: 'apply', code: 'ERR', reason: expect.stringContaining("'nothing'"), path: 'k' },
    ]);
    const listed = await server.client.zrange('millrace:rejects:p', '0', '-1', 'WITHSCORES');
    expect(listed).toEqual([keys[0], '1007', keys[1], '1008']);
    for (const key of keys) expect(await server.client.pttl(key)).toBeGreaterThan(30 * 86_400_000 - 60_000);
    expect(await store.rejected(owner, places)).toMatchObject([{ code: 'WRONGTYPE' }, { code: 'ERR' }]);
    await store.close();
  });

  it('vanishes after the time for which it is kept, and leaves the list as others come', async () => {
    await server.client.set('text', 'x');
    const sink = await opened(() => [incrby('text', 1)], { keepRejects: { days: 30 } });
    const keyOf = (sequence: number): string => `millrace:reject:p:apply:shard-1:${sequence}:0:apply`;
    for (const sequence of [1, 2, 3]) {
      const { events } = deliver([{ shard: 'shard-1', sequence, raw: 'x' }]);
      await sink.commit({ items: events, positions: new Map([['shard-1', at(sequence)]]) }, []);
      expect(await server.client.pttl(keyOf(sequence))).toBeGreaterThan(30 * 86_400_000 - 60_000);
      if (sequence === 1) await server.client.del(keyOf(1));
    }
    await sink.close();
    expect(await server.client.zrange('millrace:rejects:p', '0', '-1')).toEqual([2, 3].map(keyOf));
  });

  it('shares a refused command with all events for which that stood', async () => {
    const refused = await applied([set('text', 'x')], [incrby('text', 1)], [incrby('text', 2)], [incrby('n', 1)]);
    expect(refused.map(({ event }) => event.position.sequence)).toEqual(['2', '3']);
    expect((await kept()).map(({ raw }) => raw)).toEqual(['event 2', 'event 3']);
  });

  it.each<[string, () => Iterable<Command>, object]>([
    [
      'is one for which `commands` throws',
      () => {
        throw Object.assign(new Error('no sku'), { code: 'sku', path: 'se_label.sku' });
      },
      { code: 'sku', reason: 'no sku', path: 'se_label.sku' },
    ],
    [
      'has no command at all when one of them throws',
      function* () {
        yield incrby('n', 100);
        throw new TypeError('half way');
      },
      { code: 'TypeError', reason: 'half way' },
    ],
    ['has a sum that is no number', () => [incrby('n', 100), zincrby('z', Number.NaN, 'm')], { code: 'TypeError' }],
    ['has an endless sum', () => [zincrby('z', Number.POSITIVE_INFINITY, 'm')], { code: 'TypeError' }],
    ['has a member that is missing', () => [zincrby('z', 1, undefined as never)], { code: 'TypeError' }],
    [
      'has more arguments than a script can hand on',
      () => [redisCommand('SADD', 's', ...Array.from({ length: 9_000 }, String))],
      { code: 'RangeError' },
    ],
    ['has a command that the store does not know', () => [redisCommand('nonsense', 'k')], { code: 'ERR' }],
    ['has a script that fails', () => [script({ name: 'bad', lua: 'return nothing.at.all' }, ['k'])], { code: 'ERR' }],
  ])('%s', async (_, commands, why) => {
    const refused = await applied([incrby('n', 1)], commands, [incrby('n', 1)]);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ event: { position: at(2) }, why: { step: 'apply', ...why } });
    expect(await kept()).toMatchObject([{ step: 'apply', raw: 'event 2', ...why }]);
    expect(await server.client.get('n')).toBe('2');
    expect(await server.client.hgetall('millrace:positions:p:apply')).toEqual({ 'shard-1': '1 3:0' });
  });
});

it('apply says which of the shards of a call a newer run has taken over', async () => {
  const older = await opened(() => [incrby('n', 1)]);
  await older.acquire('shard-2');
  const newer = await opened(() => []);
  await newer.acquire('shard-2');
  const { events } = deliver([{ shard: 'shard-3', raw: 'x' }]);
  await older.acquire('shard-3');
  const positions = new Map(['shard-3', 'shard-2'].map((shard) => [shard, { ...at(1), shard }]));
  await expect(older.commit({ items: events, positions }, [])).rejects.toMatchObject({ name: 'FencedError', shard: 'shard-2' });
  // It goes on with those that are its own, as long as the store has what it knows of them.
  expect(await older.positions(['shard-3'])).toEqual(new Map());
  await server.client.hdel('millrace:positions:p:apply', 'shard-3');
  await expect(older.positions(['shard-3'])).rejects.toThrow(WentBackError);
  for (const sink of [older, newer]) await sink.close();
});

describe('a batch that is cut into calls', () => {
  it('counts the bytes of an event of which no command could be made', async () => {
    const { events } = deliver(Array.from({ length: 10 }, () => 'x'.repeat(200_000)));
    const sink = await opened(() => {
      throw new Error('no');
    });
    await server.client.config('RESETSTAT');
    const refused: Refusal[] = [];
    await sink.commit({ items: events, positions: new Map([['shard-1', at(10)]]) }, refused);
    await sink.close();
    expect(refused).toHaveLength(10);
    expect(await server.client.info('commandstats')).toMatch(/^cmdstat_evalsha:calls=4,/m);
  });

  it('is never cut between events of one record', async () => {
    const sink = await apply(redis(server.url), () => [incrby('n', 1)], { maxEvents: 2 }).open({
      pipeline: 'p',
      report: () => {},
    });
    await sink.acquire('shard-1');
    await server.client.config('RESETSTAT');
    const [first, second, third, fourth] = eventsOf(4);
    const items = [first!, second!, second!.with(Buffer.from('more of it')), third!, fourth!];
    await sink.commit({ items, positions: new Map([['shard-1', at(4)]]) }, []);
    await sink.close();
    expect(await server.client.get('n')).toBe('5');
    expect(await server.client.info('commandstats')).toMatch(/^cmdstat_evalsha:calls=2,/m);
  });

  it('goes on where it failed, and forgets no reject', async () => {
    const proxy = await startFaultProxy({ target: server.url, faults: [{ kind: 'reset-request', on: 'EVALSHA', at: 1 }] });
    const commands: CommandsOf<Uint8Array> = (data, { position: { sequence } }) =>
      sequence === '2' ? [incrby('text', 1)] : [rpush('stored', text(data))];
    const sink = await apply(redis(proxy.url), commands, { maxEvents: 2 }).open({ pipeline: 'p', report: () => {} });
    await sink.acquire('shard-1');
    await server.client.set('text', 'x');
    const batch = { items: eventsOf(5), positions: new Map([['shard-1', at(5)]]) };
    const refused: Refusal[] = [];
    await expect(sink.commit(batch, refused)).rejects.toThrow(/no connection/);
    expect(await sink.positions(['shard-1'])).toEqual(new Map([['shard-1', at(2)]]));
    await sink.commit({ ...batch, items: batch.items.flatMap((event) => event.after(at(2)) ?? []) }, refused);
    await sink.close();
    await proxy.close();
    expect(refused.map(({ event }) => event.position.sequence)).toEqual(['2']);
    expect(await server.client.lrange('stored', 0, -1)).toEqual([1, 3, 4, 5].map((i) => `event ${i}`));
  });
});
