/** Says what to do where a connection failed for a certificate: the server's, or one that it asks for. Who tries again fares no better. */
export function certificateHint(message: string): string | undefined {
  return HINTS.find(([pattern]) => pattern.test(message))?.[1];
}

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /self-signed certificate|unable to (get|verify)/,
    'expected NODE_EXTRA_CA_CERTS=/path/ca.pem, with who has signed its certificate',
  ],
  [/certificate's altnames/, 'expected a certificate that is good for the name by which it is called'],
  [/certificate (has expired|is not yet valid)/, 'expected a certificate that is good today'],
  [/alert certificate required/, 'expected a server that asks its clients for no certificate (tls-auth-clients no)'],
];
