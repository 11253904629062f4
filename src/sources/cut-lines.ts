/** Longer ones no stream of ours has: Kinesis takes 10 MiB, and what is packed in that unpacks to 32 MiB. */
export const MAX_LINE_BYTES = 64 * 1024 * 1024;
export const NEWLINE = 10;

/**
 * Cuts a text that comes in pieces into lines, each with its newline, as many at a time as end in a piece. The last one has none where the text
 * has none. Holds a line that goes on from piece to piece.
 *
 * @throws {RangeError} when a line is longer than 64 MiB
 */
export async function* cutLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Uint8Array[], void> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const piece of pieces) {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = piece.indexOf(NEWLINE) + 1; end > 0; end = piece.indexOf(NEWLINE, start) + 1) {
      const rest = piece.subarray(start, end);
      lines.push(begun.length === 0 ? rest : Buffer.concat([...begun, rest]));
      if (begun.length > 0) [begun, begunBytes] = [[], 0];
      start = end;
    }
    if (start < piece.length) {
      begun.push(piece.subarray(start));
      begunBytes += piece.length - start;
      if (begunBytes > MAX_LINE_BYTES) throw tooLong();
    }
    if (lines.length > 0) yield lines;
  }
  if (begun.length > 0) yield [Buffer.concat(begun)];
}

export function tooLong(): RangeError {
  return new RangeError(`expected lines of up to ${MAX_LINE_BYTES} bytes, got a longer one`);
}

/** A line without its newline, if it has one: a view of the same bytes. */
export function withoutNewline(line: Uint8Array): Uint8Array {
  return endsLine(line) ? line.subarray(0, -1) : line;
}

/** Whether a line is whole, or nothing. */
export function endsLine(text: Uint8Array): boolean {
  return text.at(-1) === NEWLINE;
}
