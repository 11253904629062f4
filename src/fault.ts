import { FencedError, OrderBrokenError, OvertakenError, SettledTooEarlyError, StepError, WentBackError } from './errors.ts';

/** What a failure asks for: try again, give way to a newer run, begin anew where the store stands, or stop and call a person. */
export type Fault = 'transient' | 'fenced' | 'went-back' | 'permanent';

/**
 * Tells what an error of the AWS SDK, pg, Redis or the network asks for.
 *
 * What is not known is permanent: trying again what cannot work hides the cause, and nothing is lost by a stop.
 */
export function faultOf(error: unknown): Fault {
  if (error instanceof FencedError) return 'fenced';
  if (error instanceof WentBackError) return 'went-back';
  if (PERMANENT.some((kind) => error instanceof kind)) return 'permanent';
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (isTransient(cause)) return 'transient';
    if (cause instanceof AggregateError && cause.errors.some((one) => faultOf(one) === 'transient')) return 'transient';
  }
  return 'permanent';
}

/** A pipeline that is wrong stays so, whatever the cause looks like. */
const PERMANENT = [OrderBrokenError, OvertakenError, SettledTooEarlyError, StepError];

interface KnownFields {
  readonly code?: unknown;
  /** Set by the AWS SDK on what it would itself try again. */
  readonly $retryable?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  /** Ours, for a fault that a store knows to pass. */
  readonly isTransient?: unknown;
}

function isTransient(error: Error & KnownFields): boolean {
  if (error.isTransient === true || error.$retryable) return true;
  if (error.$metadata && isTransientAws(error.name, error.$metadata.httpStatusCode)) return true;
  if (typeof error.code === 'string' && (NETWORK_CODES.has(error.code) || isTransientSqlState(error.code))) return true;
  return REDIS_REPLY.test(error.message) || LOST_CONNECTION.test(error.message) || TIMEOUT_NAMES.has(error.name);
}

/**
 * https://nodejs.org/api/errors.html#common-system-errors, and those of `fetch`, which a sink of somebody's own may call:
 * https://github.com/nodejs/undici/blob/main/docs/docs/api/Errors.md
 */
const NETWORK_CODES = new Set(
  (
    'ECONNRESET ECONNREFUSED ECONNABORTED EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH ENETDOWN EAI_AGAIN ERR_STREAM_PREMATURE_CLOSE ' +
    'ERR_HTTP2_STREAM_CANCEL UND_ERR_SOCKET UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT'
  ).split(' '),
);

const TIMEOUT_NAMES = new Set(['TimeoutError', 'RequestTimeout']);

/** https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html#API_GetRecords_Errors and the S3 list of error codes. */
const AWS_NAMES =
  /Throttl|ProvisionedThroughputExceeded|LimitExceeded|TooManyRequests|SlowDown|ServiceUnavailable|Internal(Failure|Error|ServerError)|RequestTime(out|dOut)|OperationAborted|ConditionalRequestConflict|ExpiredIterator/;

function isTransientAws(name: string, status = 0): boolean {
  return status >= 500 || status === 429 || status === 408 || AWS_NAMES.test(name);
}

/**
 * Connection lost (08), not enough resources (53), told to go away (57P), serialization and deadlock (40), lock not to be had (55P03),
 * a session that idled in a transaction (25P03), a server that has become a standby (25006). https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function isTransientSqlState(code: string): boolean {
  return /^(08...|53...|57P0[1-5]|40001|40P01|40003|55P03|25P0[34]|25006)$/.test(code);
}

/** A server that is starting, full, failing over or busy. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const REDIS_REPLY =
  /^(READONLY|LOADING|BUSY|OOM|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS|ERR max number of clients reached)\b/;

/** How pg and ioredis word a connection that ended under a query. */
const LOST_CONNECTION =
  /^(Connection terminated|Connection is closed|Client has encountered a connection error|The client was disconnected|Connection ended|timeout expired|Query read timeout|Reached the max retries per request limit|Command timed out)/i;

/**
 * Tells whether a call of the AWS SDK, or of pg, did not even reach its service: for want of credentials or of the address, or on a connection that
 * carries neither HTTP nor TLS. Once others were answered that passes: who hands out credentials or knows names is away, or bytes were damaged on their way.
 */
export function isOutOfReach(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code } = error as KnownFields;
  return error.name === 'CredentialsProviderError' || (typeof code === 'string' && OUT_OF_REACH.test(code));
}

const OUT_OF_REACH = /^(ENOTFOUND$|EPROTO$|ERR_SSL_|HPE_)/;

/** What to do where the AWS SDK fails for want of credentials, trust, region or address, by the error's name or its message; from the narrow to the wide. */
export const AWS_REMEDIES: readonly (readonly [names: RegExp, remedy: string])[] = [
  [/ExpiredToken/, 'Renew the AWS credentials'],
  [
    /CredentialsProvider|credentials/i,
    'Set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role',
  ],
  [
    /self-signed certificate|unable to (get|verify) .*certificate/,
    'Start it with NODE_EXTRA_CA_CERTS=/path/ca.pem, of who has signed the certificate; AWS_CA_BUNDLE is not read',
  ],
  [/Region is missing/, 'Set AWS_REGION'],
  [/ENOTFOUND/, 'Correct the region or the endpoint'],
];
