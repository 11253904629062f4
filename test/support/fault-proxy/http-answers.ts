import type { IncomingMessage } from 'node:http';
import type { FaultKind } from './plan.ts';

/** What a server says instead of an answer. */
export interface FaultyAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** It acts all the same. */
  readonly hasEffect?: boolean;
}

const SAYING = 'by the fault proxy';

/** Errors in the words of AWS: https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html and S3's list of error codes. */
export const ANSWERS: Partial<Readonly<Record<FaultKind, FaultyAnswer>>> = {
  ProvisionedThroughputExceededException: kinesis(400, 'ProvisionedThroughputExceededException'),
  LimitExceededException: kinesis(400, 'LimitExceededException'),
  KMSThrottlingException: kinesis(400, 'KMSThrottlingException'),
  ExpiredIteratorException: kinesis(400, 'ExpiredIteratorException'),
  ExpiredNextTokenException: kinesis(400, 'ExpiredNextTokenException'),
  InternalFailure: kinesis(500, 'InternalFailure'),
  SlowDown: s3(503, 'SlowDown'),
  InternalError: s3(500, 'InternalError'),
  'InternalError-after-effect': { ...s3(500, 'InternalError'), hasEffect: true },
  'error-in-200': s3(200, 'InternalError'),
};

function kinesis(status: number, type: string): FaultyAnswer {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type };
  return { status, headers, body: JSON.stringify({ __type: type, message: SAYING }) };
}

function s3(status: number, code: string): FaultyAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${SAYING}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body };
}

/** Names what a request asks for, as the SDK's command does; of S3 by path-style URLs. */
export function operationOf({ headers, method, url = '' }: IncomingMessage): string {
  const target = headers['x-amz-target'];
  if (typeof target === 'string') return target.split('.')[1] ?? target;
  const { pathname, searchParams } = new URL(url, 'http://any');
  if (searchParams.has('list-type')) return 'ListObjectsV2';
  const what = /^\/[^/]+\/./.test(pathname) ? 'Object' : 'Bucket';
  return `${method!.charAt(0)}${method!.slice(1).toLowerCase()}${what}`;
}
