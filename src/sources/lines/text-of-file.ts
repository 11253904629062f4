import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { cutLines } from '../cut-lines.ts';
import type { TextFile } from './find-files.ts';

const PIECE_BYTES = 512 * 1024;

/**
 * Reads a file's lines, as many at a time as end in a piece of 512 KiB; what is compressed is decompressed, off the main thread. Nothing of a plain
 * file that has no more than was read before.
 *
 * @param seen up to where it was read before
 * @param from where to begin: there, or at its beginning
 * @throws {Error} when it has fewer bytes, cannot be decompressed to its end, or has a line that is too long
 */
export async function* linesOfFile(
  { path, compression }: TextFile,
  seen: number,
  from: number,
): AsyncGenerator<readonly Uint8Array[], void> {
  try {
    yield* cutLines(
      compression === undefined ? plainText(path, seen, from) : behind(unpackedText(path, compression), seen, from),
    );
  } catch (cause) {
    throw new Error(`lines: ${path}: ${(cause as Error).message}`, { cause });
  }
}

async function* plainText(path: string, seen: number, from: number): AsyncGenerator<Uint8Array, void> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size < seen) throw tooShort(seen, size);
    if (size === seen) return;
    for (let at = from; ;) {
      const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, at);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

async function* unpackedText(
  path: string,
  compression: 'gzip' | 'zstd',
  chunkSize: number = PIECE_BYTES,
): AsyncGenerator<Uint8Array, void> {
  const options = { chunkSize };
  const unpacker = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  // What fails comes out of the iteration below.
  yield* pipeline(
    createReadStream(path, { highWaterMark: Math.min(chunkSize, 65_536) }),
    unpacker,
    () => {},
  ) as AsyncIterable<Buffer>;
}

/** Leaves out what lies before. */
async function* behind(text: AsyncIterable<Uint8Array>, seen: number, from: number): AsyncGenerator<Uint8Array, void> {
  let at = 0;
  for await (const piece of text) {
    if (at + piece.length > from) yield piece.subarray(Math.max(0, from - at));
    at += piece.length;
  }
  if (at < seen) throw tooShort(seen, at);
}

function tooShort(seen: number, length: number): Error {
  return new Error(
    `expected the ${seen} bytes up to which it was read before, or more, got ${length}: it was cut, or is another file; ` +
      'under another name of the pipeline it is read anew',
  );
}

/** The last byte of a file's text; nothing when it is empty. What is compressed is decompressed for it. */
export async function lastByteOf({ path, compression }: TextFile): Promise<number | undefined> {
  let last: number | undefined;
  if (compression !== undefined) {
    for await (const piece of unpackedText(path, compression)) last = piece.at(-1) ?? last;
    return last;
  }
  const { size } = await stat(path);
  for await (const piece of plainText(path, 0, Math.max(0, size - 1))) last = piece.at(-1);
  return last;
}

/** The first bytes of a compressed file's text, as far as it can be unpacked: whoever reads the file is told why no further. */
export async function unpackedHead(path: string, compression: 'gzip' | 'zstd', maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of unpackedText(path, compression, maxBytes)) {
      pieces.push(piece);
      length += piece.length;
      if (length >= maxBytes) break;
    }
  } catch {
    // What came before is its head.
  }
  return Buffer.concat(pieces).subarray(0, maxBytes);
}
