import pg from 'pg';
import { type Observable, map } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { WentBackError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import { transform } from '../../src/operators/transform.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { apply } from '../../src/sinks/apply.ts';
import { copyInto } from '../../src/sinks/copy-into.ts';
import { rejectsIntoRedis } from '../../src/sinks/rejects-into-redis.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { hincrby, incrby } from '../../src/stores/commands.ts';
import { redis } from '../../src/stores/redis.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { emptyPostgres } from '../support/databases.ts';
import { startPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { startTcpSwitch } from '../support/tcp-switch.ts';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

const SHARDS = ['a', 'b'];
const deliveries = 12;
/** Twelve deliveries of five events a shard, with a moment in between. */
const script = Object.fromEntries(
  SHARDS.map((shard) => [
    shard,
    Array.from({ length: deliveries }, (_, i) => [Array.from({ length: 5 }, (_, j) => `${i * 5 + j}`), { pauseMs: 25 }]).flat(),
  ]),
);
const text = (event: Event<Uint8Array>): string => Buffer.from(event.data).toString();

describe('a store that went back in time', () => {
  it('takes the source back with it: a replica promoted after writes were lost counts every event once', async () => {
    const master = await startRedis();
    ending.push(() => master.stop());
    const replica = await startRedis({ replicaOf: master.port });
    ending.push(() => replica.stop());
    const address = await startTcpSwitch(master.port);
    ending.push(() => address.close());
    while (!(await replica.client.info('replication')).includes('master_link_status:up'))
      await new Promise((resolve) => setTimeout(resolve, 10));

    const beside = memorySink<Event<Uint8Array>>('beside');
    const told: Diagnostic[] = [];
    let commits = 0;
    const counts = await run(
      pipeline('p')
        .from(scripted(script))
        .to(
          apply(redis(`redis://127.0.0.1:${address.port}`), (data, { shard }) => [
            incrby('n', 1),
            hincrby('shards', shard, 1),
            hincrby('events', Buffer.from(data).toString(), 1),
          ]),
          beside,
        ),
      {
        retry: { firstDelayMs: 5, maxDelayMs: 50 },
        report(diagnostic) {
          told.push(diagnostic);
          if (diagnostic.type !== 'committed' || diagnostic.sink !== 'apply') return;
          commits++;
          // What the master takes from here on, the replica never sees.
          if (commits === 4) void replica.client.call('REPLICAOF', 'NO', 'ONE');
          if (commits === 10) address.to(replica.port);
        },
      },
    );
    const back = told.find((diagnostic) => diagnostic.type === 'went-back');
    expect(back?.error).toBeInstanceOf(WentBackError);
    expect(back?.error.message).toMatch(
      /^redis 127\.0\.0\.1:\d+: went back in time: expected \d \d+:0 of [ab], got (\d |nothing)/,
    );
    expect(Number(await master.client.get('n'))).toBeGreaterThan(0);

    const all = SHARDS.length * deliveries * 5;
    expect(await replica.client.get('n')).toBe(String(all));
    expect(await replica.client.hgetall('shards')).toEqual({ a: '60', b: '60' });
    expect(new Set(Object.values(await replica.client.hgetall('events')))).toEqual(new Set(['2']));
    // The sink beside, which lost nothing, is given nothing twice.
    expect(beside.stored.map(text)).toHaveLength(all);
    // The counts are those since the run began anew, and add up.
    expect(counts).toMatchObject({ read: counts.stored, rejected: 0, inFlight: 0 });
    expect(counts.read).toBeLessThanOrEqual(all);
  });

  it('takes the source back with it where it has lost a reject alone, before another sink passes that', async () => {
    const server = await startRedis();
    ending.push(() => server.stop());
    const { client } = server;
    const rejects = rejectsIntoRedis(redis(server.url));
    let losses = 0;
    const forgetful: typeof rejects = {
      ...rejects,
      async open(context) {
        const sink = await rejects.open(context);
        const commit = async (...[batch, refused]: Parameters<typeof sink.commit>): Promise<void> => {
          const before = await client.hget('millrace:positions:p:rejects', 'a');
          await sink.commit(batch, refused);
          if (losses++ > 0) return;
          await client.hset('millrace:positions:p:rejects', 'a', before!);
          await client.del('millrace:last-call:p:rejects', 'millrace:rejects:p', ...(await client.keys('millrace:reject:*')));
        };
        return { ...sink, commit };
      },
    };
    const told: Diagnostic[] = [];
    await run(
      pipeline('p')
        .from(scripted({ a: [['1'], ['wrong'], ['3']] }))
        .pipe(
          transform((data: Uint8Array) => {
            if (Buffer.from(data).toString() === 'wrong') throw new Error('no number');
            return data;
          }),
        )
        .to(apply(redis(server.url), () => [incrby('n', 1)]))
        .rejects(forgetful),
      { report: (diagnostic) => told.push(diagnostic) },
    );
    expect(told.filter(({ type }) => type === 'went-back')).toHaveLength(1);
    expect(await client.zcard('millrace:rejects:p')).toBe(1);
    expect(await client.get('n')).toBe('2');
  });

  it('takes the source back with it: a Postgres that lacks the last commits, and only lets read at first, has every row once', async () => {
    const server = await startPostgres();
    ending.push(() => server.stop());
    const database = await emptyPostgres(server);
    ending.push(() => database.close());
    const admin = new pg.Client(database.url);
    await admin.connect();
    ending.push(() => admin.end());
    const name = new URL(database.url).pathname.slice(1);
    const whole = 'LOCK TABLE numbers, millrace.positions';
    const backup = `BEGIN; ${whole}; CREATE TABLE n AS TABLE numbers; CREATE TABLE p AS TABLE millrace.positions; COMMIT`;
    const failover = `BEGIN; ${whole};
      TRUNCATE numbers; INSERT INTO numbers TABLE n; TRUNCATE millrace.positions; INSERT INTO millrace.positions TABLE p;
      ALTER DATABASE ${name} SET default_transaction_read_only = on;
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace' AND datname = current_database(); COMMIT`;
    const promote = `ALTER DATABASE ${name} RESET default_transaction_read_only`;

    const told: Diagnostic[] = [];
    let [commits, work] = [0, Promise.resolve() as Promise<unknown>];
    await run(
      pipeline('p')
        .from(
          scripted({
            a: Array.from({ length: 40 }, (_, i) => [[{ data: String(i), arrivedAtMs: i * 60_000 }], { pauseMs: 25 }]).flat(),
          }),
        )
        .pipe((events: Observable<Event<Uint8Array>>) => events.pipe(map((event) => event.with({ toRow: () => event.data }))))
        .pipe(minuteWindow())
        .to(
          copyInto(database.declare(), { table: 'numbers', columns: [{ name: 'n', type: { kind: 'integer' }, required: true }] }),
        ),
      {
        retry: { firstDelayMs: 5, maxDelayMs: 50 },
        report(diagnostic) {
          told.push(diagnostic);
          if (diagnostic.type === 'committed' && ++commits === 5) work = work.then(() => admin.query(backup));
          if (diagnostic.type === 'committed' && commits === 15) work = work.then(() => admin.query(failover));
          if (diagnostic.type === 'went-back' && !(diagnostic.error instanceof WentBackError))
            work = work.then(() => admin.query(promote));
        },
      },
    );
    await work;
    const back = told.flatMap((diagnostic) => (diagnostic.type === 'went-back' ? diagnostic.error : []));
    expect(back[0]).toBeInstanceOf(WentBackError);
    expect(back[1]?.message).toContain('only lets read');
    const all = 'count(*)::int AS "all", count(DISTINCT n)::int AS different';
    expect(await database.query(`SELECT ${all} FROM numbers`)).toEqual([{ all: 40, different: 40 }]);
  });

  it('is opened again until what has taken its place answers', async () => {
    const memory = memorySink<Event<Uint8Array>>();
    memory.beforeCommit = () => {
      memory.beforeCommit = () => {};
      throw new WentBackError('memory', 'a', '1', '0');
    };
    let opened = 0;
    const sink: typeof memory = {
      ...memory,
      async open(context) {
        if (++opened === 2 || opened === 3) throw Object.assign(new Error('nobody there yet'), { isTransient: true });
        return memory.open(context);
      },
    };
    const counts = await run(
      pipeline('p')
        .from(scripted({ a: [['x']] }))
        .to(sink),
    );
    expect(counts).toMatchObject({ read: 1, stored: 1 });
    expect(opened).toBe(4);
  });

  it('is not waited for when a run opens it for the first time', async () => {
    const memory = memorySink<Event<Uint8Array>>();
    memory.open = async () => {
      throw Object.assign(new Error('nobody there'), { isTransient: true });
    };
    await expect(
      run(
        pipeline('p')
          .from(scripted({ a: [['x']] }))
          .to(memory),
      ),
    ).rejects.toThrow('nobody there');
  });

  it('ends the run when it goes back over and over', async () => {
    const sink = memorySink<Event<Uint8Array>>();
    sink.beforeCommit = () => {
      throw new WentBackError('memory', 'a', '1', '0');
    };
    const told: Diagnostic[] = [];
    const { VirtualTimeScheduler } = await import('rxjs');
    const scheduler = new VirtualTimeScheduler();
    const finished = run(
      pipeline('p')
        .from(scripted({ a: [['x']] }))
        .to(sink),
      { scheduler, report: (d) => told.push(d) },
    );
    let isOver = false;
    const ended = finished.catch((error: unknown) => error).finally(() => (isOver = true));
    while (!isOver) {
      await new Promise(setImmediate);
      scheduler.flush();
    }
    expect(await ended).toBeInstanceOf(WentBackError);
    expect(told.filter(({ type }) => type === 'went-back')).toHaveLength(20);
  });
});
