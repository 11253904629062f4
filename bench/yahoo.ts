import { parseArgs } from 'node:util';
import { filter } from 'rxjs';
import { apply, commands, decode, json, lookup, pipeline, reads, redis, run, scripted } from '../src/index.ts';
import { startRedis } from '../test/support/redis.ts';
import { here } from './here.ts';
import { type AdEvent, adEvents, campaignOfAd, windowOf } from './yahoo/ad-events.ts';

/**
 * The Yahoo streaming benchmark: ad events as JSON, their views, each ad's campaign looked up in Redis, views counted by campaign and ten
 * seconds of event time, into Redis:
 *
 *     node bench/yahoo.ts [--by millrace | loop] [--events 2000000]
 *
 * `loop` is a plain loop that does the same at most once: the campaigns in a Map from the beginning, the counts in another one, written to Redis
 * every 100,000 events. Prints one line of JSON: events, seconds, CPU seconds of this process and of the server, peak memory. Fails when a count in
 * Redis is wrong.
 */
const { values } = parseArgs({
  options: { by: { type: 'string', default: 'millrace' }, events: { type: 'string', default: '2000000' } },
});
const events = Number(values.events);
const WRITE_EVERY = 100_000;
const generate = adEvents();
const server = await startRedis({ settings: { appendonly: 'no' } });

try {
  await server.client.mset(campaignOfAd);
  const took = await here(values.by === 'loop' ? () => loop() : () => run(declared()));
  await check();
  process.stdout.write(`${JSON.stringify({ events, ...took })}\n`);
} finally {
  await server.stop();
}

function declared() {
  const store = redis(server.url);
  return pipeline('yahoo')
    .from(scripted({ generate, count: events, shards: 2 }))
    .pipe(
      decode(json<AdEvent>()),
      filter(({ data }) => data.event_type === 'view'),
      lookup({
        from: store,
        keys: ({ ad_id }) => [reads.get(ad_id)],
        attach: ({ event_time }, [campaign]) => ({ campaign, window: windowOf(event_time) }),
        cache: { entries: 10_000, for: { minutes: 10 } },
      }),
    )
    .to(apply(store, ({ campaign, window }) => [commands.hincrby(`campaign:${campaign}`, window, 1)], { maxEvents: 10_000 }));
}

async function loop(): Promise<void> {
  const counts = new Map<string, number>();
  for (let i = 0; i < events; i++) {
    const { event_type, ad_id, event_time } = parse(generate(i));
    if (event_type !== 'view') continue;
    const key = `${campaignOfAd.get(ad_id)} ${windowOf(event_time)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (i % WRITE_EVERY < 3) await write(counts);
  }
  await write(counts);
}

async function write(counts: Map<string, number>): Promise<void> {
  const sums = server.client.pipeline();
  for (const [key, count] of counts) sums.hincrby(`campaign:${key.split(' ')[0]}`, key.split(' ')[1]!, count);
  counts.clear();
  await sums.exec();
}

/** @throws {Error} when Redis does not have the count of each campaign and window */
async function check(): Promise<void> {
  const wanted = new Map<string, number>();
  for (let i = 0; i < events; i++) {
    const { event_type, ad_id, event_time } = parse(generate(i));
    if (event_type !== 'view') continue;
    const key = `campaign:${campaignOfAd.get(ad_id)} ${windowOf(event_time)}`;
    wanted.set(key, (wanted.get(key) ?? 0) + 1);
  }
  const asked = server.client.pipeline();
  for (const campaign of new Set(campaignOfAd.values())) asked.hgetall(`campaign:${campaign}`);
  const found = new Map<string, number>();
  for (const [i, [, hash]] of (await asked.exec())!.entries())
    for (const [window, count] of Object.entries(hash as Record<string, string>))
      found.set(`campaign:${[...new Set(campaignOfAd.values())][i]} ${window}`, Number(count));
  if (found.size !== wanted.size) throw new Error(`bench: expected ${wanted.size} counts in Redis, got ${found.size}`);
  for (const [key, count] of wanted)
    if (found.get(key) !== count) throw new Error(`bench: expected ${count} views of ${key}, got ${found.get(key)}`);
}

function parse(bytes: Uint8Array): AdEvent {
  return JSON.parse((bytes as Buffer).toString()) as AdEvent;
}
