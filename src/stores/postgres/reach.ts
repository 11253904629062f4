import { isOutOfReach } from '../../fault.ts';

/**
 * A URL as pg is given it. It takes these modes for `verify-full`, says so each time in eight lines on stderr, where a log may be JSON, and means to give
 * them a weaker meaning. https://www.npmjs.com/package/pg-connection-string#tls
 */
export function withKnownMode(url: string): string {
  if (/[?&]uselibpqcompat=true(&|$)/.test(url)) return url;
  return url.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/, '$1verify-full');
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
  [/no pg_hba\.conf entry .*(no encryption|SSL off)/, 'Where the server wants TLS, expected sslmode=verify-full in the URL'],
  [/does not support SSL/, 'Where it speaks no TLS, expected sslmode=disable in the URL'],
];
