import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type SchedulerLike, asyncScheduler } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WentBackError } from '../../src/errors.ts';
import type { Event, Reject } from '../../src/event.ts';
import type { Health } from '../../src/observe/health.ts';
import { transform } from '../../src/operators/transform.ts';
import { type Pipeline, pipeline } from '../../src/pipeline.ts';
import { type AttendOptions, attendAll } from '../../src/command/attend.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { startVictim } from '../crash/victim.ts';
import { hurried } from '../support/hurried.ts';
import { parsePrometheus } from '../support/prometheus.ts';
import { pushSource } from '../support/push-source.ts';

type Text = Event<Uint8Array>;

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** Pipelines under way, with their metrics at a port of their own. */
async function attended(pipelines: readonly Pipeline[], options: AttendOptions = {}) {
  const stop = new AbortController();
  const told = Promise.withResolvers<string>();
  const written: string[] = [];
  const write = (text: unknown): boolean => {
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(String(text))?.[0];
    if (url) told.resolve(url);
    return written.push(String(text)) > 0;
  };
  const metrics = { port: 0, host: '127.0.0.1' };
  const ended = attendAll(pipelines, { output: { write }, metrics, stop: stop.signal, ...options });
  ending.push(() => {
    stop.abort('the test is over');
    return ended;
  });
  const url = await told.promise;
  const health = async (path = '/health'): Promise<{ status: number; body: Health }> => {
    const answer = await fetch(url + path);
    return { status: answer.status, body: (await answer.json()) as Health };
  };
  return {
    ended,
    stop,
    url,
    written,
    health,
    ready: async () => (await health('/ready')).status,
    /** What the series of pipeline p are worth, by name and the other labels. */
    metrics: async (): Promise<Record<string, number>> => {
      const read = parsePrometheus(await (await fetch(`${url}/metrics`)).text());
      const series = [...read.values()].flatMap((metric) => [...metric.series]);
      return Object.fromEntries(series.map(([key, { value }]) => [key.replace(/pipeline="p",?/, '').replace('{}', ''), value]));
    },
  };
}

/** Lets commits of events wait until they are told to go on. */
function blocked(sink: MemorySink<Text>): { readonly begun: Promise<void>; readonly goOn: () => void } {
  const [begun, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  sink.beforeCommit = async ({ items }) => {
    if (items.length === 0) return;
    begun.resolve();
    await over.promise;
  };
  ending.push(() => over.resolve());
  return { begun: begun.promise, goOn: over.resolve };
}

function expectToAddUp(metrics: Record<string, number>): void {
  const of = (part: string): number => metrics[`millrace_events_${part}`]!;
  const steps = Object.entries(metrics).filter(([key]) => key.startsWith('millrace_events_dropped_total'));
  const dropped = steps.reduce((sum, [, count]) => sum + count, 0);
  const rest = of('stored_total') + of('rejected_total') + of('abandoned_total') + of('in_flight');
  expect(of('read_total')).toBe(dropped + rest);
}

describe('metrics over HTTP', { timeout: 30_000 }, () => {
  it('tell how a run is, as long as it is one', async () => {
    const declared = pipeline('p')
      .from(scripted({ a: [['one', 'bad', 'two'], 'until-stopped'], b: ['until-stopped'] }))
      .pipe(
        transform((data: Uint8Array) => {
          if (Buffer.from(data).toString() === 'bad') throw new TypeError('bad');
          return data;
        }),
      )
      .to(memorySink<Event<Uint8Array>>())
      .rejects(memorySink<Reject>('rejects'));
    const { metrics, health, ready, url, stop, ended } = await attended([declared]);
    const settled = await vi.waitFor(async () => {
      const now = await metrics();
      expectToAddUp(now);
      expect(now).toMatchObject({ millrace_events_read_total: 3, millrace_events_in_flight: 0 });
      return now;
    }, 10_000);
    expect(settled).toMatchObject({
      millrace_up: 1,
      millrace_events_stored_total: 2,
      millrace_events_rejected_total: 1,
      'millrace_rejects_total{step="transform",code="TypeError"}': 1,
      'millrace_sink_events_total{sink="memory"}': 2,
      'millrace_sink_events_total{sink="rejects"}': 1,
      'millrace_sink_commit_seconds_count{sink="memory"}': 1,
      'millrace_shard_events_in_flight{shard="b"}': 0,
      millrace_in_flight_limit_bytes: 256 * 2 ** 20,
    });
    expect(settled['process_resident_memory_bytes']).toBeGreaterThan(1e7);
    expect(Math.abs(settled['process_start_time_seconds']! - Date.now() / 1000)).toBeLessThan(3600);
    const shards = [
      { shard: 'a', status: 'ok', inFlight: 0 },
      { shard: 'b', status: 'ok', inFlight: 0 },
    ];
    const pipelines = [{ name: 'p', status: 'running', shards }];
    expect(await health()).toMatchObject({ status: 200, body: { status: 'ok', pipelines } });
    expect(await ready()).toBe(200);

    const answer = await fetch(`${url}/metrics`);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await (await fetch(`${url}/metrics?name[]=x`, { method: 'HEAD' })).text()).toBe('');
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
    const page = await fetch(url);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toMatch(/<h1>p<\/h1>[^]*>running<[^]*<h2>3 read<\/h2>[^]*a: reading on from TRIM_HORIZON/);
    const other = await fetch(`${url}/other`);
    expect([other.status, await other.text()]).toEqual([404, 'expected GET /, /metrics, /health or /ready, got /other\n']);

    stop.abort('enough');
    expect(await ended).toMatchObject([{ read: 3, stored: 2, rejected: 1 }]);
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed');
  });

  it('take no more connections than the run can spare, and serve who comes when those are gone', async () => {
    const declared = pipeline('p')
      .from(scripted({ a: ['until-stopped'] }))
      .to(memorySink<Text>());
    const { url, ready } = await attended([declared]);
    const { hostname, port } = new URL(url);
    const sockets = Array.from({ length: 200 }, () => connect(Number(port), hostname));
    const open = new Set(sockets);
    for (const socket of sockets) socket.on('error', () => {}).on('close', () => open.delete(socket));
    await vi.waitFor(() => expect(open.size).toBeLessThanOrEqual(64), 10_000);
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(async () => expect(await ready()).toBe(200), 10_000);
  });

  it('say that they cannot be told, and end no run by that', async () => {
    const declared = pipeline('p')
      .from(scripted({ a: ['until-stopped'] }))
      .to(memorySink<Text>());
    const { url, stop, ended } = await attended([declared]);
    vi.spyOn(process, 'cpuUsage').mockImplementationOnce(() => {
      throw new Error('none to be had');
    });
    const answer = await fetch(`${url}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([500, 'Error: none to be had\n']);
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
    stop.abort('enough');
    expect(await ended).toMatchObject([{ read: 0 }]);
  });

  it('say that a run is ready once its sinks are open and a shard is read', async () => {
    const sink = memorySink<Text>();
    const opened = Promise.withResolvers<void>();
    const declared = pipeline('p')
      .from(scripted({ a: ['until-stopped'] }))
      .to({ ...sink, open: async (context) => opened.promise.then(() => sink.open(context)) });
    const { health, ready } = await attended([declared]);
    expect(await ready()).toBe(503);
    expect(await health()).toMatchObject({ status: 200, body: { pipelines: [{ status: 'starting', shards: [] }] } });
    opened.resolve();
    await vi.waitFor(async () => expect(await ready()).toBe(200), 10_000);
  });

  it('say that a shard has been quiet for too long, and that it goes on', async () => {
    const sink = memorySink<Text>();
    const { goOn } = blocked(sink);
    const declared = pipeline('p')
      .from(scripted({ a: [['one'], 'until-stopped'] }))
      .to(sink);
    const { health, ready, metrics } = await attended([declared], { scheduler: hurried(300), stalledAfter: { minutes: 60 } });
    expect((await health()).status).toBe(200);
    const { body } = await vi.waitFor(async () => {
      const now = await health();
      expect(now.status).toBe(503);
      return now;
    }, 20_000);
    expect(body).toMatchObject({ status: 'quiet', pipelines: [{ status: 'quiet' }] });
    const [shard] = body.pipelines[0]!.shards;
    expect(shard).toMatchObject({ shard: 'a', status: 'quiet', inFlight: 1, doing: 'waiting for the sinks' });
    expect(shard!.quietSeconds).toBeGreaterThanOrEqual(15 * 60);
    expect((await metrics())['millrace_shard_quiet_seconds{shard="a"}']).toBeGreaterThanOrEqual(15 * 60);
    expect(await ready()).toBe(503);
    goOn();
    await vi.waitFor(async () => expect((await health()).status).toBe(200), 20_000);
  });

  it('say how long ago something was, and when, though the clock is set back', async () => {
    let backMs = 0;
    const clock: SchedulerLike = { now: () => Date.now() - backMs, schedule: asyncScheduler.schedule.bind(asyncScheduler) };
    const source = pushSource();
    const read: typeof source.read = (context) => {
      context.report({ type: 'shard-started', shard: 'a', resume: 'TRIM_HORIZON' });
      context.report({ type: 'shard-lag', shard: 'a', behindMs: 0, readAtMs: context.scheduler.now() });
      return source.read(context);
    };
    const declared = pipeline('p')
      .from({ ...source, read })
      .to(memorySink<Text>());
    const { health, metrics } = await attended([declared], { scheduler: clock });
    const ago = async (): Promise<number | undefined> => (await health()).body.pipelines[0]!.shards[0]?.sinceReadSeconds;
    await vi.waitFor(async () => expect(await ago()).toBeDefined(), 10_000);
    backMs = 3_600_000;
    const before = await ago();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await ago()).toBeGreaterThan(before!);
    // By the clock that was set back, as that of whoever asks is: what lies in the future would be told late.
    const readAtMs = 1000 * (await metrics())['millrace_shard_last_read_timestamp_seconds{shard="a"}']!;
    expect(Math.abs(clock.now() - readAtMs)).toBeLessThan(60_000);
  });

  it('say that one of several runs has failed, while the others store what they have', async () => {
    const [sink, source] = [memorySink<Text>(), pushSource()];
    const { begun, goOn } = blocked(sink);
    const good = pipeline('good')
      .from(scripted({ a: [['one'], 'until-stopped'] }))
      .to(sink);
    const bad = pipeline('bad').from(source).to(memorySink<Event<Uint8Array>>());
    const { health, ended, url } = await attended([good, bad]);
    await Promise.all([begun, source.started()]);
    source.fail(new Error('broken'));
    const { body } = await vi.waitFor(async () => {
      const now = await health();
      expect(now.status).toBe(503);
      return now;
    }, 10_000);
    expect(body.status).toBe('failed');
    expect(body.pipelines.map(({ name, status }) => [name, status])).toEqual([
      ['good', 'stopping'],
      ['bad', 'failed'],
    ]);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toContain('millrace_up{pipeline="good"} 1\nmillrace_up{pipeline="bad"} 0\n');
    expect(await (await fetch(url)).text()).toContain('<span class="error">Error: broken');
    goOn();
    expect((await ended).map((counts) => counts?.stored)).toEqual([1, undefined]);
  });

  it('never go down, and add up, when a run goes back with a store', async () => {
    const sink = memorySink<Text>();
    let commits = 0;
    sink.beforeCommit = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (++commits % 4 === 0 && commits <= 12) throw new WentBackError('memory', 'a', '1', '0');
    };
    const deliveries = Array.from({ length: 40 }, (_, i) => [[`${i}a`, `${i}b`], { pauseMs: 10 }]).flat();
    const declared = pipeline('p')
      .from(scripted({ a: [...deliveries, 'until-stopped'] }))
      .to(sink);
    const { metrics } = await attended([declared]);
    let before: Record<string, number> = {};
    const isOver = (now: Record<string, number>): boolean =>
      now['millrace_went_back_total'] === 3 && now['millrace_events_in_flight'] === 0 && sink.stored.length === 80;
    while (!isOver(before)) {
      const now = await metrics();
      expectToAddUp(now);
      for (const [key, value] of Object.entries(before))
        if (/_total|_bucket|_count/.test(key)) expect(now[key], key).toBeGreaterThanOrEqual(value);
      before = now;
    }
    expect(before['millrace_events_stored_total']).toBe(80);
    expect(before['millrace_events_abandoned_total']).toBeGreaterThan(0);
    expect(before['millrace_events_read_total']).toBe(80 + before['millrace_events_abandoned_total']!);
  });

  describe('at a port that is taken', () => {
    async function takenPort(): Promise<number> {
      const server = createServer().listen(0, '127.0.0.1');
      ending.push(() => server.close());
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    }

    it('end a run before anything is started', async () => {
      const port = await takenPort();
      const written: string[] = [];
      const sink = memorySink<Text>();
      const open = vi.fn<typeof sink.open>(async (context) => sink.open(context));
      const declared = pipeline('p')
        .from(scripted({ a: [['one']] }))
        .to({ ...sink, open });
      const output = { write: (text: unknown) => written.push(String(text)) > 0 };
      expect(await attendAll([declared], { output, metrics: { port, host: '127.0.0.1' } })).toEqual([undefined]);
      expect(written.join('').replace(/^\S+Z /, '')).toBe(
        `nothing was started: metrics: expected to listen on 127.0.0.1:${port}, and another process listens there (EADDRINUSE)\n`,
      );
      expect(open).not.toHaveBeenCalled();
    });

    it('end a process with 1', async () => {
      const at = `127.0.0.1:${await takenPort()}`;
      const settings = { KINESIS_STREAM: 'shop', KINESIS_ENDPOINT: 'http://127.0.0.1:1' };
      const { code, output } = await startVictim('pipelines/warehouse.ts', settings, ['--metrics-port', at]).ended();
      expect(output).toContain('another process listens there');
      expect(code).toBe(1);
    });
  });
});

describe('--log json', () => {
  it('says everything as one object a line, and nothing else', async () => {
    const stdout = vi.spyOn(process.stdout, 'write');
    ending.push(() => stdout.mockRestore());
    const source = pushSource();
    const good = pipeline('good')
      .from(scripted({ a: ['until-stopped'] }))
      .to(memorySink<Event<Uint8Array>>());
    const bad = pipeline('bad').from(source).to(memorySink<Event<Uint8Array>>());
    const { ended, written } = await attended([good, bad], { log: 'json' });
    await source.started();
    source.fail(Object.assign(new Error('broken', { cause: new TypeError('inside') }), { code: 'E1' }));
    await ended;
    const lines = written.join('').split('\n');
    expect(lines.pop()).toBe('');
    const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of said)
      expect(line).toMatchObject({ time: expect.stringMatching(/^\d{4}-\S+Z$/), message: expect.any(String) });
    expect(said.map(({ level, pipeline: whose, type }) => [level, whose, type])).toEqual([
      ['info', undefined, 'listening'],
      ['info', 'good', 'shard-started'],
      ['info', 'good', 'stopping'],
      ['info', 'good', 'ended'],
      ['error', 'bad', 'failed'],
    ]);
    expect(said[3]).toMatchObject({ read: 0, stored: 0, rejected: 0, inFlight: 0 });
    expect(said[4]).toMatchObject({
      message: expect.stringContaining('Error: broken\n  because of TypeError: inside'),
      error: { name: 'Error', message: 'broken', code: 'E1', cause: { name: 'TypeError', message: 'inside' } },
    });
    expect(stdout).not.toHaveBeenCalled();
  });
});
