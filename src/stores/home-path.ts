/**
 * Refuses a path that only a shell understands, and only where a word begins with it: of `duckdb:~/shop.duckdb` it would be a folder called `~`, here.
 *
 * @throws {TypeError} when it begins with `~/`
 */
export function refuseHome(who: string, path: string): void {
  if (/^~(\/|$)/.test(path))
    throw new TypeError(`${who}: expected a path without ~, which a shell knows and we do not: write $HOME instead`);
}
