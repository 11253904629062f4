import { finished } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';

const BLOCK_BYTES = 1024 * 1024;
const OUTPUT_BYTES = 256 * 1024;
const NEWLINE = 10;
/** RFC 1952: the fixed header, and the flag that says that a comment follows it. */
const GZIP_HEADER_BYTES = 10;
const GZIP_COMMENT = 0x10;
/** RFC 8878: a frame that readers pass over. */
const ZSTD_SKIPPABLE = 0x184d2a50;

export type Compression = 'gzip' | 'zstd';

/** Decision 38 has what each level takes and gives. */
const USUAL_LEVELS = { gzip: 3, zstd: 1 } as const satisfies Record<Compression, number>;

export interface PackOptions {
  readonly compression: Compression;
  /** The compressor's own scale. @default 3 for gzip, 1 for zstd */
  readonly level?: number | undefined;
  /** Kept beside the lines, unseen by readers: the same lines under another stamp are other bytes. */
  readonly stamp: string;
}

/**
 * Compresses lines, with a newline at the end of each, off the main thread. The same lines give the same bytes.
 *
 * Holds one block of 1 MiB and what is compressed so far.
 */
export async function packLines(
  lines: Iterable<Uint8Array>,
  { compression, level = USUAL_LEVELS[compression], stamp }: PackOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const compressor =
    compression === 'gzip'
      ? createGzip({ level, memLevel: constants.Z_MAX_MEMLEVEL, chunkSize: OUTPUT_BYTES })
      : createZstdCompress({
          // Without the checksum a byte that changes may go unnoticed.
          params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
          chunkSize: OUTPUT_BYTES,
        });
  const packed: Uint8Array[] = [];
  compressor.on('data', (chunk: Uint8Array) => packed.push(chunk));
  const end = finished(compressor);
  end.catch(() => {});
  const write = (block: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => compressor.write(block, (error) => (error ? reject(error) : resolve())));

  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let length = 0;
  for (const line of lines) {
    // Only a full block is waited for: one promise a megabyte, none a line.
    if (length + line.length >= BLOCK_BYTES) {
      await write(block.subarray(0, length));
      length = 0;
    }
    if (line.length >= BLOCK_BYTES) await write(line);
    else {
      block.set(line, length);
      length += line.length;
    }
    if (line[line.length - 1] !== NEWLINE) block[length++] = NEWLINE;
  }
  if (length > 0) await write(block.subarray(0, length));
  compressor.end();
  await end;
  return compression === 'gzip' ? commented(packed, stamp) : Buffer.concat([...packed, skippable(stamp)]);
}

/** Node writes a header without a comment, and no time in it. */
function commented([first, ...rest]: readonly Uint8Array[], comment: string): Uint8Array<ArrayBuffer> {
  const header = Buffer.from(first!.subarray(0, GZIP_HEADER_BYTES));
  header[3]! |= GZIP_COMMENT;
  return Buffer.concat([header, Buffer.from(`${comment}\0`), first!.subarray(GZIP_HEADER_BYTES), ...rest]);
}

/** Goes to the end: Node's own decompressor reads no further than the first frame. */
function skippable(text: string): Uint8Array {
  const content = Buffer.from(text);
  const frame = Buffer.alloc(8 + content.length);
  frame.writeUInt32LE(ZSTD_SKIPPABLE, 0);
  frame.writeUInt32LE(content.length, 4);
  frame.set(content, 8);
  return frame;
}
