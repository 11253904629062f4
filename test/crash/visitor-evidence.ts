import { GetRecordsCommand, GetShardIteratorCommand, type KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis';
import type { Redis } from 'ioredis';
import type { FoundReject } from './checker.ts';
import type { ExpectedVisitors, Held, Products } from './visitor-oracle.ts';

/** What the realtime pipeline has left in Redis. */
export interface FoundVisitors {
  readonly keys: ReadonlyMap<string, Held>;
  /** The places of its rejects. */
  readonly rejected: ReadonlySet<string>;
  /** Those among the keys of visitors that never expire. */
  readonly everlasting: readonly string[];
}

/** What the keys of visitors begin with. */
export const VISITOR_PREFIXES = ['viewed', 'interest', 'brands', 'recommended', 'bought'] as const;
/** Scores may differ by so much of themselves. */
const TOLERANCE = 1e-9;

/** Does the nightly job's work. */
export async function fillProducts(redis: Redis, { similar, brands }: Products): Promise<void> {
  for (const [sku, likes] of similar)
    await redis.zadd(`similar:${sku}`, ...[...likes].flatMap(([other, like]) => [String(like), other]));
  for (const [sku, brand] of brands) await redis.set(`brand:${sku}`, brand);
}

/** Reads all that the pipeline of this name has written for its visitors. */
export async function readVisitors(redis: Redis, pipeline = 'realtime'): Promise<FoundVisitors> {
  const found = new Map<string, Held>();
  const everlasting: string[] = [];
  for (const prefix of VISITOR_PREFIXES)
    for (const key of await redis.keys(`${prefix}:*`)) {
      found.set(key, await heldBy(redis, key));
      if ((await redis.pttl(key)) < 0) everlasting.push(key);
    }
  const rejects = await redis.zrange(`millrace:rejects:${pipeline}`, '0', '-1');
  // millrace:reject:<pipeline>:<sink>:<shard>:<sequence>:<sub-sequence>:<step>
  const places = rejects.map((key) => key.split(':').slice(4, 7).join(':'));
  return { keys: found, rejected: new Set(places), everlasting };
}

async function heldBy(redis: Redis, key: string): Promise<Held> {
  switch (await redis.type(key)) {
    case 'list':
      return redis.lrange(key, '0', '-1');
    case 'set':
      return new Set(await redis.smembers(key));
    default: {
      const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES');
      return new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, Number(flat[2 * i + 1])]));
    }
  }
}

/** Says of each key and each reject that is not as it has to be what is wrong with it. */
export function visitorFaults(found: FoundVisitors, expected: ExpectedVisitors): string[] {
  const faults = found.everlasting.map((key) => `${key} never expires`);
  for (const key of new Set([...expected.keys.keys(), ...found.keys.keys()])) {
    const [is, shouldBe] = [found.keys.get(key), expected.keys.get(key)];
    if (!isSame(is, shouldBe)) faults.push(`${key}: ${differenceOf(is, shouldBe)}`);
  }
  for (const place of expected.rejected.difference(found.rejected)) faults.push(`${place} is no reject`);
  for (const place of found.rejected.difference(expected.rejected)) faults.push(`${place} is a reject`);
  return faults;
}

function isSame(a: Held | undefined, b: Held | undefined): boolean {
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([member, score]) => isNear(score, b.get(member) as number | undefined));
  if (a instanceof Set && b instanceof Set) return a.symmetricDifference(b).size === 0;
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((member, i) => member === b[i]);
}

function isNear(a: number, b: number | undefined): boolean {
  return b !== undefined && Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b));
}

/** What is wrong, and no more: a hundred scores would hide it. */
function differenceOf(is: Held | undefined, shouldBe: Held | undefined): string {
  if (!(is instanceof Map && shouldBe instanceof Map)) return `expected ${textOf(shouldBe)}, got ${textOf(is)}`;
  const members = [...new Set([...shouldBe.keys(), ...is.keys()])].filter(
    (member) => !is.has(member) || !isNear(is.get(member), shouldBe.get(member)),
  );
  return members.map((member) => `${member} expected ${shouldBe.get(member)}, got ${is.get(member)}`).join('; ');
}

function textOf(held: Held | undefined): string {
  return held === undefined ? 'nothing' : JSON.stringify([...held]);
}

/** Reads the rejects with their bytes, of the pipeline of this name. */
export async function readRejects(redis: Redis, pipeline = 'realtime'): Promise<FoundReject[]> {
  const keys = await redis.zrange(`millrace:rejects:${pipeline}`, '0', '-1');
  return Promise.all(
    keys.map(async (key) => {
      const [shard, sequence, subSequence] = key.split(':').slice(4, 7);
      const raw = await redis.hgetBuffer(key, 'raw');
      return { shard: shard!, sequence: sequence!, subSequence: Number(subSequence), text: raw?.toString('latin1') ?? '' };
    }),
  );
}

/**
 * Asks the stream itself when each of its records arrived: milliseconds since 1970, by `shard:sequence`.
 *
 * @param arrivals what an earlier call has read: those in it are not asked for again
 */
export async function readArrivals(
  client: KinesisClient,
  stream: string,
  arrivals = new Map<string, number>(),
): Promise<ReadonlyMap<string, number>> {
  const latest = new Map<string, string>();
  for (const place of arrivals.keys()) latest.set(...(place.split(':') as [shard: string, sequence: string]));
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: stream }));
  for (const { ShardId } of Shards) {
    const known = latest.get(ShardId!);
    const start = new GetShardIteratorCommand({
      StreamName: stream,
      ShardId,
      ...(known === undefined
        ? { ShardIteratorType: 'TRIM_HORIZON' }
        : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: known }),
    });
    let { ShardIterator: iterator } = await client.send(start);
    while (iterator !== undefined) {
      const answer = await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: 1000 }));
      for (const { SequenceNumber, ApproximateArrivalTimestamp } of answer.Records ?? [])
        arrivals.set(`${ShardId}:${SequenceNumber}`, ApproximateArrivalTimestamp!.getTime());
      iterator = answer.Records?.length || answer.MillisBehindLatest ? answer.NextShardIterator : undefined;
    }
  }
  return arrivals;
}
