import { type Resume, compareSequences, isPosition } from '../../position.ts';
import { AWS_REMEDIES, faultOf } from '../../fault.ts';
import { GapError } from '../shards/gap.ts';
import type { Shard } from '../shards/shard-set.ts';

/** The clocks of this machine and of AWS may differ by so much. */
export const CLOCKS_DIFFER_MS = 15 * 60_000;

/** How AWS says that the time of a signature is not its own. */
const BY_CLOCK = /^Signature (expired|not yet current)/;

interface AwsError extends Error {
  readonly code?: string;
  readonly $metadata?: { readonly clockSkewCorrected?: boolean };
}

export function isExpiredIterator(error: unknown): boolean {
  return error instanceof Error && error.name === 'ExpiredIteratorException';
}

/** Tells whether the stream, the shard or the consumer of a call is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Error && error.name === 'ResourceNotFoundException';
}

/** Tells whether there is more of something than AWS allows, and not only more calls in a second. */
export function isLimitExceeded(error: unknown): boolean {
  return error instanceof Error && error.name === 'LimitExceededException' && !/^Rate exceeded/i.test(error.message);
}

/** Tells whether more was asked for than a shard gives in a second: to this reader, or to all together. */
export function isThroughputExceeded(error: unknown): boolean {
  return error instanceof Error && error.name === 'ProvisionedThroughputExceededException';
}

export function isInvalidArgument(error: unknown): boolean {
  return error instanceof Error && error.name === 'InvalidArgumentException';
}

/** Tells whether a subscription that was open ended so that another one may do better: all but what somebody has to mend, a key's owner or we. */
export function isBrokenSubscription(error: unknown): boolean {
  if (!(error instanceof Error) || /^(TypeError|ReferenceError|RangeError)$/.test(error.name)) return false;
  return !/^KMS|ResourceNotFound|AccessDenied/.test(error.name) || error.name === 'KMSThrottlingException';
}

/** Tells whether a call that failed so is worth repeating. */
export function isPassing(error: unknown): boolean {
  if (faultOf(error) === 'transient') return true;
  if (!(error instanceof Error)) return false;
  // A stream that is being made or resharded; pages that were listed too slowly; an answer that was cut off; a clock that the SDK has now set right.
  if (/^(ResourceInUse|ExpiredNextToken)Exception$/.test(error.name) || error instanceof SyntaxError) return true;
  // A connection that broke before its answer, as Node's HTTP/2 and the SDK word it.
  if ((error as AwsError).code?.startsWith('ERR_HTTP2_') || /http\/?2 (request|stream)/i.test(error.message)) return true;
  // The SDK says so of whatever fails while the clock is wrong.
  return (error as AwsError).$metadata?.clockSkewCorrected === true && BY_CLOCK.test(error.message);
}

/** Tells whether AWS refused a time because it has not come yet by its own clock: LATEST, on a machine that is a little fast. */
export function isNotYet(error: unknown, from: unknown, nowMs: number): boolean {
  return isInvalidArgument(error) && from instanceof Date && from.getTime() > nowMs - CLOCKS_DIFFER_MS;
}

/** Says what to do about a failure that repeating will not mend. */
export function explain(error: unknown, where: string): Error {
  if (error instanceof GapError || error instanceof ForeignPositionError) return error;
  const name = error instanceof Error ? error.name : '';
  const message = error instanceof Error ? error.message : String(error);
  const remedy = REMEDIES.find(([names]) => names.test(name) || names.test(message))?.[1];
  return new Error(`${where}: ${message || name}${remedy === undefined ? '' : `. ${remedy}`}`, { cause: error });
}

/**
 * Sees that a position can be one of the shard in which the pipeline stands there. A stream that was deleted and made again has
 * the same shards with greater sequence numbers, and no API promises to refuse a position of the old one.
 *
 * @throws {Error} when it cannot, with what to do
 */
export function refuseForeign(resume: Resume, { id, startsAt }: Shard, name: string): void {
  if (isPosition(resume) && startsAt !== undefined && compareSequences(resume.sequence, startsAt) < 0)
    throw foreignPosition(`${name} ${id}`, `begins at ${startsAt}, and the pipeline stands at ${resume.sequence}`);
}

/**
 * Says what to do when an answer begins before the position behind which it was asked for; nothing when it does not.
 *
 * @param first the sequence number of its first record
 */
export function foreignAnswer(from: Resume, first: string | undefined, where: string): Error | undefined {
  if (!isPosition(from) || first === undefined || compareSequences(first, from.sequence) >= 0) return undefined;
  return foreignPosition(where, `answered with ${first}, asked for what comes after ${from.sequence}`);
}

class ForeignPositionError extends Error {}

/** Says that a shard does not have the position at which the pipeline stands. */
export function foreignPosition(where: string, detail: string): Error {
  return new ForeignPositionError(`${where}: ${detail}. ${MADE_AGAIN}`);
}

const MADE_AGAIN =
  'The stream does not know the position at which the pipeline stands: it is another one than before, or was deleted and made again under the same name. ' +
  'Name the pipeline anew, or remove its positions, to read the new stream';

/** From the narrow to the wide; matched against the error's name and its message. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/SequenceNumber.*(stream|not come from|invalid|not found)|StartingSequenceNumber/i, MADE_AGAIN],
  [/\bshard\b.*does not exist/i, 'All of the shard is past the retention of the stream by now: a new run reads what there is'],
  [/ResourceNotFound/, 'Create the stream, or correct its name, the region or the endpoint'],
  [/^KMSDisabled/, "Enable the stream's KMS key"],
  [
    /^KMSInvalidState/,
    "Bring the stream's KMS key back: it waits to be deleted or for its key material, or its key store is away",
  ],
  [/^KMSNotFound/, "Find out what became of the stream's KMS key: without it, nobody reads what was encrypted with it"],
  [/^KMSOptInRequired/, "Subscribe the account of the stream's KMS key to KMS"],
  [
    /AccessDenied|NotAuthorized|OptInRequired/,
    'Allow these credentials kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords on the stream (with fan-out RegisterStreamConsumer there, ' +
      'DescribeStreamConsumer and SubscribeToShard on its consumer), and kms:Decrypt on its key',
  ],
  [
    /^SerializationException|^UnknownOperation|UnsupportedMediaType/,
    "A server that does not speak CBOR needs kinesis({ protocol: 'stock' })",
  ],
  [/^Rate exceeded/i, 'Try again: AWS answers few such calls a second to all that the account has'],
  [/^LimitExceeded/, 'Deregister a consumer of the stream that nobody needs any more, or read by polling'],
  [BY_CLOCK, "Set this machine's clock right"],
  [
    /UnrecognizedClient|InvalidSignature|InvalidClientTokenId|IncompleteSignature|MissingAuthenticationToken/,
    'Correct the AWS credentials',
  ],
  ...AWS_REMEDIES,
];
