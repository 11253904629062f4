import { formatResume } from '../../position.ts';
import type { Compression } from '../../sinks/pack-lines.ts';
import type { ObjectHead, OpenObjectStore } from '../../stores/object-store.ts';
import { type KeyFacts, factsOf } from './find-objects.ts';
import { unpackLines } from './unpack-lines.ts';

const MINUTE_MS = 60_000;

/** An object that was fetched, and found whole. */
export interface FetchedObject {
  readonly body: Uint8Array;
  readonly compression: Compression;
  /** When its window began, in milliseconds since 1970. */
  readonly startMs: number;
  /** How many lines it has. */
  readonly count: number;
  /** Whether its metadata, where it has any, say so too. */
  readonly hasMetadata: boolean;
}

/**
 * Fetches an object, and looks it through from end to end, so that of one which is damaged no line is given out.
 *
 * Without metadata, which a copy by hand may lose, its window began with the minute in its key.
 *
 * @throws {Error} when it is gone, cannot be decompressed, has another number of lines than its metadata say, or lies under a key that is not its own
 */
export async function fetchObject(store: OpenObjectStore, prefix: string, key: string): Promise<FetchedObject> {
  const facts = factsOf(prefix, key);
  const found = await store.get(key);
  if (!found) throw new Error(`archived: expected ${key} in ${prefix}, as it was listed, got nothing: it has been removed`);
  const { body, metadata } = found;
  const startMs = startOf(key, facts, metadata);
  const count = await countLines(key, facts.compression, body);
  const expected = metadata['count'];
  if (expected !== undefined && expected !== String(count)) {
    const why = count > Number(expected) ? ': an event with a newline inside is more than one line' : '';
    throw new Error(`archived: expected ${expected} lines in ${key}, as its metadata say, got ${count}${why}`);
  }
  return { body, compression: facts.compression, startMs, count, hasMetadata: expected !== undefined };
}

function startOf(key: string, { minuteMs, first }: KeyFacts, { start, first: foundFirst }: ObjectHead['metadata']): number {
  if (foundFirst !== undefined && foundFirst !== formatResume(first))
    throw new Error(
      `archived: expected ${formatResume(first)} as the first position of ${key}, got ${foundFirst}: it lies under another one's key`,
    );
  // Empty objects have none either: they only keep a key closed.
  if (start === undefined) return minuteMs;
  const startMs = Date.parse(start);
  if (startMs >= minuteMs && startMs < minuteMs + MINUTE_MS) return startMs;
  throw new Error(`archived: expected a start in the minute of ${key}, got ${start}: it lies under another one's key`);
}

async function countLines(key: string, compression: Compression, body: Uint8Array): Promise<number> {
  let count = 0;
  try {
    for await (const blocks of unpackLines(body, compression)) for (const block of blocks) count += block.count;
  } catch (error) {
    throw new Error(
      `archived: expected lines packed by ${compression} in ${key}, got what cannot be unpacked: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  return count;
}
