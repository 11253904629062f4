import { PASSWORD_SIGNS } from '../password-signs.ts';

/** What the client takes for `ssl`; any other word ends the process once the server answers. */
const KNOWN_SSL = ['true', '1', '0', 'no-verify'];

/**
 * Says of a URL what messages may show.
 *
 * @throws {TypeError} when it is none, or none that the client understands as it is meant; the message does not show it
 */
export function describeUrl(text: string): string {
  const [, authority = '', rest = ''] = /^[^:]+:\/\/(?:[^/?#]*@)?([^/?#]*)(.*)$/s.exec(text) ?? [];
  // An @ behind the host, but in a value of the query, is the one behind a password that a sign in it has cut: `12/34` is no port and path.
  const isCut = /^[^=]*@/.test(rest);
  // Who names a socket (`?host=/cloudsql/…`) may have a user and no host, which is no URL.
  const url = URL.parse(authority === '' ? text.replace('@/', '@localhost/') : text);
  const host = authority || (url?.searchParams.get('host') ?? '');
  if (!isCut && host.includes(','))
    throw new TypeError('postgres: expected one host, by a name that follows the primary when it fails over, got several');
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || isCut)
    throw new TypeError(`postgres: expected postgres://user:password@host:port/database, ${PASSWORD_SIGNS}`);
  // The client would look for a database of that name.
  if (text !== text.trim())
    throw new TypeError('postgres: expected postgres://user:password@host:port/database without blanks around it');
  if (url.searchParams.getAll('ssl').some((word) => !KNOWN_SSL.includes(word)))
    throw new TypeError('postgres: expected sslmode=verify-full or sslmode=disable in the URL, got another word for ssl');
  const user = url.username === '' ? '' : `${url.username}@`;
  return `postgres://${user}${host}${url.pathname}`;
}
