import { faultOf } from '../../fault.ts';

/** The clocks of this machine and of AWS may differ by so much. */
const CLOCKS_DIFFER_MS = 15 * 60_000;

interface AwsError extends Error {
  readonly $metadata?: { readonly clockSkewCorrected?: boolean };
}

export function isExpiredIterator(error: unknown): boolean {
  return error instanceof Error && error.name === 'ExpiredIteratorException';
}

/** Tells whether a call that failed so is worth repeating. */
export function isPassing(error: unknown): boolean {
  if (faultOf(error) === 'transient') return true;
  if (!(error instanceof Error)) return false;
  // A stream that is being made or resharded; pages that were listed too slowly; an answer that was cut off; a clock that the SDK has now set right.
  if (/^(ResourceInUse|ExpiredNextToken)Exception$/.test(error.name) || error instanceof SyntaxError) return true;
  return (error as AwsError).$metadata?.clockSkewCorrected === true;
}

/** Tells whether AWS refused a time because it has not come yet by its own clock: LATEST, on a machine that is a little fast. */
export function isNotYet(error: unknown, from: unknown, nowMs: number): boolean {
  return (
    error instanceof Error &&
    error.name === 'InvalidArgumentException' &&
    from instanceof Date &&
    from.getTime() > nowMs - CLOCKS_DIFFER_MS
  );
}

/** Says what to do about a failure that repeating will not mend. */
export function explain(error: unknown, where: string): Error {
  const name = error instanceof Error ? error.name : '';
  const message = error instanceof Error ? error.message : String(error);
  const remedy = REMEDIES.find(([names]) => names.test(name) || names.test(message))?.[1];
  return new Error(`${where}: ${message || name}${remedy === undefined ? '' : `. ${remedy}`}`, { cause: error });
}

/** From the narrow to the wide; matched against the error's name and its message. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /SequenceNumber.*(stream|not come from|invalid)|StartingSequenceNumber/i,
    'The stream does not know the position at which the pipeline stands: it may have been deleted and made again under the same name. ' +
      'Name the pipeline anew, or remove its positions, to read the new stream',
  ],
  [/ResourceNotFound/, 'Create the stream, or correct its name, the region or the endpoint'],
  [
    /AccessDenied|NotAuthorized|OptInRequired/,
    'Allow these credentials kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords on the stream, and kms:Decrypt on its key',
  ],
  [/ExpiredToken/, 'Renew the AWS credentials'],
  [
    /UnrecognizedClient|InvalidSignature|InvalidClientTokenId|IncompleteSignature|MissingAuthenticationToken/,
    'Correct the AWS credentials',
  ],
  [
    /CredentialsProvider|credentials/i,
    'Set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role',
  ],
  [/^KMS/, "Enable the stream's KMS key and allow these credentials to use it"],
  [/Region is missing/, 'Set AWS_REGION'],
  [/ENOTFOUND/, 'Correct the region or the endpoint'],
];
