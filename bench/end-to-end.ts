import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PutRecordCommand } from '@aws-sdk/client-kinesis';
import { Redis } from 'ioredis';
import { realtime } from '../pipelines/realtime.ts';
import { run } from '../src/index.ts';
import { startKinesis } from '../test/support/kinesis.ts';
import { startRedis } from '../test/support/redis.ts';
import { percentiles } from './percentiles.ts';
import { fillLookups, visits } from './visits.ts';

/**
 * How long it takes from just before a PutRecord until Redis tells of the key that the record changes:
 *
 *     node bench/end-to-end.ts [--mode polling | fan-out] [--events 200]
 *
 * Page views of visitors who come for the first time, put evenly, 20 a second; kinesis-local and a redis-server run beside the pipeline.
 * Prints one line of JSON.
 */
const { values } = parseArgs({
  options: { mode: { type: 'string', default: 'polling' }, events: { type: 'string', default: '200' } },
});
const EVERY_MS = 50;
/** So many at first do not count. */
const WARM_UP = 20;
const count = Number(values.events);

const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const server = await startRedis({ settings: { appendonly: 'no', 'notify-keyspace-events': 'Kz' } });
const kinesis = await startKinesis();
const listener = new Redis(server.port, '127.0.0.1');
const stop = new AbortController();
try {
  await fillLookups(server.client);
  await kinesis.createStream('bench', 1);
  const declared = realtime.pipeline({
    KINESIS_STREAM: 'bench',
    KINESIS_ENDPOINT: kinesis.endpoint,
    KINESIS_MODE: values.mode === 'fan-out' ? 'fan-out' : 'polling',
    AWS_REGION: undefined,
    REDIS_URL: server.url,
    PRODUCT_PAGE: /^\/p\/([a-z]{2}-[0-9]{4})$/,
    STATE_FILE: join(folder, 'state'),
  });
  const ms = new Float64Array(count);
  const putAt = new Map<number, number>();
  let seen = 0;
  const all = Promise.withResolvers<void>();
  await listener.psubscribe('__keyspace@0__:recommended:*');
  listener.on('pmessage', (_, channel) => {
    const [, visitor] = /visitor-(\d+)/.exec(channel) ?? [];
    const at = putAt.get(Number(visitor));
    if (at === undefined) return;
    putAt.delete(Number(visitor));
    if (Number(visitor) >= WARM_UP) ms[Number(visitor) - WARM_UP] = performance.now() - at;
    if (++seen === count + WARM_UP) all.resolve();
  });
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const running = run(declared, { stop: stop.signal });
  running.catch(all.reject);
  // Until it reads: what lies in the stream before that waits for it to start.
  await sleep(2000);
  for (const [i, line] of views(count + WARM_UP).entries()) {
    await sleep(Math.max(0, startedAt + 2000 + i * EVERY_MS - performance.now()));
    putAt.set(i, performance.now());
    kinesis.client.send(new PutRecordCommand({ StreamName: 'bench', PartitionKey: String(i), Data: line })).catch(all.reject);
  }
  await all.promise;
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  stop.abort();
  await running;
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(
    `${JSON.stringify({ events: count, seconds, cpuSeconds: (user + system) / 1e6, peakMiB, ...percentiles(ms) })}\n`,
  );
} finally {
  listener.disconnect();
  await kinesis.stop();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Views of products' pages, each by a visitor of its own. */
function views(many: number): Buffer[] {
  return visits(many * 20)
    .map((line) => line.toString().split('\t'))
    .filter((fields) => fields[5] === 'page_view' && fields[35]!.startsWith('/p/'))
    .slice(0, many)
    .map((fields, i) =>
      Buffer.from(
        fields
          .with(12, `visitor-${i}`)
          .with(6, fields[6]!.slice(0, -12) + String(i).padStart(12, '0'))
          .join('\t'),
      ),
    );
}
