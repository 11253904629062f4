/** What happens at one moment, in order: letters, and `|`, `#` or `!`. */
export interface Moment {
  readonly column: number;
  readonly signs: readonly string[];
}

const LINE = /^(?:-|[a-zA-Z0-9|#!]|\([a-zA-Z0-9|#!]+\))*$/;

/**
 * Reads a marble string.
 *
 * @throws {RangeError} when it has other signs than `-`, letters, digits, `|`, `#`, `!` and groups of them.
 */
export function parseMarbles(line: string): Moment[] {
  if (!LINE.test(line))
    throw new RangeError(`marble: expected - letters | # ! and groups in parentheses, got ${JSON.stringify(line)}`);
  return [...line.matchAll(/\(([^)]*)\)|[^-]/g)].map(({ index, 0: sign, 1: group }) => ({
    column: index,
    signs: (group ?? sign).split(''),
  }));
}

/** Writes moments as a marble string at least this wide. A moment between two columns, or inside a group, is told by `~`. */
export function formatMarbles(moments: readonly Moment[], width: number): string {
  let line = '';
  for (const { column, signs } of moments) {
    line = line.padEnd(Math.floor(column), '-');
    if (line.length > column || !Number.isInteger(column)) line += '~';
    line += signs.length > 1 ? `(${signs.join('')})` : signs.join('');
  }
  return line.padEnd(width, '-');
}
