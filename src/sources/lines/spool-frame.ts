import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { ownMemory } from '../text/own-memory.ts';
import type { InputPlace } from './input-place.ts';

/** What is known of lines that were read in one go. */
export interface FrameFacts {
  readonly readAtMs: number;
  /** When the line before them arrived, if there was one. */
  readonly lineBeforeAtMs: number | undefined;
  /** Up to where all that was read before them was settled when they were written. */
  readonly settled: InputPlace | undefined;
}

/** Whole lines as they lie in a spool, newlines and all. */
export interface Frame extends FrameFacts {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Before the lines of a frame, little-endian: `mlr1`, how many bytes they have, and a CRC-32 of all that follows; then, as doubles, when they were read, when the
 * line before them arrived (NaN when there was none), and up to where all was settled (zeros when nothing was).
 */
const HEAD_BYTES = 44;
const MAGIC = 0x31726c6d;
const CHECKED_FROM = 12;

/** The head of a frame, to be written before its lines. */
export function headOf(parts: readonly Uint8Array[], { readAtMs, lineBeforeAtMs, settled }: FrameFacts): Uint8Array {
  const head = new DataView(new ArrayBuffer(HEAD_BYTES));
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  head.setUint32(0, MAGIC, true);
  head.setUint32(4, size, true);
  const facts = [readAtMs, lineBeforeAtMs ?? NaN, settled?.beganAtMs ?? 0, settled?.end ?? 0];
  for (const [i, fact] of facts.entries()) head.setFloat64(CHECKED_FROM + 8 * i, fact, true);
  const bytes = new Uint8Array(head.buffer);
  head.setUint32(8, checksum(bytes, parts), true);
  return bytes;
}

/**
 * Reads the frames of a file. Of the last one a part may be missing, when the process was killed while it wrote: nobody has seen its lines.
 *
 * @returns how many bytes there are of that part
 * @throws {Error} when a frame is not as it was written
 */
export async function* readFrames(path: string): AsyncGenerator<Frame, number> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    let at = 0;
    while (at + HEAD_BYTES <= size) {
      const head = await read(HEAD_BYTES);
      const view = new DataView(head.buffer);
      if (view.getUint32(0, true) !== MAGIC) throw damaged(path, at);
      const length = view.getUint32(4, true);
      if (at + HEAD_BYTES + length > size) break;
      const bytes = await read(length, HEAD_BYTES);
      if (view.getUint32(8, true) !== checksum(head, [bytes])) throw damaged(path, at);
      at += HEAD_BYTES + length;
      const fact = (index: number): number => view.getFloat64(CHECKED_FROM + 8 * index, true);
      const [lineBeforeAtMs, beganAtMs] = [fact(1), fact(2)];
      yield {
        readAtMs: fact(0),
        lineBeforeAtMs: Number.isNaN(lineBeforeAtMs) ? undefined : lineBeforeAtMs,
        settled: beganAtMs === 0 ? undefined : { beganAtMs, end: fact(3) },
        bytes,
      };
    }
    return size - at;

    async function read(length: number, behind = 0): Promise<Uint8Array<ArrayBuffer>> {
      const bytes = ownMemory(new Uint8Array(length));
      const { bytesRead } = await file.read(bytes, 0, length, at + behind);
      if (bytesRead < length) throw damaged(path, at);
      return bytes;
    }
  } finally {
    await file.close();
  }
}

function checksum(head: Uint8Array, parts: readonly Uint8Array[]): number {
  return parts.reduce((crc, part) => crc32(part, crc), crc32(head.subarray(CHECKED_FROM)));
}

function damaged(path: string, at: number): Error {
  return new Error(
    `${path} is damaged: what lies at byte ${at} is not as it was written. Move it away, and what an earlier run read and did not store is not stored`,
  );
}
