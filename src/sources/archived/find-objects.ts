import { type Position, compareSequences } from '../../position.ts';
import { hourPrefix, parseObjectKey } from '../../sinks/object-key.ts';
import type { Compression } from '../../sinks/pack-lines.ts';
import type { OpenObjectStore } from '../../stores/object-store.ts';
import type { TimeRange } from '../time-range.ts';

const HOUR_MS = 3_600_000;
/** How many hours are listed at a time. */
const HOURS_AT_ONCE = 8;
/** Each is kept by its key, in some 250 bytes: a year of minutes of one shard. */
const MAX_OBJECTS = 600_000;
/** How many digits of the sequence number of an object's lines are its first position's sub-sequence number. */
const SUB_SEQUENCE_DIGITS = 10;

const COMPRESSIONS: Readonly<Record<string, Compression>> = { 'tsv.gz': 'gzip', 'tsv.zst': 'zstd' };

/** An object of an archive, by what its key tells. */
export interface FoundObject {
  readonly key: string;
  /** What its lines have for a sequence number. */
  readonly sequence: string;
}

/** What the key of an object tells, once more. */
export interface KeyFacts {
  readonly minuteMs: number;
  readonly first: Position;
  readonly compression: Compression;
}

/**
 * Finds the objects of an archive whose windows begin in a range, by shard, in the order of their first positions: that of the stream.
 *
 * @param signal ends it between two hours, with its reason
 * @throws {Error} when a key that begins like one of that time is none of an archive's, or when there are too many
 */
export async function findObjects(
  store: OpenObjectStore,
  prefix: string,
  { since, until }: TimeRange,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, readonly FoundObject[]>> {
  const byShard = new Map<string, FoundObject[]>();
  let count = 0;
  let nextMs = Math.floor(since.getTime() / HOUR_MS) * HOUR_MS;
  const list = async (): Promise<void> => {
    while (nextMs < until.getTime()) {
      signal?.throwIfAborted();
      const hour = hourPrefix(prefix, nextMs);
      nextMs += HOUR_MS;
      for await (const key of store.list(hour)) {
        const { minuteMs, first } = factsOf(prefix, key);
        if (minuteMs < since.getTime() || minuteMs >= until.getTime()) continue;
        if (++count > MAX_OBJECTS)
          throw new RangeError(`archived: expected up to ${MAX_OBJECTS} objects, got more: read them in shorter ranges`);
        const objects = byShard.get(first.shard);
        const object = { key, sequence: sequenceOf(first) };
        if (objects) objects.push(object);
        else byShard.set(first.shard, [object]);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: HOURS_AT_ONCE }, list));
  } finally {
    // Where one has failed, the others need not go on.
    nextMs = until.getTime();
  }
  for (const objects of byShard.values())
    objects.sort((a, b) => compareSequences(a.sequence, b.sequence) || (a.key < b.key ? -1 : 1));
  return byShard;
}

/** @throws {Error} when the key is none of an archive's */
export function factsOf(prefix: string, key: string): KeyFacts {
  const place = parseObjectKey(prefix, key);
  const compression = place && COMPRESSIONS[place.extension];
  if (compression) return { minuteMs: place.minuteMs, first: place.first, compression };
  throw new Error(
    `archived: expected keys like ${prefix}/2026/11/22/0900-<shard>-<sequence>.tsv.gz, got ${key}; what is not the archive's has to lie elsewhere`,
  );
}

/**
 * Makes one number of an object's first position, greater the greater that is: `100:57` becomes `1000000000057`. Lines are numbered from 1 below
 * it, as the parts of a record that holds others are, so no line has the place of another, wherever an object begins.
 */
function sequenceOf({ sequence, subSequence }: Position): string {
  return sequence + String(subSequence).padStart(SUB_SEQUENCE_DIGITS, '0');
}
