import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Compression } from '../../sinks/pack-lines.ts';

const PIECE_BYTES = 1024 * 1024;
/** Longer ones no stream of ours has: Kinesis takes 10 MiB, and what is packed in that unpacks to 32 MiB. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 10;

/**
 * Decompresses what `packLines` packed, off the main thread, and gives its lines, without their newlines, as many at a time as end in a
 * piece of 1 MiB. Holds two pieces, and a line that goes on.
 *
 * @throws {Error} when it cannot be decompressed to its end, or a line is too long
 */
export async function* unpackLines(packed: Uint8Array, compression: Compression): AsyncGenerator<readonly Uint8Array[], void> {
  const options = { chunkSize: PIECE_BYTES };
  const pieces = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  pieces.end(packed);
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const piece of pieces as AsyncIterable<Buffer>) {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      const rest = piece.subarray(start, end);
      lines.push(begun.length === 0 ? rest : Buffer.concat([...begun, rest]));
      if (begun.length > 0) [begun, begunBytes] = [[], 0];
      start = end + 1;
    }
    if (start < piece.length) {
      begun.push(piece.subarray(start));
      begunBytes += piece.length - start;
      if (begunBytes > MAX_LINE_BYTES) throw new RangeError(`expected lines of up to ${MAX_LINE_BYTES} bytes, got a longer one`);
    }
    if (lines.length > 0) yield lines;
  }
  // Who wrote it by hand may have left out the last newline.
  if (begun.length > 0) yield [Buffer.concat(begun)];
}
