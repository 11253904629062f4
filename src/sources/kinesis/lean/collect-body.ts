import { type Readable, finished } from 'node:stream';
import { ownMemory } from '../../text/own-memory.ts';

/**
 * Reads a body to its end. What comes in one piece is the transport's, which may keep it; of more it makes memory of its own.
 *
 * @throws {RangeError} when it is longer than the limit; no more of it is read then
 * @throws {Error} what the stream failed with, also when it ended before its end
 */
export function collectBody(body: Readable, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  return new Promise((resolve, reject) => {
    finished(body, { writable: false }, (error) => {
      if (error) reject(error);
      else resolve(chunks.length === 1 ? chunks[0]! : ownMemory(Buffer.concat(chunks, sizeBytes)));
    });
    body.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= limitBytes) chunks.push(chunk);
      else body.destroy(new RangeError(`an answer is longer than ${limitBytes} bytes`));
    });
  });
}
