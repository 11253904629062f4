const [SPACE, NEWLINE, RETURN, OPENING_BRACE] = [0x20, 0x0a, 0x0d, 0x7b];

/** Says whether a field begins as a JSON object does: with a brace, blanks before it or not. Enrich makes four of a tab. */
export function beginsAsObject(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && (bytes[at] === SPACE || bytes[at] === NEWLINE || bytes[at] === RETURN)) at++;
  return at < end && bytes[at] === OPENING_BRACE;
}
