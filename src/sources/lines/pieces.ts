import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Compression } from '../../sinks/pack-lines.ts';

const PACKED_PIECE_BYTES = 64 * 1024;

/** Reads what lies between two places, in pieces. */
export async function* piecesOf(
  handle: FileHandle,
  from: number,
  end: number,
  pieceBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  for (let at = from; at < end;) {
    signal?.throwIfAborted();
    const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - at));
    const { bytesRead } = await handle.read(piece, 0, piece.length, at);
    if (bytesRead === 0) throw new Error(`expected the ${end} bytes that were found, got ${at}: it was cut meanwhile`);
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** Decompresses what lies before a place. */
export async function* unpackedText(
  handle: FileHandle,
  compression: Compression,
  end: number,
  chunkSize: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  // Node's own decompressor of zstd reads no further than the first frame, of which there is one for each time that something was appended.
  let at = 0;
  do {
    const unpacker = compression === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
    // What fails comes out of the iteration.
    yield* pipeline(piecesOf(handle, at, end, PACKED_PIECE_BYTES, signal), unpacker, () => {}) as AsyncIterable<Buffer>;
    at += unpacker.bytesWritten;
  } while (compression === 'zstd' && at < end);
}
