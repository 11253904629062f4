import { existsSync } from 'node:fs';

/** Where Debian, its derivatives and Homebrew put it. */
const FOLDERS = ['/usr/lib/postgresql/15', '/opt/homebrew/opt/postgresql@15', '/usr/local/opt/postgresql@15'];

/**
 * Finds the oldest Postgres that is supported, which npm does not have.
 *
 * @throws {Error} when it is not installed
 */
export function findPostgres15(): string {
  const found = FOLDERS.find((folder) => existsSync(`${folder}/bin/initdb`));
  if (found === undefined)
    throw new Error(`Postgres 15: expected in one of ${FOLDERS.join(', ')}, found in none; run .ci/services`);
  return found;
}
