import {
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type { Report } from '../../diagnostic.ts';
import { isOutOfReach } from '../../fault.ts';
import { type ObjectHead, type OpenObjectStore, type PutOptions, PreconditionFailedError } from '../object-store.ts';
import type { S3Options } from '../s3.ts';
import { explain } from './failure.ts';
import type { BucketPlace } from './url.ts';

/** The SDK waits without end by itself. */
const CONNECTION_TIMEOUT_MS = 5_000;
const SILENCE_TIMEOUT_MS = 30_000;
const PROBE_KEY = '_millrace/probe';
/** Of MinIO, and other servers that keep objects as files. https://min.io/docs/minio/linux/operations/concepts/thresholds.html */
const MAX_FILE_NAME_BYTES = 255;

/** A bucket at its server. Its client is its own, unless it was given. */
export class Bucket implements OpenObjectStore {
  readonly maxNameBytes: number;
  readonly #where: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #encryption: BucketPlace['encryption'];
  readonly #close: () => void;
  #isConditional = true;
  /** Whether the server has answered as it should. */
  #wasAnswered = false;

  constructor({ where, bucket, prefix, encryption }: BucketPlace, { endpoint, region, client }: S3Options) {
    const own = client ? undefined : new S3Client(settings(endpoint, region));
    this.#where = where;
    this.#client = client ?? own!;
    // AWS bounds keys as a whole, and names there stay as they are.
    this.maxNameBytes = this.#client.config.isCustomEndpoint ? MAX_FILE_NAME_BYTES : Number.POSITIVE_INFINITY;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#encryption = encryption;
    this.#close = () => own?.destroy();
  }

  /** Finds out whether the server keeps conditions: neither may let the second put of one object pass. */
  async probe(report: Report): Promise<void> {
    const body = Buffer.from('millrace asks here whether the server keeps the conditions of a put\n');
    const refuses = (condition: { IfNoneMatch: '*' } | { IfMatch: string }): Promise<boolean> =>
      this.#told('', () => this.#refuses(condition, body));
    await refuses({ IfNoneMatch: '*' });
    this.#isConditional = (await refuses({ IfNoneMatch: '*' })) && (await refuses({ IfMatch: `"${'0'.repeat(32)}"` }));
    if (!this.#isConditional) report({ type: 'no-conditional-writes', store: this.#where });
  }

  /** Reads what a run reads, and puts nothing. */
  async look(): Promise<string> {
    const list = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix, MaxKeys: 1 });
    const { KeyCount = 0 } = await this.#told('', () => this.#client.send(list));
    await this.get(PROBE_KEY);
    return `the bucket answers, ${KeyCount > 0 ? 'with objects' : 'with nothing'} there; that it takes objects is seen when a run opens it`;
  }

  async head(key: string): Promise<ObjectHead | undefined> {
    const answer = await this.#told(key, () => ifThere(() => this.#client.send(new HeadObjectCommand(this.#at(key)))));
    return answer && headOf(answer, answer.ContentLength ?? 0);
  }

  async get(key: string): Promise<(ObjectHead & { readonly body: Uint8Array }) | undefined> {
    return this.#told(key, async () => {
      const answer = await ifThere(() => this.#client.send(new GetObjectCommand(this.#at(key))));
      if (!answer) return undefined;
      const body = await answer.Body!.transformToByteArray();
      return { ...headOf(answer, body.length), body };
    });
  }

  async put(key: string, body: Uint8Array, { metadata, contentType, condition }: PutOptions = {}): Promise<string> {
    if (condition && !this.#isConditional) {
      const etag = (await this.head(key))?.etag;
      if (condition === 'absent' ? etag !== undefined : etag !== condition.etag)
        throw new PreconditionFailedError(this.#where, key);
    }
    const conditions =
      !condition || !this.#isConditional ? {} : condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.etag };
    const put = new PutObjectCommand({
      ...this.#at(key),
      ...conditions,
      ...this.#encryption,
      Body: body,
      ...(metadata && { Metadata: { ...metadata } }),
      ...(contentType !== undefined && { ContentType: contentType }),
    });
    return this.#told(key, async () => {
      try {
        return (await this.#client.send(put)).ETag ?? '';
      } catch (error) {
        throw condition && isRefusal(error) ? new PreconditionFailedError(this.#where, key, { cause: error }) : error;
      }
    });
  }

  async *list(prefix: string): AsyncIterable<string> {
    let ContinuationToken: string | undefined;
    do {
      const list = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: this.#prefix + prefix,
        ...(ContinuationToken !== undefined && { ContinuationToken }),
      });
      const page = await this.#told(`${prefix}*`, () => this.#client.send(list));
      for (const { Key = '' } of page.Contents ?? []) yield Key.slice(this.#prefix.length);
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  }

  async close(): Promise<void> {
    this.#close();
  }

  /** Says of what fails what it was about, and what to do. */
  async #told<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      const answer = await act();
      this.#wasAnswered = true;
      return answer;
    } catch (error) {
      if (error instanceof PreconditionFailedError) throw error;
      if (this.#wasAnswered && isOutOfReach(error)) Object.assign(error, { isTransient: true });
      throw explain(error, what ? `${this.#where}: ${what}` : this.#where);
    }
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async #refuses(condition: { IfNoneMatch: '*' } | { IfMatch: string }, Body: Uint8Array): Promise<boolean> {
    try {
      await this.#client.send(new PutObjectCommand({ ...this.#at(PROBE_KEY), Body, ...condition, ...this.#encryption }));
      return false;
    } catch (error) {
      if (isRefusal(error)) return true;
      // Some servers say that they know no such header rather than ignore it.
      if (error instanceof S3ServiceException && error.name === 'NotImplemented') return false;
      throw error;
    }
  }
}

function settings(endpoint: string | undefined, region: string | undefined): S3ClientConfig {
  const requestHandler = { connectionTimeout: CONNECTION_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS };
  if (endpoint !== undefined) return { requestHandler, endpoint, forcePathStyle: true, region: region ?? 'us-east-1' };
  return region === undefined ? { requestHandler } : { requestHandler, region };
}

function headOf({ ETag = '', LastModified, Metadata = {} }: HeadObjectCommandOutput, sizeBytes: number): ObjectHead {
  const head = { etag: ETag, sizeBytes, metadata: Metadata };
  return LastModified ? { ...head, storedAtMs: LastModified.getTime() } : head;
}

/**
 * 412: the condition does not hold. 404: If-Match of an object that is not there. 409: somebody else was writing it at that moment.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response
 */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof S3ServiceException)) return false;
  return error.$metadata.httpStatusCode === 412 || error.name === 'NoSuchKey' || error.name === 'ConditionalRequestConflict';
}

async function ifThere<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof S3ServiceException && (error.name === 'NotFound' || error.name === 'NoSuchKey')) return undefined;
    throw error;
  }
}
