/** Says which of two texts comes first by its bytes in UTF-8, as Redis orders members, without making those. Both are well-formed. */
export function compareAsUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x !== y) return rankOf(x) - rankOf(y);
  }
  return a.length - b.length;
}

const [FIRST_SURROGATE, BEHIND_SURROGATES] = [0xd800, 0xe000];

/** Halves of pairs stand before the last of the single units, and what a pair makes behind them. */
function rankOf(unit: number): number {
  return unit < FIRST_SURROGATE || unit >= BEHIND_SURROGATES ? unit : unit + BEHIND_SURROGATES;
}
