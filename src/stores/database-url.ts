import type { Database } from './database.ts';
import { duckdb } from './duckdb.ts';
import { postgres } from './postgres.ts';
import { noUrl } from './refuse-path.ts';
import type { RejectSource } from './reject-source.ts';

export interface DatabaseFromOptions {
  /** Where the tables `positions` and `rejects` live. @default 'millrace' */
  readonly schema?: string;
}

/**
 * Declares the database that a URL names: `postgres://user@host:port/name` or `duckdb:./data/warehouse.duckdb`.
 *
 * @throws {TypeError} when the URL names none of them
 */
export function databaseFrom(url: string, options: DatabaseFromOptions = {}): Database & RejectSource {
  if (/^postgres(ql)?:/.test(url)) return postgres(url, options);
  // As in other URLs, what stands behind two slashes would be a host; as a path it would begin at the root.
  if (/^duckdb:\/\/[^/]/.test(url)) throw new TypeError('duckdb: expected duckdb:./file or duckdb:/folder/file, got duckdb://…');
  if (url.startsWith('duckdb:')) return duckdb(url.slice('duckdb:'.length), options);
  // Only its beginning: what follows may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0];
  throw new TypeError(
    `database: expected a URL like postgres://user@host:port/name or duckdb:./file, got ${scheme === undefined ? noUrl(url) : `${scheme}…`}`,
  );
}
