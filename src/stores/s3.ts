import type { S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore } from './object-store.ts';
import type { Bucket } from './s3/bucket.ts';
import { placeOf } from './s3/url.ts';

export interface S3Options {
  /** Another server than AWS, as a URL; buckets then stand in the path. */
  readonly endpoint?: string | undefined;
  /** @default what the AWS SDK finds; `us-east-1` with an endpoint */
  readonly region?: string | undefined;
  /** A client of one's own; it is not closed with the store. */
  readonly client?: S3Client;
}

/**
 * Keeps objects in an S3 bucket, or at a server that speaks its API.
 *
 * Conditional puts are tried once when it opens, unless it is only to be read. A server that ignores them is reported (`no-conditional-writes`), and each
 * condition is looked at just before the put instead.
 *
 * @param url `s3://bucket` or `s3://bucket/prefix`, with `?sse=AES256`, `aws:kms` or `aws:kms:dsse` behind it where a policy wants puts to say how they
 * are to be encrypted, and `&sse-kms-key-id=…` where that is to be by a certain key; @default as the bucket encrypts by itself
 * @throws {TypeError} when the URL has another form
 */
export function s3(url: string, options: S3Options = {}): ObjectStore {
  const place = placeOf(url);
  // Who declares a bucket and asks nothing of it need not load the SDK.
  const connect = async (): Promise<Bucket> => {
    const { Bucket } = await import('./s3/bucket.ts');
    return new Bucket(place, options);
  };
  return {
    describe: place.where,
    async check() {
      const bucketStore = await connect();
      try {
        return await bucketStore.look();
      } finally {
        await bucketStore.close();
      }
    },
    async open({ report, readOnly = false }) {
      const bucketStore = await connect();
      try {
        if (!readOnly) await bucketStore.probe(report);
      } catch (error) {
        await bucketStore.close();
        throw error;
      }
      return bucketStore;
    },
  };
}
