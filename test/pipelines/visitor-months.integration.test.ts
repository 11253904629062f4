import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type Action, visitorChanges } from '../../pipelines/visitor-keys.ts';
import { weights } from '../../pipelines/realtime.ts';
import type { Event } from '../../src/event.ts';
import type { OpenCommandStore } from '../../src/stores/command-store.ts';
import { CommandMerger } from '../../src/stores/commands/merge-commands.ts';
import { redis } from '../../src/stores/redis.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';

const DAY_MS = 86_400_000;
const SINCE_MS = Date.UTC(2026, 9, 1);
const KEPT_MS = 90 * DAY_MS;
/** So much sooner a sorted set may vanish. */
const SOONER_MS = 22 * 3_600_000;
const owner = { pipeline: 'realtime', sink: 'apply' };

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'no' } });
});
afterAll(() => server.stop());
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: SINCE_MS }));
afterEach(() => void vi.useRealTimers());

// More products than a set keeps, of which some have the same score, and which bytes and UTF-16 order in two ways.
const skus = Array.from({ length: 160 }, (_, i) => `${['', 'é', '\u{1F6D2}', '\uFF5E'][i % 4]}${i}`);
const similarOf = new Map(
  skus.map((sku, i) => [sku, Array.from({ length: i % 21 }, (_, j) => [skus[(i * 7 + j * 11) % 160]!, 1 - j / 25] as const)]),
);
const action = fc.record({
  user: fc.constantFrom('u', 'u', 'u', '}x'),
  sku: fc.oneof(fc.constantFrom(...skus.slice(0, 3)), fc.constantFrom(...skus)),
  brand: fc.option(
    fc.nat(120).map((n) => `b${n}`),
    { nil: undefined },
  ),
  action: fc.constantFrom(...Object.keys(weights)),
});
const calls = fc.array(fc.array(action, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 3 });
const step = fc.oneof(
  { weight: 12, arbitrary: calls.map((its) => ({ calls: its })) },
  { weight: 6, arbitrary: fc.constantFrom(60_000, DAY_MS / 2, DAY_MS, 9 * DAY_MS).map((waitMs) => ({ waitMs })) },
  { weight: 1, arbitrary: fc.integer({ min: 85, max: 95 }).map((days) => ({ waitMs: days * DAY_MS })) },
  { weight: 1, arbitrary: fc.constantFrom(0, 60, 1_000_000).map((rememberScores) => ({ rememberScores })) },
  { weight: 2, arbitrary: fc.nat(9).map((deletes) => ({ deletes })) },
);
type Done = Omit<Action, 'weight' | 'similar'>;

it('holds for each visitor what docs/visitor-keys.md says, over months, whatever expires, is deleted, or begins anew', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 60 }), async (steps) => {
      await server.client.flushall();
      vi.setSystemTime(SINCE_MS);
      const expected = new Visitors();
      let store = await opened(1_000_000);
      let sequence = 0;
      for (const one of steps) {
        if ('calls' in one) {
          for (const done of one.calls.flat()) expected.add(done);
          sequence = await bring(store, one.calls, sequence);
        } else if ('waitMs' in one) await wait(one.waitMs, expected);
        else if ('deletes' in one) {
          const key = [...expected.keys.keys()][one.deletes];
          if (key !== undefined) await server.client.del(key);
          if (key !== undefined) expected.keys.delete(key);
        } else {
          await store.close();
          store = await opened(one.rememberScores);
        }
        await compare(expected);
      }
      await store.close();
    }),
    { numRuns: 15 },
  );
});

async function opened(rememberScores: number): Promise<OpenCommandStore> {
  const store = await redis(server.url, { rememberScores }).open({ report: () => {} });
  await store.acquire(owner, 'a');
  return store;
}

const at = (sequence: number) => ({ shard: 'a', sequence: String(sequence), subSequence: 0 });

/** Up to three calls under way at once; again what did not take place. */
async function bring(store: OpenCommandStore, all: readonly (readonly Done[])[], from: number): Promise<number> {
  let waiting = all.map((events, i) => ({ events, sequence: from + i + 1 }));
  while (waiting.length > 0) {
    const ended = await Promise.allSettled(
      waiting.map(({ events, sequence }, i) => {
        const merger = new CommandMerger();
        for (const [j, done] of events.entries()) for (const command of changesOf(done)) merger.add(command, j);
        const places = events.map(() => ({ position: at(sequence), arrivedAtMs: 0 }));
        const positions = new Map([['a', at(sequence)]]);
        return store.execute(owner, { events: places, commands: merger.take(), positions, goesOn: i > 0 });
      }),
    );
    for (const one of ended) if (one.status === 'fulfilled') expect(one.value).toEqual([]);
    const stands = (await store.positions(owner, ['a'])).get('a') as { readonly sequence?: string } | undefined;
    waiting = waiting.filter(({ sequence }) => sequence > Number(stands?.sequence ?? 0));
  }
  return from + all.length;
}

function changesOf(done: Done) {
  const weight = weights[done.action as keyof typeof weights];
  return visitorChanges({ ...done, weight, similar: similarOf.get(done.sku)! }, { arrivedAtMs: Date.now() } as Event<unknown>);
}

/** Lets time pass, here and on the server. */
async function wait(ms: number, expected: Visitors): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  const { client } = server;
  for (const key of await client.keys('*:{*')) {
    const left = await client.pttl(key);
    await (left > ms ? client.pexpire(key, String(left - ms)) : client.del(key));
  }
  // Of a sorted set that may have gone, only the server knows.
  for (const [key, { untilMs }] of expected.keys)
    if (untilMs - SOONER_MS <= Date.now() && (await client.exists(key)) === 0) expected.keys.delete(key);
}

async function compare({ keys }: Visitors): Promise<void> {
  const { client } = server;
  expect((await client.keys('*:{*')).sort()).toEqual([...keys.keys()].sort());
  for (const [key, { held, untilMs }] of keys) {
    if (Array.isArray(held)) expect(await client.lrange(key, 0, -1)).toEqual(held);
    else if (held instanceof Set) expect((await client.smembers(key)).sort()).toEqual([...held].sort());
    else {
      const found = (await client.call('ZRANGE', key, '0', '-1', 'WITHSCORES')) as string[];
      expect(found.filter((_, i) => i % 2 === 0)).toEqual(lowestFirst(held).map(([member]) => member));
      expect(found.filter((_, i) => i % 2 === 1).map(Number)).toEqual(lowestFirst(held).map(([, score]) => score));
    }
    const leftMs = await client.pttl(key);
    expect(leftMs).toBeLessThanOrEqual(untilMs - Date.now());
    expect(leftMs).toBeGreaterThan(untilMs - Date.now() - (held instanceof Map ? SOONER_MS : 0) - 60_000);
  }
}

type Held = string[] | Set<string> | Map<string, number>;

function lowestFirst(scores: ReadonlyMap<string, number>): [string, number][] {
  return [...scores].sort(([a, x], [b, y]) => x - y || Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** The keys as the docs tell of them, in Maps. */
class Visitors {
  readonly keys = new Map<string, { held: Held; untilMs: number }>();

  add({ user, sku, brand, action: kind }: Done): void {
    const tag = `:{${user.startsWith('}') ? '\\' : ''}${user}}`;
    const steps = Math.floor((Date.now() - SINCE_MS) / ((7 * DAY_MS) / 128));
    const score = Math.round(weights[kind as keyof typeof weights] * (1000 * 2 ** (steps / 128)));
    this.#rank(`interest${tag}`, [[sku, score]]);
    if (brand !== undefined) this.#rank(`brands${tag}`, [[brand, score]]);
    if (kind.endsWith('view')) {
      const viewed = (this.keys.get(`viewed${tag}`)?.held ?? []) as string[];
      this.#keep(`viewed${tag}`, [sku, ...viewed.filter((one) => one !== sku)].slice(0, 20));
    }
    const bought = (this.keys.get(`bought${tag}`)?.held ?? new Set()) as Set<string>;
    if (kind === 'transaction_item') {
      this.#keep(`bought${tag}`, bought.add(sku));
      const recommended = this.keys.get(`recommended${tag}`)?.held as Map<string, number> | undefined;
      recommended?.delete(sku);
      if (recommended?.size === 0) this.keys.delete(`recommended${tag}`);
    }
    const shares = similarOf.get(sku)!.filter(([other]) => !bought.has(other));
    this.#rank(
      `recommended${tag}`,
      shares.map(([other, share]) => [other, Math.round(share * score)]),
    );
  }

  #rank(key: string, scores: readonly (readonly [member: string, by: number])[]): void {
    const held = (this.keys.get(key)?.held ?? new Map()) as Map<string, number>;
    for (const [member, by] of scores) held.set(member, (held.get(member) ?? 0) + by);
    for (const [member] of lowestFirst(held).slice(0, Math.max(0, held.size - 100))) held.delete(member);
    if (held.size > 0) this.#keep(key, held);
  }

  #keep(key: string, held: Held): void {
    this.keys.set(key, { held, untilMs: Date.now() + KEPT_MS });
  }
}
