/** The least a frame of an event stream can be, and more than one with the greatest record of 10 MiB in base64 is. */
const LEAST_BYTES = 16;
const MOST_BYTES = 24 * 1024 * 1024;

/**
 * Cuts the bytes of an event stream into its frames, and reads none before `admit` has let it in: the first four bytes of a
 * frame say how long it is. Ends when `admit` says no, and with the bytes; holds one frame and what came in one piece with its beginning.
 *
 * https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream draws a frame.
 *
 * @param next the next piece of the bytes, nothing at their end
 * @throws {EventStreamError} when the bytes end within a frame, or are no event stream
 */
export async function* eventFrames(
  next: () => Promise<Uint8Array | undefined>,
  admit: (sizeBytes: number) => Promise<boolean>,
): AsyncGenerator<Uint8Array, void> {
  let bytes: Uint8Array = new Uint8Array(0);
  for (;;) {
    while (bytes.length < 4) {
      const piece = await next();
      if (!piece && bytes.length > 0) throw new EventStreamError('the event stream ended within an event');
      if (!piece) return;
      bytes = bytes.length === 0 ? piece : Buffer.concat([bytes, piece]);
    }
    const sizeBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    if (sizeBytes < LEAST_BYTES || sizeBytes > MOST_BYTES)
      throw new EventStreamError(`an event of ${sizeBytes} bytes, expected ${LEAST_BYTES} to ${MOST_BYTES}`);
    if (!(await admit(sizeBytes))) return;
    const pieces = [bytes];
    let length = bytes.length;
    while (length < sizeBytes) {
      const piece = await next();
      if (!piece) throw new EventStreamError('the event stream ended within an event');
      pieces.push(piece);
      length += piece.length;
    }
    const whole = pieces.length === 1 ? bytes : Buffer.concat(pieces, length);
    bytes = whole.subarray(sizeBytes);
    yield whole.subarray(0, sizeBytes);
  }
}

/** What came is not, or not whole, what an event stream is made of: a connection that broke. */
class EventStreamError extends Error {
  override readonly name = 'EventStreamError';
}
