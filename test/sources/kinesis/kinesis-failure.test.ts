import { describe, expect, it } from 'vitest';
import { explain, isBrokenSubscription, isPassing } from '../../../src/sources/kinesis/failure.ts';

function failure(message: string, fields: object = {}): Error {
  return Object.assign(new Error(message), fields);
}

describe('a failure of Kinesis', () => {
  const http2 = [
    failure('New streams cannot be created after receiving a GOAWAY', { code: 'ERR_HTTP2_GOAWAY_SESSION' }),
    failure('The session has been destroyed', { code: 'ERR_HTTP2_INVALID_SESSION' }),
    failure('Stream closed with error code NGHTTP2_REFUSED_STREAM', { code: 'ERR_HTTP2_STREAM_ERROR' }),
    failure('Session closed with error code 9', { code: 'ERR_HTTP2_SESSION_ERROR' }),
    failure('HTTP/2 stream is abnormally aborted in mid-communication with result code 2.'),
    failure('Unexpected error: http2 request did not get a response'),
  ];
  for (const error of http2)
    it(`passes when a connection by HTTP/2 went away: ${error.message}`, () => {
      expect(isPassing(error)).toBe(true);
      expect(isBrokenSubscription(error)).toBe(true);
    });

  it('is none of a subscription that another one would do better, when somebody has to mend it, or we have', () => {
    const mended = [
      'KMSDisabledException',
      'KMSAccessDeniedException',
      'AccessDeniedException',
      'ResourceNotFoundException',
      'TypeError',
    ];
    for (const name of mended) expect(isBrokenSubscription(failure('no', { name })), name).toBe(false);
    for (const name of ['KMSThrottlingException', 'InternalFailureException', 'ResourceInUseException', 'SyntaxError'])
      expect(isBrokenSubscription(failure('later', { name })), name).toBe(true);
  });

  it('is told by its name where it says nothing', () => {
    const told = explain(failure('', { name: 'KMSDisabledException' }), 'kinesis shop');
    expect(told.message).toBe("kinesis shop: KMSDisabledException. Enable the stream's KMS key");
  });

  it('says how to trust a server with a certificate of its own', () => {
    const told = explain(failure('unable to verify the first certificate'), 'kinesis shop');
    expect(told.message).toMatch(/certificate\. Start it with NODE_EXTRA_CA_CERTS=\/path\/ca\.pem/);
  });

  it('passes when the clock was wrong that signed it, and no other does by that', () => {
    const corrected = { $metadata: { clockSkewCorrected: true }, name: 'InvalidSignatureException' };
    for (const message of [
      'Signature expired: 20261122T090000Z is now earlier',
      'Signature not yet current: 20261122T090000Z is still later',
    ])
      expect(isPassing(failure(message, corrected))).toBe(true);
    expect(isPassing(failure('Signature expired: 20261122T090000Z is now earlier', { name: 'InvalidSignatureException' }))).toBe(
      false,
    );
    expect(isPassing(failure('The request signature we calculated does not match', corrected))).toBe(false);
    expect(isPassing(failure('no', { ...corrected, name: 'AccessDeniedException' }))).toBe(false);
  });
});
