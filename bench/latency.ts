import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { realtime } from '../pipelines/realtime.ts';
import type { Item } from '../src/event.ts';
import { run } from '../src/index.ts';
import { startRedis } from '../test/support/redis.ts';
import { watched } from './commits.ts';
import { paced } from './paced.ts';
import { percentiles } from './percentiles.ts';
import { ARRIVED_AT_MS, fillLookups, visits } from './visits.ts';

/**
 * How long a product action takes from when its line was due in this process until Redis has answered that it is done:
 *
 *     node bench/latency.ts [--rate 5000] [--events 50000]
 *
 * The whole realtime pipeline on one thread, a redis-server beside it. Lines come evenly, whatever becomes of those before. The first
 * `WARM_UP_SECONDS` do not count. Prints one line of JSON.
 */
const { values } = parseArgs({
  options: { rate: { type: 'string', default: '5000' }, events: { type: 'string' } },
});
const WARM_UP_SECONDS = 3;
const rate = Number(values.rate);
const events = Number(values.events ?? rate * 10);
const lines = visits(rate * WARM_UP_SECONDS + events);
const source = paced({ lines, perSecond: rate, arrivedAtMs: ARRIVED_AT_MS });
const latenciesMs = new Float64Array(lines.length);
let measured = 0;

const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const server = await startRedis({ settings: { appendonly: 'no' } });
try {
  await fillLookups(server.client);
  const declared = realtime.pipeline({
    KINESIS_STREAM: 'bench',
    KINESIS_ENDPOINT: undefined,
    KINESIS_MODE: 'polling',
    AWS_REGION: undefined,
    REDIS_URL: server.url,
    PRODUCT_PAGE: /^\/p\/([a-z]{2}-[0-9]{4})$/,
    STATE_FILE: join(folder, 'state'),
  });
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await run({ ...declared, source, sinks: declared.sinks.map((sink) => watched(sink, note)) });
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  const told = { events, seconds, cpuSeconds: (user + system) / 1e6, peakMiB };
  process.stdout.write(`${JSON.stringify({ ...told, ...percentiles(latenciesMs.subarray(0, measured)) })}\n`);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

function note({ first }: Item, nowMs: number): void {
  const index = Number(first.sequence) - 1;
  if (index >= rate * WARM_UP_SECONDS) latenciesMs[measured++] = nowMs - source.dueMs(index);
}
