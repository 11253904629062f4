import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Compression } from '../../sinks/pack-lines.ts';
import { cutLines, withoutNewline } from '../cut-lines.ts';

const PIECE_BYTES = 1024 * 1024;

/**
 * Decompresses what `packLines` packed, off the main thread, and gives its lines, without their newlines, as many at a time as end in a
 * piece of 1 MiB. Holds two pieces, and a line that goes on.
 *
 * @throws {Error} when it cannot be decompressed to its end, or a line is too long
 */
export async function* unpackLines(packed: Uint8Array, compression: Compression): AsyncGenerator<readonly Uint8Array[], void> {
  // Who wrote it by hand may have left out the last newline.
  for await (const lines of cutLines(unpacked(packed, compression))) yield lines.map(withoutNewline);
}

async function* unpacked(packed: Uint8Array, compression: Compression): AsyncGenerator<Uint8Array, void> {
  const options = { chunkSize: PIECE_BYTES };
  // Node's own decompressor of zstd reads no further than the first frame, and who put objects together by hand made several.
  let at = 0;
  do {
    const pieces = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
    pieces.end(packed.subarray(at));
    yield* pieces as AsyncIterable<Buffer>;
    at += pieces.bytesWritten;
  } while (compression === 'zstd' && at < packed.length);
}
