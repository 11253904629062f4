import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Compression } from '../../sinks/pack-lines.ts';
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
 * Decompresses a text, off the main thread, all members of gzip and all frames of zstd. Zeros at the end of gzip's are passed over, as it does itself.
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
  // Node's own decompressor of gzip takes a zero for the end of all, which what was written last before a loss of power may be full of.
  if (at < sizeBytes) for await (const piece of bytesFrom(at)) if (piece.some((byte) => byte !== 0)) throw zerosInside();
}

function zerosInside(): Error {
  return new Error('expected members of gzip one behind the other, got zeros between two of them');
}
