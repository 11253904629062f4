import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { realtime, weights } from '../pipelines/realtime.ts';
import { lines, run } from '../src/index.ts';
import { startRedis } from '../test/support/redis.ts';
import { python } from './old/python.ts';
import { redisCpuSeconds } from './redis-cpu.ts';
import { differences, expectedOf } from './visits-oracle.ts';
import { ARRIVED_AT_MS, fillLookups, visits } from './visits.ts';

/**
 * The whole realtime pipeline, on a file of lines, into a redis-server of the row's own:
 *
 *     node bench/realtime.ts [--how millrace | old] [--batch 1] [--events 200000]
 *     node bench/realtime.ts --write file [--events 200000]      only writes the lines: in a process of its own, whose memory is not the row's
 *
 * `old` is `old/realtime.py`, line by line, or in batches of `--batch` actions. Checks each key of each visitor against an oracle, then prints one line
 * of JSON: events, seconds, CPU seconds of the client and of the server, peak memory of the client, keys that are not as they should be. Starting the
 * process is not in it; millrace has had `WARM_UP` lines before, of which the server and the pipeline know nothing any more.
 */
const { values } = parseArgs({
  options: {
    how: { type: 'string', default: 'millrace' },
    batch: { type: 'string', default: '1' },
    events: { type: 'string', default: '200000' },
    write: { type: 'string' },
  },
});

/** What V8's compilers need to be done with. */
const WARM_UP = 30_000;

/** Of a batch, the old script looks up what was bought before it writes what is bought: it recommends some of that once more. */
const MAX_STALE = values.how === 'old' && Number(values.batch) > 1 ? 0.05 : 0;

/** What a way of doing it took. */
interface Took {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

if (values.write !== undefined) {
  const text = visits(Number(values.events)).flatMap((line) => [line, Buffer.from('\n')]);
  await writeFile(values.write, text);
  // No line arrives later than its file was written to.
  await utimes(values.write, ARRIVED_AT_MS / 1000, ARRIVED_AT_MS / 1000);
  process.exit();
}
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const file = written('events', Number(values.events));
const server = await startRedis({ settings: { appendonly: 'no' } });
try {
  await fillLookups(server.client);
  if (values.how === 'millrace') {
    await millrace('warm-up', written('warm-up', WARM_UP));
    await server.client.flushall();
    await fillLookups(server.client);
  }
  const before = await redisCpuSeconds(server.client);
  const took = values.how === 'old' ? await old() : await millrace('events', file);
  const serverCpuSeconds = (await redisCpuSeconds(server.client)) - before;
  const expected = await expectedOf(visits(Number(values.events)), weights, server.client);
  const differing = await differences(server.client, expected);
  const { recommended = 0, ...others } = differing;
  if (Object.keys(others).length > 0 || recommended > MAX_STALE * expected.size)
    throw new Error(`bench: of ${expected.size} keys, not as they should be: ${JSON.stringify(differing)}`);
  process.stdout.write(`${JSON.stringify({ ...took, serverCpuSeconds, keys: expected.size, differing })}\n`);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

function written(name: string, events: number): string {
  const path = join(folder, name);
  execFileSync(process.execPath, [import.meta.filename, '--write', path, '--events', String(events)]);
  return path;
}

/** The pipeline file itself, but for its source. */
async function millrace(name: string, files: string): Promise<Took> {
  const declared = realtime.pipeline({
    KINESIS_STREAM: 'bench',
    KINESIS_ENDPOINT: undefined,
    KINESIS_MODE: 'polling',
    AWS_REGION: undefined,
    REDIS_URL: server.url,
    PRODUCT_PAGE: /^\/p\/([a-z]{2}-\d{4})$/,
    STATE_FILE: join(folder, `${name}.state`),
  });
  const source = lines({ files, arrivedAt: () => new Date(ARRIVED_AT_MS) });
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const { read } = await run({ ...declared, source });
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  return { events: read, seconds, cpuSeconds: (user + system) / 1e6, peakMiB };
}

async function old(): Promise<Took> {
  const input = await open(file);
  const args = ['--port', server.port, '--batch', values.batch, '--now', ARRIVED_AT_MS / 1000].map(String);
  const child = spawn(python(), [join(import.meta.dirname, 'old', 'realtime.py'), ...args], {
    stdio: [input.fd, 'pipe', 'inherit'],
  });
  const [printed, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit')]);
  await input.close();
  if (code !== 0) throw new Error(`bench: the old script ended with ${String(code)}`);
  return JSON.parse(printed) as Took;
}
