import { crc32 } from 'node:zlib';

/**
 * Writes one message of an AWS event stream: lengths, their checksum, headers, payload, checksum of all.
 *
 * https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
 *
 * @param more headers beside those of a message, as they are written
 */
export function eventFrame(
  kind: 'event' | 'exception',
  type: string,
  payload: object,
  more: Uint8Array = Buffer.alloc(0),
): Buffer {
  const headers = Buffer.concat([
    more,
    header(':message-type', kind),
    header(kind === 'event' ? ':event-type' : ':exception-type', type),
    header(':content-type', 'application/json'),
  ]);
  const body = Buffer.from(JSON.stringify(payload));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(16 + headers.length + body.length, 0);
  lengths.writeUInt32BE(headers.length, 4);
  const message = Buffer.concat([lengths, checksum(lengths), headers, body]);
  return Buffer.concat([message, checksum(message)]);
}

/** 7 is the type of a text. */
function header(name: string, value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(value));
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), length, Buffer.from(value)]);
}

function checksum(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum;
}
