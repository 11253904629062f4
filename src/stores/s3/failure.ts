import { AWS_REMEDIES } from '../../fault.ts';

/** What the answer to a HEAD says by its status alone, as it has no body. */
const BY_STATUS: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  400: 'BadRequest',
  403: 'Forbidden',
  500: 'InternalError',
  503: 'ServiceUnavailable',
};

interface Answered extends Error {
  /** Of a connection that failed before all was read. */
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Says what to do about what an S3 server, or the SDK, answered; whether it passes is told by its cause. */
export function explain(error: unknown, where: string): Error {
  const { name, message, code, $metadata }: Answered = error instanceof Error ? error : new Error(String(error));
  const status = $metadata?.httpStatusCode;
  const bare = status === undefined ? name : (BY_STATUS[status] ?? `HTTP status ${status}`);
  // What is no XML comes from a proxy: the SDK says where it is none, which tells nobody anything.
  const isUnreadable = code === undefined && UNREADABLE.test(message);
  const said = isUnreadable ? `HTTP status ${status}, in an answer that is no S3 server's` : message.replace(HINT, '');
  const words = said === '' || said === 'UnknownError' ? bare : said;
  const remedy = REMEDIES.find(([names]) => names.test(name) || names.test(words))?.[1];
  return new Error(`${where}: ${remedy === undefined ? words : `${words.replace(/\.$/, '')}. ${remedy}`}`, { cause: error });
}

const UNREADABLE = /XML parse error|Deserialization error/;
/** For who has the error at hand in a debugger. */
const HINT = /\s*Deserialization error: to see .*$/s;

/** Matched against the error's name and its message. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/^HTTP status 413/, 'Have the proxy before the server take larger bodies (client_max_body_size of nginx)'],
  [/^HTTP status (?!408|429)[1-4]/, 'Correct the endpoint, or ask who runs what stands before the server'],
  [/^NoSuchBucket|bucket does not exist/, 'Create the bucket, or correct its name, the region or the endpoint'],
  // What may be done is named like this, and a key is arn:aws:kms:eu-west-1:…
  [/\bkms:[A-Z]/, 'Allow these credentials kms:GenerateDataKey and kms:Decrypt of the key by which it is encrypted'],
  [/InvalidObjectState/, 'It was moved to Glacier: restore it, and leave what lies below _millrace/ out of lifecycle rules'],
  // Whatever else is allowed.
  [
    /explicit deny/,
    'A policy of the bucket, the account or the VPC endpoint denies it: where it wants puts to name an encryption, write ?sse=aws:kms or ?sse=AES256 behind the URL',
  ],
  [
    /AccessDenied|^Forbidden/,
    'Allow these credentials s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects',
  ],
  [/PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint/, 'Set AWS_REGION to the region of the bucket'],
  [/^BadRequest/, 'Set AWS_REGION to the region of the bucket, or renew the AWS credentials'],
  [/InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken/, 'Correct the AWS credentials'],
  ...AWS_REMEDIES,
];
