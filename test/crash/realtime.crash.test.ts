import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/demo/random.ts';
import { type Kinesis, startKinesis } from '../support/kinesis.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { Producer } from './producer.ts';
import { startVictim } from './victim.ts';
import { fillProducts, readArrivals, readVisitors, visitorFaults } from './visitor-evidence.ts';
import { visitorKeysOf } from './visitor-oracle.ts';
import { productsOf } from './visitor-products.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? 1);
const FILE = 'pipelines/realtime.ts';

let kinesis: Kinesis;
let redis: RedisServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-realtime-'));
  [kinesis, redis] = await Promise.all([startKinesis(), startRedis()]);
}, 60_000);

afterAll(async () => {
  await Promise.all([kinesis.stop(), redis.stop()]);
  await rm(folder, { recursive: true, force: true });
});

describe('what the realtime pipeline keeps of visitors', () => {
  it.each([
    ['without a kill', 0],
    ['killed at random moments', 4],
  ])('is what an oracle computes, to the last score: %s', { timeout: 120_000 }, async (_, kills) => {
    const stream = `realtime-${kills}`;
    await redis.client.flushall();
    const products = productsOf(new Random(SEED, kills));
    await fillProducts(redis.client, products);
    await kinesis.createStream(stream, 2);
    const settings = {
      KINESIS_STREAM: stream,
      KINESIS_ENDPOINT: kinesis.endpoint,
      REDIS_URL: redis.url,
      STATE_FILE: join(folder, stream),
    };
    const random = new Random(SEED, kills, 1);
    // Few people, so that each does much: lists are cut, and what she bought is met again.
    const producer = new Producer({
      client: kinesis.client,
      stream,
      rate: 250,
      shop: { seed: SEED, people: 6, shares: { repeat: 0.05, 'broken-label': 0.03, malformed: 0.01, noise: 0.03 } },
    });
    for (let kill = 0; kill < kills; kill++) {
      const victim = startVictim(FILE, settings);
      await victim.reading();
      await sleep(100 + random.below(2000));
      await victim.kill();
    }
    // As much as it sends ahead: that is worth comparing, however busy the machine is.
    await expect.poll(() => producer.sent.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(1000);
    await producer.stop();
    // A run that finds nothing more to read has left nothing behind, unless it had not even begun to read when its time was up.
    const arrivals = await readArrivals(kinesis.client, stream);
    let expected: ReturnType<typeof visitorKeysOf>;
    for (let runs = 1, faults = ['not compared yet']; faults.length > 0; runs++) {
      expect(runs, faults.join('\n')).toBeLessThan(10);
      const { code, output } = await startVictim(FILE, settings, ['--for', '3s']).ended();
      expect(code, output).toBe(0);
      if (!output.includes('read 0 = stored 0 + repeats 0 + rejected 0')) continue;
      const found = await readVisitors(redis.client);
      expected = visitorKeysOf(producer.sent, arrivals, products, found.rejected);
      faults = visitorFaults(found, expected);
    }
    // It was.
    const greatest = (prefix: string): number =>
      Math.max(...[...expected!.keys].map(([key, held]) => (key.startsWith(prefix) ? [...held].length : 0)));
    expect(expected!.rejected.size).toBeGreaterThan(10);
    expect([greatest('recommended'), greatest('viewed'), greatest('bought') > 1]).toEqual([100, 20, true]);
  });
});
