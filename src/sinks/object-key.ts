import { hash } from 'node:crypto';
import type { Position } from '../position.ts';

/** How many hexadecimal digits tell a shard from others whose names begin alike. */
const MARK_DIGITS = 16;

/**
 * What the longest rest of an object's name takes: 56 digits of Kinesis and ten of a line in an object of an archive, a sub-sequence number of ten. A
 * shard is shortened as if its objects had that, so that each is known by one name, however long its sequence numbers become.
 */
const REST_BYTES = `-${'9'.repeat(56 + 10)}.${'9'.repeat(10)}.ndjson.gz`.length;

/** What the key of an archive's object tells. */
export interface ObjectPlace {
  /** The minute in which its window begins, in milliseconds since 1970. */
  readonly minuteMs: number;
  /** Its shard is shortened where the name of all of it was too long. */
  readonly first: Position;
  readonly extension: string;
}

/**
 * Where an object of a shard lies: by the minute at which it begins, in UTC, and its first position, and nothing else.
 *
 * @param maxNameBytes the most that its name may have in the store
 */
export function objectKey(
  prefix: string,
  startMs: number,
  first: Position,
  extension: string,
  maxNameBytes = Number.POSITIVE_INFINITY,
): string {
  const { sequence, subSequence, shard } = first;
  const place = subSequence === 0 ? sequence : `${sequence}.${subSequence}`;
  const minute = new Date(startMs).toISOString().split(':')[1]!;
  const rest = `-${place}.${extension}`;
  const name = shardName(shard, maxNameBytes - 'hhmm-'.length - Math.max(REST_BYTES, rest.length));
  return `${hourPrefix(prefix, startMs)}${minute}-${name}${rest}`;
}

/**
 * A shard as a part of a file's name: all of it, where that fits, as most do; otherwise its beginning, and what tells it from others that begin
 * so. A long path is such a shard, or a recovery of a recovery.
 */
export function shardName(shard: string, maxBytes: number): string {
  const name = encodeURIComponent(shard);
  if (name.length <= maxBytes) return name;
  const mark = `~${hash('sha256', shard).slice(0, MARK_DIGITS)}`;
  let beginning = '';
  for (const character of shard) {
    const longer = beginning + encodeURIComponent(character);
    if (longer.length + mark.length > maxBytes) break;
    beginning = longer;
  }
  return beginning + mark;
}

/** What the keys of all objects begin with whose windows begin in one hour. */
export function hourPrefix(prefix: string, startMs: number): string {
  const [year, month, day, hour] = new Date(startMs).toISOString().split(/[-T:]/);
  return `${prefix}/${year}/${month}/${day}/${hour}`;
}

/** Reads what `objectKey` wrote; nothing when it did not write this. */
export function parseObjectKey(prefix: string, key: string): ObjectPlace | undefined {
  const [, year, month, day, hour, minute, name, sequence, subSequence = '0', extension] =
    /^(\d{4})\/(\d\d)\/(\d\d)\/(\d\d)(\d\d)-(.+)-(0|[1-9]\d*)(?:\.([1-9]\d{0,9}))?\.([\w.]+)$/.exec(
      key.slice(prefix.length + 1),
    ) ?? [];
  const minuteMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:00.000Z`);
  const shard = decoded(name);
  if (Number.isNaN(minuteMs) || shard === undefined) return undefined;
  const first = { shard, sequence: sequence!, subSequence: Number(subSequence) };
  return objectKey(prefix, minuteMs, first, extension!) === key ? { minuteMs, first, extension: extension! } : undefined;
}

function decoded(name: string | undefined): string | undefined {
  try {
    return name === undefined ? undefined : decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/**
 * Tells whether a prefix keeps the objects apart from our own documents.
 *
 * @throws {TypeError} when it does not
 */
export function checkPrefix(who: string, prefix: string): void {
  const parts = prefix.split('/');
  if (parts[0] === '_millrace' || parts.some((part) => part === '' || part === '.' || part === '..'))
    throw new TypeError(`${who}: expected a prefix like events or shop/events, got ${JSON.stringify(prefix)}`);
}
