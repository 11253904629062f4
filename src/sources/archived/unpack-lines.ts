import type { Compression } from '../../sinks/pack-lines.ts';
import { cutLines } from '../text/cut-lines.ts';
import type { LineBlock } from '../text/line-block.ts';
import { unpackText } from '../text/unpack-text.ts';

const PIECE_BYTES = 1024 * 1024;

/**
 * Decompresses what `packLines` packed, off the main thread, and gives its lines, as many at a time as end in a piece of 1 MiB. Holds two pieces, and a line that goes on.
 *
 * @throws {Error} when it cannot be decompressed to its end, or a line is too long
 */
export async function* unpackLines(packed: Uint8Array, compression: Compression): AsyncGenerator<readonly LineBlock[], void> {
  const text = unpackText({
    bytesFrom: (at) => [packed.subarray(at)],
    sizeBytes: packed.length,
    compression,
    pieceBytes: PIECE_BYTES,
  });
  yield* cutLines(text);
}
