/**
 * Says what stands around a text that should have nothing around it, or around the folder with which it begins; nothing when that is so. A shell takes quotes
 * away, and Docker's `--env-file` does not; a file from Windows leaves the end of its line behind what it sets.
 */
function aroundIt(text: string): 'quotes' | 'blanks' | undefined {
  if (/^\s*(["'`]).*\1\s*(\/|$)/s.test(text)) return 'quotes';
  return text === text.trim() && !text.includes('\r/') ? undefined : 'blanks';
}

/**
 * Refuses a path that was meant to be another one, where a file of that name would be made somewhere else: with quotes or blanks around it; with `~/`, which
 * only a shell understands, and only where a word begins with it: of `duckdb:~/shop.duckdb` it would be a folder called `~`, here.
 *
 * @throws {TypeError} when it is one of these
 */
export function refusePath(who: string, path: string): void {
  const around = aroundIt(path);
  if (around !== undefined)
    throw new TypeError(`${who}: expected a path without ${around} around it, got ${JSON.stringify(path)}`);
  if (/^~(\/|$)/.test(path))
    throw new TypeError(`${who}: expected a path without ~, which a shell knows and we do not: write $HOME instead`);
}

/** Says of a text that is no URL what it is, without showing it: it may hold a password. */
export function noUrl(text: string): string {
  const around = aroundIt(text);
  return around === undefined ? 'no URL' : `one with ${around} around it`;
}
