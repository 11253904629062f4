import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Compression } from '../sinks/pack-lines.ts';
import { ownMemory } from './own-memory.ts';

export interface PackedText {
  /** Its bytes from a place on, in pieces. */
  readonly bytesFrom: (at: number) => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly sizeBytes: number;
  readonly compression: Compression;
  /** How large the pieces are that come out. */
  readonly pieceBytes: number;
}

/**
 * Decompresses a text, off the main thread, all members of gzip and all frames of zstd.
 *
 * @throws {Error} when it cannot be decompressed to its end
 */
export async function* unpackText(packed: PackedText): AsyncGenerator<Uint8Array, void> {
  const { bytesFrom, sizeBytes, compression, pieceBytes: chunkSize } = packed;
  // Node's own decompressor of zstd reads no further than the first frame; there is one for each time that something was appended.
  let at = 0;
  do {
    const unpacker = compression === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize });
    // What fails comes out of the iteration.
    const pieces = pipeline(bytesFrom(at), unpacker, () => {}) as AsyncIterable<Buffer>;
    for await (const piece of pieces) yield ownMemory(piece);
    at += unpacker.bytesWritten;
  } while (compression === 'zstd' && at < sizeBytes);
}
