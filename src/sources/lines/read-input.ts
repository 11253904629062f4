import type { Readable } from 'node:stream';
import { isPosition } from '../../position.ts';
import { cutLines } from '../text/cut-lines.ts';
import type { LineBlock } from '../text/line-block.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import { type InputPlace, isBehind, placeOf, sequenceOf } from './input-place.ts';
import { type Feed, LineFeed } from './line-feed.ts';
import type { Spool } from './spool.ts';

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
  options: Feed,
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
        const checkpoint = ledger.checkpoint(shard.id);
        const settled = checkpoint && placeOf(checkpoint);
        if (await spool.beginsFile(beginsRecord(blocks[0]!, options), settled)) feed.beginText();
        const parts = blocks.map(({ text }) => text);
        const facts = { readAtMs: nowMs, lineBeforeAtMs: feed.lineBeforeAtMs, settled };
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
async function readSpooled(reading: ShardReading, options: Feed, spool: Spool): Promise<boolean> {
  const { report, resume, shard, signal } = reading;
  const { where, sizeBytes, cutBytes } = spool;
  // Of a text all of the file comes again: the same is made of it, and sinks pass over what they have.
  const done = options.of === 'line' ? lastOf(spool.settled, isPosition(resume) ? placeOf(resume) : undefined) : undefined;
  if (sizeBytes + cutBytes > 0) report({ type: 'spool-read', shard: shard.id, where, sizeBytes, cutBytes });
  for await (const { beganAtMs, beginsAt, beginsFile, bytes, readAtMs, lineBeforeAtMs } of spool.earlier()) {
    if (signal.aborted) return false;
    if (done && !isBehind({ beganAtMs, end: beginsAt + bytes.length }, done)) continue;
    const feedOptions = {
      ...options,
      behind: done?.beganAtMs === beganAtMs ? done.end : undefined,
      sequenceOf: (at: number) => sequenceOf({ beganAtMs, end: at }),
    };
    const feed = new LineFeed(reading, feedOptions, beginsAt, lineBeforeAtMs);
    if (beginsFile) feed.beginText();
    for await (const blocks of cutLines(one(bytes)))
      if (!(await feed.emit(blocks, { usualMs: readAtMs, latestMs: readAtMs }))) return false;
  }
  return true;
}

/** Whether the first of some lines begins a record, by its time of arrival, which stands at a record's beginning; where lines do not tell, it may. */
function beginsRecord(block: LineBlock, { arrivedAt }: Feed): boolean {
  return !arrivedAt || arrivedAt(block.lineOf(0)) !== undefined;
}

function lastOf(a: InputPlace | undefined, b: InputPlace | undefined): InputPlace | undefined {
  return b && isBehind(b, a) ? b : a;
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
