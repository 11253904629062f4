import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { commands, Event, apply, redis } from '../src/index.ts';
import { Ledger } from '../src/ledger.ts';
import { Origin } from '../src/event.ts';
import { startRedis } from '../test/support/redis.ts';
import { redisCpuSeconds } from './redis-cpu.ts';

/**
 * What it costs to bring seven commands an event to a Redis server of its own (append-only file off), one batch after the other:
 *
 *     node bench/redis-apply.ts [--by apply | pipeline] [--batch 1000] [--events 500000]
 *
 * `pipeline` is the same commands through ioredis's own pipeline, without epoch and position: at least once. Prints one line of JSON:
 * events, seconds, CPU seconds of this process, of the server, peak memory.
 */
const { values } = parseArgs({
  options: {
    by: { type: 'string', default: 'apply' },
    batch: { type: 'string', default: '1000' },
    events: { type: 'string', default: '500000' },
  },
});

const USERS = 20_000;
const PRODUCTS = 5_000;
const batchSize = Number(values.batch);
const total = Number(values.events);
const server = await startRedis({ settings: { appendonly: 'no' } });

interface Action {
  readonly user: string;
  readonly sku: string;
  readonly brand: string;
  readonly weight: number;
}

/** Visitors and products as they come in a shop: few are met often. */
function actionOf(i: number): Action {
  const spread = (factor: number, among: number): number => Math.floor(among * (((i * factor) % 10_007) / 10_007) ** 2);
  const sku = spread(7919, PRODUCTS);
  return { user: `u${spread(104_729, USERS)}`, sku: `sku-${sku}`, brand: `brand-${sku % 100}`, weight: 1 + (i % 3) };
}

const bounds = { keep: 20, expire: { days: 30 } };

/** Seven commands: two sums, two ranks, a list, and two fields. */
function commandsOf({ user, sku, brand, weight }: Action): commands.Command[] {
  const key = `{${user}}`;
  return [
    commands.recent(`viewed:${key}`, sku, bounds),
    commands.rank(`interest:${key}`, [[sku, weight]], bounds),
    commands.rank(`brands:${key}`, [[brand, weight]], bounds),
    commands.zincrby('popular', weight, sku),
    commands.incrby(`count:${sku}`, 1),
    commands.hincrby(`visitor:${key}`, 'actions', 1),
    commands.hset(`visitor:${key}`, 'last', sku),
  ];
}

const play = values.by === 'apply' ? await byApply() : byPipeline();
await play(0, Math.min(50_000, total));
const cpuBefore = process.cpuUsage();
const serverBefore = await redisCpuSeconds(server.client);
const startedAt = performance.now();
await play(50_000, total);
const seconds = (performance.now() - startedAt) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const serverCpuSeconds = (await redisCpuSeconds(server.client)) - serverBefore;
await server.stop();
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
const line = { events: total, seconds, cpuSeconds: (user + system) / 1e6, serverCpuSeconds, peakMiB };
process.stdout.write(`${JSON.stringify(line)}\n`);
process.exit();

async function byApply(): Promise<(from: number, count: number) => Promise<void>> {
  const sink = await apply<Action>(redis(server.url), commandsOf, { maxEvents: batchSize }).open({
    pipeline: 'bench',
    report: () => {},
  });
  await sink.acquire('a');
  const ledger = new Ledger();
  const raw = new Uint8Array(1);
  return async (from, count) => {
    for (let at = from; at < from + count; at += batchSize) {
      const last = { shard: 'a', sequence: String(at + batchSize), subSequence: 0 };
      const delivery = ledger.open({ shard: 'a', count: batchSize, sizeBytes: batchSize, last, readAtMs: 0 });
      const items: Event<Action>[] = [];
      for (let i = 0; i < batchSize; i++) {
        const position = { shard: 'a', sequence: String(at + i + 1), subSequence: 0 };
        items.push(new Event(actionOf(at + i), new Origin(delivery, i, { position, arrivedAtMs: 0, data: raw })));
      }
      await sink.commit({ items, positions: new Map([['a', last]]) }, []);
      delivery.letGo();
    }
  };
}

/** As a program without millrace would do it: what is a compound there is the commands it is made of. */
function byPipeline(): (from: number, count: number) => Promise<void> {
  const client = new Redis(server.url);
  const month = 30 * 86_400_000;
  return async (from, count) => {
    for (let at = from; at < from + count; at += batchSize) {
      const pipeline = client.pipeline();
      for (let i = at; i < at + batchSize; i++) {
        const { user: visitor, sku, brand, weight } = actionOf(i);
        const key = `{${visitor}}`;
        pipeline
          .lrem(`viewed:${key}`, 0, sku)
          .lpush(`viewed:${key}`, sku)
          .ltrim(`viewed:${key}`, 0, 19)
          .pexpire(`viewed:${key}`, month);
        pipeline
          .zincrby(`interest:${key}`, weight, sku)
          .zremrangebyrank(`interest:${key}`, 0, -21)
          .pexpire(`interest:${key}`, month);
        pipeline.zincrby(`brands:${key}`, weight, brand).zremrangebyrank(`brands:${key}`, 0, -21).pexpire(`brands:${key}`, month);
        pipeline.zincrby('popular', weight, sku).incrby(`count:${sku}`, 1);
        pipeline.hincrby(`visitor:${key}`, 'actions', 1).hset(`visitor:${key}`, 'last', sku);
      }
      await pipeline.exec();
    }
  };
}
