import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import { Event, Origin, Reject, lastByShard } from '../../../src/event.ts';
import { pipeline } from '../../../src/pipeline.ts';
import { type Position, parseResume } from '../../../src/position.ts';
import { run } from '../../../src/run/run.ts';
import { apply } from '../../../src/sinks/apply.ts';
import { rejectsIntoRedis } from '../../../src/sinks/rejects-into-redis.ts';
import type { OpenSink, Refusal } from '../../../src/sinks/sink.ts';
import { scripted } from '../../../src/sources/scripted.ts';
import { type Command, incrby, redisCommand, rpush, script, set } from '../../../src/stores/commands.ts';
import { slotOf, slotTags } from '../../../src/stores/redis/hash-slot.ts';
import { get } from '../../../src/stores/reads.ts';
import { redis } from '../../../src/stores/redis.ts';
import { deliver } from '../../../src/testing/deliver.ts';
import { sinkConformance } from '../../sinks/conformance.ts';
import { type RedisCluster, startRedisCluster } from '../../support/redis-cluster.ts';

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
});
afterAll(() => cluster.stop());
beforeEach(() => cluster.flush());

const text = (data: Uint8Array): string => Buffer.from(data).toString();
/** Keys of several slots on each node. */
const buckets = Array.from({ length: 8 }, (_, i) => `stored:{${i}}`);
const bucketOf = (data: Uint8Array): string => buckets[data.reduce((sum, byte) => sum + byte, 0) % buckets.length]!;

sinkConformance('apply on a cluster', async () => {
  await cluster.flush();
  for (const { client } of cluster.nodes) await client.set('text', 'x').catch(() => {});
  return {
    declare: (name) =>
      apply<Uint8Array>(
        redis(cluster.url),
        (data) => (text(data).startsWith('refused') ? [incrby('text', 1)] : [rpush(bucketOf(data), text(data))]),
        { ...(name && { name }), maxEvents: 3 },
      ),
    items: (events) => events,
    stored: async () =>
      (await Promise.all(buckets.map((key) => cluster.read('LRANGE', key, '0', '-1') as Promise<string[]>))).flat(),
    refuses: ['refused at once', 'refused again'],
    close: async () => {},
  };
});

const at = (sequence: number) => ({ shard: 'shard-1', sequence: String(sequence), subSequence: 0 });
type Text = Event<Uint8Array>;

async function opened(commands: (n: number) => Iterable<Command>, maxEvents = 500): Promise<OpenSink<Text>> {
  const sink = await apply<Uint8Array>(
    redis(cluster.url, { timeoutMs: 1000 }),
    (_, { position }) => commands(Number(position.sequence)),
    {
      maxEvents,
    },
  ).open({ pipeline: 'p', report: () => {} });
  await sink.acquire('shard-1');
  return sink;
}

function batchOf(count: number, from = 1): { items: Text[]; positions: Map<string, ReturnType<typeof at>> } {
  const { events } = deliver(Array.from({ length: count }, (_, i) => ({ sequence: from + i, raw: `event ${from + i}` })));
  return { items: events, positions: new Map([['shard-1', at(from + count - 1)]]) };
}

/** The sum of a key over all slots of `n:{0}` to `n:{39}`. */
const users = Array.from({ length: 40 }, (_, i) => `n:{${i}}`);
const counted = (): Promise<unknown[]> => Promise.all(users.map((key) => cluster.read('GET', key)));

describe('on a cluster', () => {
  it('what some slots have of a batch that failed, the next run does not bring again, however it cuts it', async () => {
    // Each event counts in four slots; those of the stopped node lack it.
    const commands = (n: number): Command[] => [0, 1, 2, 3].map((i) => incrby(users[(n + i * 10) % 40]!, 1));
    const first = await opened(commands);
    // Any but the one that has the positions.
    const home = await cluster.nodeOf(slotOf('{p}'));
    const victim = cluster.nodes.find((node) => node !== home)!;
    process.kill(victim.pid, 'SIGSTOP');
    await expect(first.commit(batchOf(40), [])).rejects.toThrow(`: no connection: 127.0.0.1:${victim.port}: Socket timeout`);
    process.kill(victim.pid, 'SIGCONT');
    await first.close();
    const some = (await counted()).filter((n) => n !== null).length;
    expect(some).toBeGreaterThan(0);

    const second = await opened(commands, 7);
    expect((await second.positions(['shard-1'])).size).toBe(0);
    await second.commit(batchOf(60), []);
    await second.close();
    // Sixty events, four sums each, over forty users.
    expect(new Set(await counted())).toEqual(new Set(['6']));
  });

  it('a slot stands at the last event it has, in whatever order merged commands stand for them', async () => {
    const sink = await opened((n) => [incrby(n === 2 ? '{0}b' : '{0}a', 1)]);
    await sink.commit(batchOf(3), []);
    await sink.close();
    expect(await cluster.read('HGET', `millrace:slot:{${slotTags()[slotOf('{0}')]!}}:p:apply`, 'shard-1')).toBe('3:0');
  });

  it('a command that a slot had refused is a reject in the next run too', async () => {
    const commands = (n: number): Command[] => [incrby(n === 2 ? 'text' : users[n]!, 1), incrby(users[(n + 20) % 40]!, 1)];
    await (await cluster.nodeOf(slotOf('text'))).client.set('text', 'x');
    const first = await opened(commands);
    const home = await cluster.nodeOf(slotOf('{p}'));
    // As if the run had been killed before it kept the reject and moved its positions.
    await home.client.set('millrace:rejects:{p}', 'taken');
    await expect(first.commit(batchOf(5), [])).rejects.toThrow(/WRONGTYPE/);
    await first.close();
    await home.client.del('millrace:rejects:{p}');
    const slotKey = `millrace:slot:{${slotTags()[slotOf('text')]!}}:p:apply`;
    expect(new Set((await cluster.read('HKEYS', slotKey)) as string[])).toEqual(new Set(['shard-1', 'refused:shard-1:2:0']));

    const again: Refusal[] = [];
    const second = await opened(commands);
    await second.commit(batchOf(5), again);
    await second.close();
    expect(again.map(({ event, why }) => [event.position.sequence, why.code, why.path])).toEqual([['2', 'ERR', 'text']]);
    expect(await home.client.hget('millrace:reject:{p}:apply:shard-1:2:0:apply', 'raw')).toBe('event 2');
    expect(await cluster.read('HKEYS', slotKey)).toEqual(['shard-1']);
    expect((await counted()).map(Number).reduce((sum, n) => sum + n, 0)).toBe(9);
  });

  it.each([
    ['5:9', '5:10', '5:11'],
    ['9:0', '10:0', '11:0'],
    ['11:0', '12:0', '13:0'],
  ])(
    'what a slot has of a shard beyond where the run stands (%s, %s) is not brought again, beside what it lacks of another',
    async (stands, has, next) => {
      const placed = (shard: string, place: string): Text => {
        const [{ data, delivery }] = deliver([{ shard, raw: 'x' }]).events as [Text];
        const position = parseResume(shard, place) as Position;
        return new Event(data, new Origin(delivery, 0, { position, arrivedAtMs: 0, data }));
      };
      const [home, node] = [await cluster.nodeOf(slotOf('{p}')), await cluster.nodeOf(slotOf('{0}'))];
      const slotKey = `millrace:slot:{${slotTags()[slotOf('{0}')]!}}:p:apply`;
      await home.client.hset('millrace:positions:{p}:apply', 'shard 1', `1 ${stands}`, 'shard 2', '1 7:0');
      await node.client.hset(slotKey, 'shard 1', has, 'shard 2', '7:0');
      await node.client.set('{0}text', 'x');
      const sink = await apply<Uint8Array>(redis(cluster.url), (_, { shard }) => [
        incrby(`{0}${shard}`, 1),
        incrby(`{1}${shard}`, 1),
        ...(shard === 'shard 2' ? [incrby('{0}text', 1)] : []),
      ]).open({ pipeline: 'p', report: () => {} });
      for (const shard of ['shard 1', 'shard 2']) await sink.acquire(shard);
      const items = [placed('shard 1', has), placed('shard 1', next), placed('shard 2', '8:0'), placed('shard 2', '9:0')];
      const refused: Refusal[] = [];
      await sink.commit({ items, positions: lastByShard(items) }, refused);
      await sink.close();
      expect([await cluster.read('GET', '{0}shard 1'), await cluster.read('GET', '{0}shard 2')]).toEqual(['1', '2']);
      expect([await cluster.read('GET', '{1}shard 1'), await cluster.read('GET', '{1}shard 2')]).toEqual(['2', '2']);
      expect(refused.map(({ event }) => `${event.shard} ${event.position.sequence}`)).toEqual(['shard 2 8', 'shard 2 9']);
      expect(new Set((await cluster.read('HKEYS', slotKey)) as string[])).toEqual(new Set(['shard 1', 'shard 2']));
    },
  );

  it('rejects are kept for a time where they are to be, and leave the list as others come', async () => {
    const sink = await rejectsIntoRedis(redis(cluster.url, { keepRejects: { hours: 2 } })).open({
      pipeline: 'kept',
      report: () => {},
    });
    await sink.acquire('shard-1');
    const home = await cluster.nodeOf(slotOf('{kept}'));
    const keyOf = (sequence: number): string => `millrace:reject:{kept}:rejects:shard-1:${sequence}:0:decode`;
    for (const sequence of [1, 2]) {
      const items = deliver([{ shard: 'shard-1', sequence, raw: 'x' }]).events.map(
        (event) => new Reject(event, { step: 'decode', code: 'c', reason: 'r' }),
      );
      await sink.commit({ items, positions: lastByShard(items) }, []);
      expect(await home.client.pttl(keyOf(sequence))).toBeGreaterThan(7_000_000);
      if (sequence === 1) await home.client.del(keyOf(1));
    }
    await sink.close();
    expect(await home.client.zrange('millrace:rejects:{kept}', '0', '-1')).toEqual([keyOf(2)]);
  });

  it('a slot may move to another node while events come', async () => {
    const slot = slotOf('{0}');
    const told: Diagnostic[] = [];
    let moving: Promise<void> | undefined;
    const move = async (): Promise<void> => {
      const finish = await cluster.migrate(slot);
      await new Promise((resolve) => setTimeout(resolve, 60));
      await finish();
    };
    const deliveries = Array.from({ length: 20 }, () => [
      Array.from({ length: 10 }, (_, j) => String(j)),
      { pauseMs: 10 },
    ]).flat();
    const counts = await run(
      pipeline('p')
        .from(scripted({ 'shard-1': deliveries }))
        .to(
          apply(redis(cluster.url), (data, { position }) => [
            incrby(users[Number(text(data))]!, 1),
            incrby('all:{0}', 1),
            // Keys that are new while the slot is on its way.
            set(`new:{0}:${position.sequence}`, 1),
          ]),
        )
        .rejects(rejectsIntoRedis(redis(cluster.url))),
      {
        retry: { firstDelayMs: 5, maxDelayMs: 50 },
        report(diagnostic) {
          told.push(diagnostic);
          if (diagnostic.type === 'committed') moving ??= move();
        },
      },
    );
    await moving;
    expect(counts).toMatchObject({ read: 200, stored: 200, rejected: 0 });
    expect((await counted()).slice(0, 10)).toEqual(Array.from({ length: 10 }, () => '20'));
    expect(await cluster.read('GET', 'all:{0}')).toBe('200');
  });

  it('a command whose keys lie in several slots is a reject that says what to do, and the others stand', async () => {
    const copy = { name: 'copy', lua: `redis.call('SET', KEYS[2], redis.call('GET', KEYS[1]))` };
    const commands = (n: number): Command[] => [incrby('{u}n', 1), ...(n === 2 ? [script(copy, ['a', 'b'])] : [])];
    const sink = await opened(commands);
    const refused: Refusal[] = [];
    await sink.commit(batchOf(3), refused);
    await sink.close();
    const reason = 'CROSSSLOT expected all keys of one command in one slot, got a, b; give them one tag in braces';
    expect(refused.map(({ event, why }) => [event.position.sequence, why])).toEqual([
      ['2', { step: 'apply', code: 'CROSSSLOT', reason, path: 'a' }],
    ]);
    expect(await cluster.read('GET', '{u}n')).toBe('3');
    expect(await cluster.read('HGET', 'millrace:reject:{p}:apply:shard-1:2:0:apply', 'raw')).toBe('event 2');
    const other = await opened((n) => [set('{u}a', n), script(copy, ['{u}a', '{u}b']), redisCommand('expire', '{u}b', 100)]);
    await other.commit(batchOf(1, 4), []);
    await other.close();
    expect(await cluster.read('GET', '{u}b')).toBe('4');
  });

  it('a key may have line breaks, also one that is refused, and so may the reason', async () => {
    const key = 'two\nlines';
    const fails = { name: 'fails', lua: `error('one\\ntwo')` };
    const commands = (n: number): Command[] => [n === 2 ? script(fails, [key]) : set(`{${n}}`, n)];
    const [home, slotKey] = [await cluster.nodeOf(slotOf('{p}')), `millrace:slot:{${slotTags()[slotOf(key)]!}}:p:apply`];
    // As if the run had been killed before it kept the reject and moved its positions.
    await home.client.set('millrace:rejects:{p}', 'taken');
    const first = await opened(commands);
    await expect(first.commit(batchOf(3), [])).rejects.toThrow(/WRONGTYPE/);
    await first.close();
    await home.client.del('millrace:rejects:{p}');
    const again: Refusal[] = [];
    const second = await opened(commands);
    await second.commit(batchOf(3), again);
    await second.close();
    expect(again.map(({ why }) => why)).toEqual([
      { step: 'apply', code: 'ERR', reason: expect.stringMatching(/one two$/), path: key },
    ]);
    expect(await cluster.read('HKEYS', slotKey)).toEqual(['shard-1']);
  });

  it('a node that may evict positions is found, whichever it is', async () => {
    for (const { client } of cluster.nodes) {
      await client.config('SET', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru');
      await expect(redis(cluster.url).open({ report: () => {} })).rejects.toThrow(/got allkeys-lru, which may evict positions/);
      await client.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
    }
  });

  it('a URL of one server is told to be one of a cluster', async () => {
    const store = redis(`redis://127.0.0.1:${cluster.nodes[0]!.port}`);
    await expect(store.open({ report: () => {} })).rejects.toThrow(
      /is a node of a cluster; expected its URL to begin with redis-cluster:/,
    );
  });
});

describe('looking up on a cluster', () => {
  it('finds each key on its node', async () => {
    const sink = await opened((n) => [set(users[n]!, n)]);
    await sink.commit(batchOf(20), []);
    await sink.close();
    const source = redis(cluster.url).openReads();
    const answers = await new Promise<readonly unknown[]>((resolve, reject) =>
      source.read(
        users.slice(0, 22).map((key) => get(key)),
        (found, failure) => (failure ? reject(failure as Error) : resolve(found)),
      ),
    );
    source.close();
    expect(answers).toEqual([null, ...Array.from({ length: 20 }, (_, i) => String(i + 1)), null]);
  });
});

describe('the slot of a key', () => {
  it('is the one that the server has for it', async () => {
    for (const key of ['', 'a', '{user}', 'viewed:{ü}', '{}a', 'a{b}{c}', '{a', 'a}b{c}', '123456789'])
      expect(slotOf(key)).toBe(Number(await cluster.nodes[0]!.client.call('CLUSTER', 'KEYSLOT', key)));
    expect(slotTags().map((tag) => slotOf(`x{${tag}}`))).toEqual(Array.from({ length: 16_384 }, (_, slot) => slot));
  });
});
