import type { Compression } from '../../sinks/pack-lines.ts';
import { unpackText } from '../text/unpack-text.ts';
import type { OpenFile } from './text-file.ts';

const PACKED_PIECE_BYTES = 64 * 1024;

/** Reads what lies between two places, in pieces; holds two of them. */
export async function* piecesOf(
  file: OpenFile,
  from: number,
  end: number,
  pieceBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const readAt = (at: number): Promise<Uint8Array> => {
    const read = file.read(at, Math.min(pieceBytes, end - at));
    // It may fail before anybody waits for it.
    read.catch(() => {});
    return read;
  };
  // The next piece is read while this one is worked on.
  let coming = readAt(from);
  try {
    for (let at = from; at < end;) {
      signal?.throwIfAborted();
      const piece = await coming;
      if (piece.length === 0) throw new Error(`expected the ${end} bytes that were found, got ${at}: it was cut meanwhile`);
      at += piece.length;
      if (at < end) coming = readAt(at);
      yield piece;
    }
  } finally {
    // Nobody may close the file before.
    await coming.catch(() => {});
  }
}

/** Decompresses what lies before a place. */
export function unpackedText(
  file: OpenFile,
  compression: Compression,
  end: number,
  pieceBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const bytesFrom = (at: number): AsyncIterable<Uint8Array> => piecesOf(file, at, end, PACKED_PIECE_BYTES, signal);
  return unpackText({ bytesFrom, sizeBytes: end, compression, pieceBytes });
}
