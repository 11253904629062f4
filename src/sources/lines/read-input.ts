import type { Readable } from 'node:stream';
import { isPosition } from '../../position.ts';
import { NEWLINE, cutLines } from '../text/cut-lines.ts';
import { ownMemory } from '../text/own-memory.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import { isBehind, placeOf, sequenceOf } from './input-place.ts';
import { LineFeed, type LineFeedOptions } from './line-feed.ts';
import type { Spool } from './spool.ts';

export type InputFeedOptions = Omit<LineFeedOptions, 'sequenceOf' | 'since' | 'behind'>;

/**
 * Reads the lines of a stream as they come, until it ends; first those that an earlier run left in the spool. Resolves with false when the signal ended it;
 * then the stream is destroyed.
 *
 * All that comes is new, whenever it arrived, and cannot be read again but from the spool: a sequence number begins with the time at which reading began, so that
 * those of a later run are greater.
 */
export async function readInput(
  reading: ShardReading,
  input: Readable,
  options: InputFeedOptions,
  spool: Spool | undefined,
): Promise<boolean> {
  const { shard, ledger, scheduler, signal } = reading;
  if ((input.destroyed && !input.errored) || input.readableEnded)
    throw new Error(`lines: ${shard.id}: expected a stream that was not read yet, got one that was: it cannot be read again`);
  const end = (): void => void input.destroy();
  signal.addEventListener('abort', end, { once: true });
  // It may fail while the spool is read, and an error that nobody hears of ends the process; who reads it then is told.
  input.on('error', ignore);
  try {
    if (spool && !(await readSpooled(reading, options, spool))) return false;
    const beganAtMs = Math.max(Math.ceil(scheduler.now()), lastBeganAtMs(reading, spool) + 1);
    const feed = new LineFeed(reading, { ...options, sequenceOf: (at) => sequenceOf({ beganAtMs, end: at }) }, 0);
    for await (const blocks of cutLines(bytesOf(input))) {
      const nowMs = scheduler.now();
      if (spool) {
        const settled = ledger.checkpoint(shard.id);
        const facts = { readAtMs: nowMs, lineBeforeAtMs: feed.lineBeforeAtMs, settled: settled && placeOf(settled) };
        const parts = blocks.map(({ text }) => text);
        await spool.write(parts, { beganAtMs, beginsAt: feed.at }, facts);
      }
      if (!(await feed.emit(blocks, { usualMs: nowMs, latestMs: nowMs }))) return false;
    }
    return !signal.aborted;
  } catch (cause) {
    if (signal.aborted) return false;
    throw new Error(`lines: ${shard.id}: ${(cause as Error).message}`, { cause });
  } finally {
    signal.removeEventListener('abort', end);
    input.off('error', ignore);
  }
}

/** Reads what earlier runs had read, as they did. Resolves with false when the signal ended it. */
async function readSpooled(reading: ShardReading, options: InputFeedOptions, spool: Spool): Promise<boolean> {
  const { report, resume, shard, signal } = reading;
  const { where, sizeBytes, cutBytes } = spool;
  // Of a text records are made, which may lie across the place where a sink stands; none does across what was settled.
  const stands = options.of === 'line' && isPosition(resume) ? placeOf(resume) : undefined;
  const done = stands && isBehind(stands, spool.settled) ? stands : spool.settled;
  if (sizeBytes + cutBytes > 0) report({ type: 'spool-read', shard: shard.id, where, sizeBytes, cutBytes });
  for await (const { beganAtMs, beginsAt, bytes, readAtMs, lineBeforeAtMs } of spool.earlier()) {
    if (signal.aborted) return false;
    const end = beginsAt + bytes.length;
    if (done && !isBehind({ beganAtMs, end }, done)) continue;
    const feedOptions = {
      ...options,
      behind: done?.beganAtMs === beganAtMs ? done.end : undefined,
      sequenceOf: (at: number) => sequenceOf({ beganAtMs, end: Math.min(at, end) }),
    };
    const feed = new LineFeed(reading, feedOptions, beginsAt, lineBeforeAtMs);
    // The text of a run that ended without a newline does not go on in what the next one reads.
    const isCut = options.of === 'text' && bytes.at(-1) !== NEWLINE;
    const text = isCut ? ownMemory(Buffer.concat([bytes, Buffer.of(NEWLINE)])) : bytes;
    for await (const blocks of cutLines(one(text)))
      if (!(await feed.emit(blocks, { usualMs: readAtMs, latestMs: readAtMs }))) return false;
  }
  return true;
}

/**
 * When the last run began of which anything is known. What lies at or before where a sink stands is not given to it, and a clock may have been set back
 * since.
 */
function lastBeganAtMs({ ledger, resume, shard }: ShardReading, spool: Spool | undefined): number {
  const stood = ledger.sinkStands.lastPosition(shard.id) ?? (isPosition(resume) ? resume : undefined);
  return Math.max(stood ? placeOf(stood).beganAtMs : 0, spool?.lastBeganAtMs ?? 0);
}

const ignore = (): void => {};

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

async function* bytesOf(input: Readable): AsyncGenerator<Uint8Array, void> {
  for await (const piece of input as AsyncIterable<unknown>) {
    if (!(piece instanceof Uint8Array))
      throw new TypeError(`expected a stream of bytes, as without setEncoding, got a ${typeof piece}`);
    yield piece;
  }
}
