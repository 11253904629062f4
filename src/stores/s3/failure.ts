/** Says what to do about what an S3 server, or the SDK, answered when a bucket was opened; whether it passes is told by its cause. */
export function explain(error: unknown, where: string): Error {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const said = message === '' || message === 'UnknownError' ? name : message;
  const remedy = REMEDIES.find(([names]) => names.test(name) || names.test(message))?.[1];
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
  [/ExpiredToken/, 'Renew the AWS credentials'],
  [/InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken/, 'Correct the AWS credentials'],
  [
    /CredentialsProvider|credentials/i,
    'Set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role',
  ],
  [/Region is missing/, 'Set AWS_REGION'],
  [/ENOTFOUND/, 'Correct the region or the endpoint'],
];
