/** Reads milliseconds since 1970 from 1 to 15 decimal digits. @returns NaN when the bytes are anything else */
export function readEpochMs(bytes: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > 15) return NaN;
  let ms = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    ms = ms * 10 + digit;
  }
  return ms;
}
