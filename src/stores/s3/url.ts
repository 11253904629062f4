/** Where objects are kept, and how. */
export interface BucketPlace {
  /** As messages name it. */
  readonly where: string;
  readonly bucket: string;
  /** What all keys begin with. */
  readonly prefix: string;
  /** What each put says of encryption. */
  readonly encryption: Encryption;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_RequestSyntax */
interface Encryption {
  readonly ServerSideEncryption?: (typeof ALGORITHMS)[number];
  readonly SSEKMSKeyId?: string;
}

const ALGORITHMS = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const;

/** @throws {TypeError} when a URL has another form; it does not show what may be secret */
export function placeOf(url: string): BucketPlace {
  const [, bucket, path = '', query = ''] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(|[^?]*[^?\s]))?(?:\?(.*))?$/.exec(url) ?? [];
  if (bucket === undefined)
    throw new TypeError(`s3: expected a URL like s3://bucket/prefix, got ${JSON.stringify(url.replace(/\/\/.*@/, '//…@'))}`);
  const prefix = path
    .split('/')
    .filter(Boolean)
    .map((part) => `${part}/`)
    .join('');
  return { where: `s3://${bucket}/${prefix}`.replace(/\/$/, ''), bucket, prefix, encryption: encryptionOf(query) };
}

/** The parameters have the names that the AWS CLI gives them. */
function encryptionOf(query: string): Encryption {
  const { sse, 'sse-kms-key-id': keyId, ...others } = Object.fromEntries(new URLSearchParams(query));
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw new TypeError(`s3: expected parameters sse and sse-kms-key-id behind the URL, got ${JSON.stringify(other)}`);
  const algorithm = ALGORITHMS.find((name) => name === sse);
  if (sse !== undefined && !algorithm)
    throw new TypeError(`s3: expected sse to be one of ${ALGORITHMS.join(', ')}, got ${JSON.stringify(sse)}`);
  if (keyId === undefined) return algorithm ? { ServerSideEncryption: algorithm } : {};
  if (!algorithm?.startsWith('aws:kms'))
    throw new TypeError(`s3: expected sse=aws:kms or aws:kms:dsse with sse-kms-key-id, got ${sse ?? 'no sse'}`);
  return { ServerSideEncryption: algorithm, SSEKMSKeyId: keyId };
}
