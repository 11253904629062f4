import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { faultOf } from '../../../src/fault.ts';
import { pipeline } from '../../../src/pipeline.ts';
import { run } from '../../../src/run/run.ts';
import { apply } from '../../../src/sinks/apply.ts';
import { scripted } from '../../../src/sources/scripted.ts';
import { incrby, rank, recent, zrem } from '../../../src/stores/commands.ts';
import { get } from '../../../src/stores/reads.ts';
import { RedisClient } from '../../../src/stores/redis/client.ts';
import { slotOf } from '../../../src/stores/redis/hash-slot.ts';
import { redis } from '../../../src/stores/redis.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { certificate, certificateKey } from '../../support/certificate.ts';
import { freePort } from '../../support/free-port.ts';
import { type RedisCluster, startRedisCluster } from '../../support/redis-cluster.ts';

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
});
afterAll(() => cluster.stop());
beforeEach(() => cluster.flush());

const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => cluster.nodes.forEach(({ pid }) => process.kill(pid, name));

describe('a cluster all of whose nodes are away', () => {
  it('is told of with each node, and waited for', async () => {
    const errors: string[] = [];
    let isStopped = false;
    const counts = await run(
      pipeline('p')
        .from(scripted({ a: Array.from({ length: 6 }, () => [['x', 'x'], { pauseMs: 20 }]).flat() }))
        .to(apply(redis(cluster.url, { timeoutMs: 200 }), () => [incrby('n', 1)])),
      {
        retry: { firstDelayMs: 1, maxDelayMs: 20 },
        report(diagnostic) {
          if (diagnostic.type === 'committed' && !isStopped) {
            isStopped = true;
            signal('SIGSTOP');
          }
          if (diagnostic.type === 'sink-retry' && errors.push((diagnostic.error as Error).message) === 4) signal('SIGCONT');
        },
      },
    );
    expect(counts).toMatchObject({ read: 12, stored: 12 });
    expect(await cluster.read('GET', 'n')).toBe('12');
    const ports = cluster.nodes.slice(0, 2).map(({ port }) => port);
    expect(errors[3]).toMatch(
      new RegExp(`: no connection: 127.0.0.1:${ports[0]}: Socket timeout.*; 127.0.0.1:${ports[1]}: Socket timeout`),
    );
  });

  it('does not keep who looks something up waiting in silence', async () => {
    const reads = redis(`redis-cluster://127.0.0.1:${await freePort()}`, { timeoutMs: 200 }).openReads();
    const failure = await new Promise((resolve) => reads.read([get('a')], (_, why) => resolve(why)));
    reads.close();
    expect(faultOf(failure)).toBe('transient');
  });
});

describe('opening a cluster', () => {
  it('says of each node that was tried why it could not be talked to', async () => {
    const port = await freePort();
    const url = `redis-cluster://user:secret@no-such-name.invalid:7000,127.0.0.1:${port}`;
    const client = new RedisClient(url, { timeoutMs: 500 });
    await expect(client.open()).rejects.toThrow(
      `redis-cluster no-such-name.invalid:7000,127.0.0.1:${port}: no connection: no-such-name.invalid:7000: getaddrinfo ENOTFOUND no-such-name.invalid; 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
  });

  it('says what may be wrong with the URL where nodes close what does not speak TLS', async () => {
    const secure = createTlsServer({ cert: certificate, key: certificateKey }).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const client = new RedisClient(`redis-cluster://127.0.0.1:${(secure.address() as AddressInfo).port}`, { timeoutMs: 500 });
    await expect(client.open()).rejects.toThrow(/Where the server speaks TLS, expected rediss-cluster:/);
    secure.close();
  });

  it('needs one of its nodes, whatever became of the names of others', async () => {
    const client = new RedisClient(`redis-cluster://no-such-name.invalid:7000,127.0.0.1:${cluster.nodes[1]!.port}`, {
      timeoutMs: 500,
    });
    await client.open();
    expect(await client.call('GET', ['a'])).toBeNull();
    client.close();
  });
});

describe('a slot that is on its way to another node', () => {
  it.each([
    ['with the rights that docs/deployment.md names', '+asking', 'OK'],
    ['without the right to ask there', '-asking', /Too many Cluster redirections. Last error: .*(ASK|MOVED) \d+/],
  ])('is written to by a user %s', async (_, right, outcome) => {
    const rights = `reset on >pw ~* +@read +@write +ping +info +time +eval +evalsha +cluster|slots ${right}`;
    for (const { client } of cluster.nodes) await client.call('ACL', 'SETUSER', 'few', ...rights.split(' '));
    const client = new RedisClient(cluster.url.replace('://', '://few:pw@'), { timeoutMs: 1000 });
    await client.open();
    const finish = await cluster.migrate(slotOf('a'));
    const answer = await client.call('SET', ['a', '1']).catch((error: unknown) => error as Error);
    await finish();
    expect(answer instanceof Error ? answer.message : answer).toEqual(
      typeof outcome === 'string' ? outcome : expect.stringMatching(outcome),
    );
    if (answer instanceof Error) expect(faultOf(answer)).toBe('transient');
    expect(await client.call('SET', ['a', '2'])).toBe('OK');
    client.close();
  });

  it('is waited for, as a key that a command removes could not be made again there', async () => {
    const bounds = { keep: 20, expire: { days: 1 } };
    let moving: Promise<void> | undefined;
    const move = async (): Promise<void> => {
      const finish = await cluster.migrate(slotOf('{u}'));
      await new Promise((resolve) => setTimeout(resolve, 100));
      await finish();
    };
    const counts = await run(
      pipeline('p')
        .from(scripted({ a: Array.from({ length: 10 }, (_, i) => [[`${i}`], { pauseMs: 10 }]).flat() }))
        .to(
          apply<Uint8Array>(redis(cluster.url), (data) => [
            recent('viewed:{u}', 'the only one', bounds),
            zrem('liked:{u}', `${Number(Buffer.from(data)) - 1}`),
            rank('liked:{u}', [[Buffer.from(data).toString(), 1]], bounds),
          ]),
        )
        .rejects(memorySink('rejects')),
      {
        retry: { firstDelayMs: 5, maxDelayMs: 50 },
        report: ({ type }) => void (type === 'committed' && (moving ??= move())),
      },
    );
    await moving;
    expect(counts).toMatchObject({ stored: 10, rejected: 0 });
    expect(await cluster.read('LRANGE', 'viewed:{u}', '0', '-1')).toEqual(['the only one']);
    expect(await cluster.read('ZRANGE', 'liked:{u}', '0', '-1', 'WITHSCORES')).toEqual(['9', '1']);
  });
});
