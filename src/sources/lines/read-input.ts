import type { Readable } from 'node:stream';
import { isPosition } from '../../position.ts';
import { cutLines } from '../cut-lines.ts';
import type { ShardReading } from '../read-shards.ts';
import { LineFeed, type LineFeedOptions } from './line-feed.ts';

/** So many digits of a sequence number say where a line ends: ten terabytes. */
const END_DIGITS = 13;

/**
 * Reads the lines of a stream as they come, until it ends. Resolves with false when the signal ended it; then the stream is destroyed.
 *
 * All that comes is new, whenever it arrived, and cannot be read again: a sequence number begins with the time at which reading began, so that those of a
 * later run are greater.
 */
export async function readInput(
  reading: ShardReading,
  input: Readable,
  options: Omit<LineFeedOptions, 'sequenceOf' | 'since'>,
): Promise<boolean> {
  const { resume, shard, ledger, scheduler, signal } = reading;
  if ((input.destroyed && !input.errored) || input.readableEnded)
    throw new Error(`lines: ${shard.id}: expected a stream that was not read yet, got one that was: it cannot be read again`);
  // Behind all that any sink has, be it by a clock that was ahead: what lies at or before where a sink stands is not given to it.
  const stood = ledger.sinkStands.lastPosition(shard.id) ?? (isPosition(resume) ? resume : undefined);
  const stoodAtMs = stood ? Number(stood.sequence.slice(0, -END_DIGITS)) : 0;
  const beganAtMs = Math.max(Math.ceil(scheduler.now()), stoodAtMs + 1);
  const sequenceOf = (end: number): string => `${beganAtMs}${String(end).padStart(END_DIGITS, '0')}`;
  const feed = new LineFeed(reading, { ...options, sequenceOf }, 0);
  const end = (): void => void input.destroy();
  signal.addEventListener('abort', end, { once: true });
  try {
    for await (const blocks of cutLines(bytesOf(input))) {
      const nowMs = scheduler.now();
      if (!(await feed.emit(blocks, { usualMs: nowMs, latestMs: nowMs }))) return false;
    }
    return !signal.aborted;
  } catch (cause) {
    if (signal.aborted) return false;
    throw new Error(`lines: ${shard.id}: ${(cause as Error).message}`, { cause });
  } finally {
    signal.removeEventListener('abort', end);
  }
}

async function* bytesOf(input: Readable): AsyncGenerator<Uint8Array, void> {
  for await (const piece of input as AsyncIterable<unknown>) {
    if (!(piece instanceof Uint8Array))
      throw new TypeError(`expected a stream of bytes, as without setEncoding, got a ${typeof piece}`);
    yield piece;
  }
}
