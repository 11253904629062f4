import { fileURLToPath } from 'node:url';
import { directory } from './directory.ts';
import type { ObjectStore } from './object-store.ts';
import { noUrl } from './refuse-path.ts';
import { type S3Options, s3 } from './s3.ts';

/**
 * Declares the object store that a URL names: `s3://bucket/prefix`, `file:./data/archive` or `file:///var/archive`.
 *
 * @param options for S3; a directory takes none
 * @throws {TypeError} when the URL names none of them
 */
export function objectStoreFrom(url: string, options: S3Options = {}): ObjectStore {
  if (url.startsWith('s3:')) return s3(url, options);
  if (url.startsWith('file://')) return directory(fileURLToPath(url));
  if (url.startsWith('file:') && url.length > 'file:'.length) return directory(url.slice('file:'.length));
  // Only its beginning: what follows may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0];
  throw new TypeError(
    `archive: expected a URL like s3://bucket/prefix or file:./folder, got ${scheme === undefined ? noUrl(url) : `${scheme}…`}`,
  );
}
