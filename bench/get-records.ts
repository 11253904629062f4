import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asyncScheduler } from 'rxjs';
import { Ledger } from '../src/ledger.ts';
import { Calls } from '../src/sources/kinesis/calls.ts';
import { kinesisClient } from '../src/sources/kinesis/client.ts';
import { subscription } from '../src/sources/kinesis/fan-out/subscription.ts';

/**
 * Reading alone, from the call to the records, with a server on loopback in a process of its own. `npm run bench` runs it once a row:
 *
 *     node bench/get-records.ts [--mode polling | fan-out] [--protocol lean | stock] [--data events | random] [--records 2000] [--events 100000]
 *
 * Records have 1,000 bytes: of text, as events are, or random ones, as compressed data looks. An answer, or an event of fan-out, has `--records` of them. Prints
 * one line of JSON: events, seconds, CPU seconds of all threads of this process, peak memory. TLS is not in it.
 */
const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'polling' },
    protocol: { type: 'string', default: 'lean' },
    data: { type: 'string', default: 'events' },
    records: { type: 'string', default: '2000' },
    events: { type: 'string', default: '100000' },
  },
});

/** What the two modes of V8's compiler need to be done with. */
const WARM_UP = 20_000;

const server = fork(join(import.meta.dirname, 'get-records-server.ts'), [values.records, values.data]);
const [port] = (await once(server, 'message')) as [number];
const protocol = values.protocol === 'stock' ? 'stock' : 'lean';
const client = kinesisClient({ endpoint: `http://127.0.0.1:${port}`, protocol });
const calls = new Calls(client, 'bench', 30_000);

const read = values.mode === 'fan-out' ? readEvents : readAnswers;

await read(WARM_UP);
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
const events = await read(Number(values.events));
const seconds = (performance.now() - startedAt) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
client.destroy();
server.disconnect();
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(`${JSON.stringify({ events, seconds, cpuSeconds: (user + system) / 1e6, peakMiB })}\n`);

/** Reads answers until it has so many records. */
async function readAnswers(atLeast: number): Promise<number> {
  const { signal } = new AbortController();
  let count = 0;
  while (count < atLeast) count += (await calls.records('shard', 'iterator', 10_000, signal)).records.length;
  return count;
}

/** Reads a subscription until it has so many records. */
async function readEvents(atLeast: number): Promise<number> {
  const ledger = new Ledger();
  const { signal } = new AbortController();
  const events = subscription(
    { shard: { id: 'shard', parents: [] }, ledger, scheduler: asyncScheduler, signal },
    { client, consumerArn: 'arn:consumer', at: 'TRIM_HORIZON', isLean: protocol === 'lean', opened: () => {} },
  );
  let count = 0;
  for await (const { records, reservedBytes } of events) {
    ledger.room.unreserve(reservedBytes);
    if ((count += records.length) >= atLeast) break;
  }
  return count;
}
