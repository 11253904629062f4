import { LineBlock } from './line-block.ts';
import { ownMemory } from './own-memory.ts';

/** Longer ones no stream of ours has: Kinesis takes 10 MiB, and what is packed in that unpacks to 32 MiB. */
export const MAX_LINE_BYTES = 64 * 1024 * 1024;
export const NEWLINE = 10;

/**
 * Cuts a text that comes in pieces into lines, as many at a time as end in a piece. One that goes on from piece to piece is held, and is then a block
 * of its own; so is what has no newline at the end, which comes last and alone.
 *
 * @throws {RangeError} when a line is longer than 64 MiB
 */
export async function* cutLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<readonly LineBlock[], void> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const piece of pieces) {
    const blocks: LineBlock[] = [];
    let start = 0;
    if (begun.length > 0) {
      start = piece.indexOf(NEWLINE) + 1;
      if (start > 0) {
        blocks.push(oneLine([...begun, piece.subarray(0, start)]));
        [begun, begunBytes] = [[], 0];
      }
    }
    const starts: number[] = [];
    const ends: number[] = [];
    for (let end = piece.indexOf(NEWLINE, start) + 1; end > 0; end = piece.indexOf(NEWLINE, start) + 1) {
      starts.push(start);
      ends.push((start = end));
    }
    if (ends.length > 0) blocks.push(new LineBlock(piece, starts, ends));
    // A copy, made before the lines go out: with them the memory of the piece may be given back.
    const rest = start < piece.length ? new Uint8Array(piece.subarray(start)) : undefined;
    if (blocks.length > 0) yield blocks;
    if (!rest) continue;
    begun.push(rest);
    begunBytes += rest.length;
    if (begunBytes > MAX_LINE_BYTES) throw tooLong();
  }
  if (begun.length > 0) yield [oneLine(begun)];
}

/** A line of its own, of some parts, with or without a newline. */
export function oneLine(parts: readonly Uint8Array[]): LineBlock {
  const line = ownMemory(Buffer.concat(parts));
  return new LineBlock(line, [0], [line.length], line.at(-1) === NEWLINE ? undefined : line.length);
}

export function tooLong(): RangeError {
  return new RangeError(`expected lines of up to ${MAX_LINE_BYTES} bytes, got a longer one`);
}
