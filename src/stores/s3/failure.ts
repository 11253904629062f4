/** What the answer to a HEAD says by its status alone, as it has no body. */
const BY_STATUS: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  400: 'BadRequest',
  403: 'Forbidden',
  500: 'InternalError',
  503: 'ServiceUnavailable',
};

interface Answered extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Says what to do about what an S3 server, or the SDK, answered; whether it passes is told by its cause. */
export function explain(error: unknown, where: string): Error {
  const { name, message, $metadata }: Answered = error instanceof Error ? error : new Error(String(error));
  const said = message === '' || message === 'UnknownError' ? (BY_STATUS[$metadata?.httpStatusCode ?? 0] ?? name) : message;
  const remedy = REMEDIES.find(([names]) => names.test(name) || names.test(said))?.[1];
  return new Error(`${where}: ${said}${remedy === undefined ? '' : `. ${remedy}`}`, { cause: error });
}

/** Matched against the error's name and its message. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/^NoSuchBucket|bucket does not exist/, 'Create the bucket, or correct its name, the region or the endpoint'],
  [
    /AccessDenied|^Forbidden/,
    'Allow these credentials s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects',
  ],
  [/PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint/, 'Set AWS_REGION to the region of the bucket'],
  [/^BadRequest/, 'Set AWS_REGION to the region of the bucket, or renew the AWS credentials'],
  [/ExpiredToken/, 'Renew the AWS credentials'],
  [/InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken/, 'Correct the AWS credentials'],
  [
    /CredentialsProvider|credentials/i,
    'Set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role',
  ],
  [/Region is missing/, 'Set AWS_REGION'],
  [/ENOTFOUND/, 'Correct the region or the endpoint'],
];
