import { cutLines } from '../text/cut-lines.ts';
import type { LineBlock } from '../text/line-block.ts';
import { piecesOf, unpackedText } from './pieces.ts';
import type { OpenFile, TextFile } from './text-file.ts';

const PIECE_BYTES = 512 * 1024;
const LEAST_PIECE_BYTES = 16 * 1024;
/** How many times as large a text is as what it is packed in. */
const USUAL_RATIO = 12;

/**
 * Reads a file's lines, as many at a time as end in a piece of 512 KiB; what is compressed is decompressed, off the main thread. What was appended since
 * the file was found is left to a later run, which knows it by its first line. Nothing of a plain file that has no more than was read before.
 *
 * @param seen up to where it was read before
 * @param from where to begin: there, or at its beginning
 * @throws {Error} when it has fewer bytes, is another file than was found, cannot be decompressed to its end, or has a line that is too long; when the
 * signal is aborted
 */
export async function* linesOfFile(
  file: TextFile,
  signal: AbortSignal,
  seen = 0,
  from = 0,
): AsyncGenerator<readonly LineBlock[], void> {
  try {
    yield* cutLines(file.compression === undefined ? plainText(file, signal, seen, from) : behind(file, signal, seen, from));
  } catch (cause) {
    throw new Error(`lines: ${file.path}: ${(cause as Error).message}`, { cause });
  }
}

async function* plainText(file: TextFile, signal: AbortSignal, seen: number, from: number): AsyncGenerator<Uint8Array, void> {
  const { sizeBytes } = file;
  if (sizeBytes < seen) throw tooShort(seen, sizeBytes);
  if (sizeBytes > seen) yield* opened(file, (open) => piecesOf(open, from, sizeBytes, PIECE_BYTES, signal));
}

/** Leaves out what lies before. */
async function* behind(file: TextFile, signal: AbortSignal, seen: number, from: number): AsyncGenerator<Uint8Array, void> {
  let at = 0;
  for await (const piece of unpacked(file, signal)) {
    const begins = at;
    // Before it goes out: its memory may be given back then.
    at += piece.length;
    if (at > from) yield piece.subarray(Math.max(0, from - begins));
  }
  if (at < seen) throw tooShort(seen, at);
}

function unpacked(file: TextFile, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  return opened(file, (open) => unpackedText(open, file.compression!, file.sizeBytes, pieceBytesOf(file), signal));
}

async function* opened(file: TextFile, read: (open: OpenFile) => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const open = await file.open();
  try {
    yield* read(open);
  } finally {
    await open.close();
  }
}

function tooShort(seen: number, length: number): Error {
  return new Error(
    `expected the ${seen} bytes up to which it was read before, or more, got ${length}: it was cut, or is another file; ` +
      'under another name of the pipeline it is read anew',
  );
}

/** A decompressor has a whole piece made before it begins: a small file has small ones. */
function pieceBytesOf({ sizeBytes }: TextFile): number {
  return Math.min(PIECE_BYTES, Math.max(LEAST_PIECE_BYTES, sizeBytes * USUAL_RATIO));
}

/** The last byte of a file's text; nothing when it is empty. What is compressed is decompressed for it. */
export async function lastByteOf(file: TextFile, signal: AbortSignal): Promise<number | undefined> {
  let last: number | undefined;
  const text =
    file.compression === undefined ? plainText(file, signal, 0, Math.max(0, file.sizeBytes - 1)) : unpacked(file, signal);
  for await (const piece of text) last = piece.at(-1) ?? last;
  return last;
}
