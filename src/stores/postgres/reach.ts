import { isOutOfReach } from '../../fault.ts';
import { PASSWORD_SIGNS } from '../password-signs.ts';

/**
 * A URL as pg is given it. It takes these modes for `verify-full`, says so each time in eight lines on stderr, where a log may be JSON, and means to give
 * them a weaker meaning. https://www.npmjs.com/package/pg-connection-string#tls
 */
export function withKnownMode(url: string): string {
  if (/[?&]uselibpqcompat=true(&|$)/.test(url)) return url;
  // Of libpq: whom the system trusts. The client would look for a file of that name.
  const named = url.replace(/([?&])sslrootcert=system(?=&|$)/, '$1sslmode=verify-full');
  return named.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/, '$1verify-full');
}

/**
 * Says of a server that could not be connected to what to do about it.
 *
 * @param wasReached whether it was before: then the want of its address passes, as where a name is that of a server which is begun anew
 */
export function explainReach(error: Error & { readonly code?: string }, wasReached: boolean): Error {
  if (wasReached && isOutOfReach(error)) Object.assign(error, { isTransient: true });
  const remedy = REMEDIES.find(([words]) => words.test(`${error.code} ${error.message}`))?.[1];
  if (remedy !== undefined) error.message += `. ${remedy}`;
  return error;
}

/** Matched against the error's code and its message. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT)/,
    'Expected in the URL sslmode=verify-full&sslrootcert=/path/ca.pem, with who has signed the certificate, or sslmode=no-verify, which trusts any server',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID/,
    'Expected in the URL a name that the certificate is good for, or uselibpqcompat=true&sslmode=verify-ca&sslrootcert=/path/ca.pem, which takes any',
  ],
  [
    /client password must be a/,
    'Expected a password in the URL, or in the file that PGPASSFILE names, which its owner alone may read',
  ],
  [/URI malformed/, `Expected ${PASSWORD_SIGNS}`],
  [/no pg_hba\.conf entry .*(no encryption|SSL off)/, 'Where the server wants TLS, expected sslmode=verify-full in the URL'],
  [/does not support SSL/, 'Where it speaks no TLS, expected sslmode=disable in the URL'],
];
