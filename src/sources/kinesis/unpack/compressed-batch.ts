import { type InputType, type ZlibOptions, gunzipSync, zstdDecompressSync } from 'node:zlib';

/** Why a batch is none. */
export interface BatchFault {
  readonly code: 'batch_format' | 'batch_too_large';
  readonly reason: string;
}

/** The version of the batch, that of its payloads. */
const HEADER_BYTES = 2;
const VERSION = 1;
const LENGTH_BYTES = 4;

/** Tells by its magic bytes that a record is compressed: by gzip or by zstd. */
export function isCompressed(data: Uint8Array): boolean {
  return isGzip(data) || isZstd(data);
}

/**
 * Decompresses a batch of Snowplow's and looks through it from end to end, before anything of it is emitted. Never
 * decompresses more than `maxBytes`.
 */
export function openBatch(data: Uint8Array, maxBytes: number): Uint8Array | BatchFault | 'empty-batch' {
  const tooLarge = { code: 'batch_too_large', reason: `expected at most ${maxBytes} bytes once decompressed, got more` } as const;
  if (maxBytes < HEADER_BYTES) return tooLarge;
  let batch: Uint8Array;
  try {
    batch = decompress(data, maxBytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge;
    return { code: 'batch_format', reason: `expected a compressed batch, got ${(error as Error).message}` };
  }
  const [version, payloadVersion] = batch;
  if (version !== VERSION || payloadVersion !== VERSION)
    return {
      code: 'batch_format',
      reason:
        `expected a batch of version 1 with payloads of version 1, got ${version} and ${payloadVersion}; ` +
        'kinesis({ unpack: false }) leaves what others compressed as it is',
    };
  for (let at = HEADER_BYTES; at < batch.length;) {
    const left = batch.length - at - LENGTH_BYTES;
    if (left < 0) return { code: 'batch_format', reason: `expected 4 bytes of a length at ${at}, got ${left + LENGTH_BYTES}` };
    const length = lengthAt(batch, at);
    if (length > left) return { code: 'batch_format', reason: `expected a payload of ${length} bytes at ${at}, got ${left}` };
    at += LENGTH_BYTES + length;
  }
  return batch.length === HEADER_BYTES ? 'empty-batch' : batch;
}

/** Each payload of a batch that was opened, in order, as parts of its bytes. */
export function* payloads(batch: Uint8Array): Generator<Uint8Array> {
  for (let at = HEADER_BYTES; at < batch.length;) {
    const from = at + LENGTH_BYTES;
    at = from + lengthAt(batch, at);
    yield batch.subarray(from, at);
  }
}

function isGzip(data: Uint8Array): boolean {
  return data[0] === 0x1f && data[1] === 0x8b;
}

function isZstd(data: Uint8Array): boolean {
  return data[0] === 0x28 && data[1] === 0xb5 && data[2] === 0x2f && data[3] === 0xfd;
}

/** A big-endian number of 32 bits. */
function lengthAt(batch: Uint8Array, at: number): number {
  return batch[at]! * 2 ** 24 + ((batch[at + 1]! << 16) | (batch[at + 2]! << 8) | batch[at + 3]!);
}

/** What `info: true` gives, which the types do not know of the synchronous calls. */
interface Decompressed {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

function decompress(data: Uint8Array, maxBytes: number): Uint8Array {
  const decompressSync = (isGzip(data) ? gunzipSync : zstdDecompressSync) as unknown as (
    data: InputType,
    options: ZlibOptions,
  ) => Decompressed;
  const { buffer, engine } = decompressSync(data, { maxOutputLength: maxBytes, info: true });
  // Node stops in silence after the first frame of zstd, and before zeros that follow gzip.
  if (engine.bytesWritten < data.length) throw new Error(`${data.length - engine.bytesWritten} bytes after its end`);
  // A small one lies in a chunk of 16 kB, which it would keep in memory.
  return buffer.buffer.byteLength > 2 * buffer.length
    ? new Uint8Array(buffer)
    : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
