import type { Report } from '../diagnostic.ts';

/** What has to hold for a put to take place: no object of that key, or one of that version. */
export type PutCondition = 'absent' | { readonly etag: string };

export interface PutOptions {
  /** Names in lower case, values in ASCII, 2 kB in all. https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  /** Without one the put always takes place. */
  readonly condition?: PutCondition;
}

export interface ObjectHead {
  /**
   * Names one version of the object. S3 derives it from the bytes, so equal bytes have equal etags: who must be able to tell
   * two writers apart writes bytes that differ.
   */
  readonly etag: string;
  readonly sizeBytes: number;
  /** When this version was stored, in milliseconds since 1970; nothing where the store does not tell. */
  readonly storedAtMs?: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The object was not as the put's condition wants it, or somebody was writing it at that moment: look at it again.
 * It may also be one's own write, repeated below the store because its answer was lost.
 */
export class PreconditionFailedError extends Error {
  override readonly name = 'PreconditionFailedError';
  readonly key: string;
  /** Who looked again and again, and met another writer each time, may try once more later. */
  readonly isTransient = true;

  constructor(where: string, key: string, options?: ErrorOptions) {
    super(`${where}: ${key} is not as the put's condition wants it: somebody else has written it`, options);
    this.key = key;
  }
}

/** Who opens a store, and for what. */
interface OpenContext {
  readonly report: Report;
  /** Whether it is only to be read: then nothing is written to find out what it can do, and nothing is made that is absent. @default false */
  readonly readOnly?: boolean;
}

/** A store of objects, named by URL. A declaration: nothing runs before `open`. The contract: `test/stores/object-store.conformance.ts`. */
export interface ObjectStore {
  /** Its URL without secrets. */
  readonly describe: string;
  /**
   * Asks whether it answers, and changes nothing. Says what a run would find and make.
   *
   * @throws {Error} when a run would fail, with what to do
   */
  check?(): Promise<string>;
  /** Connects; rejects when the bucket or folder does not answer. */
  open(context: OpenContext): Promise<OpenObjectStore>;
}

/**
 * Keys are relative to the store's URL, with `/` between their parts, none of which is empty, `.` or `..`; no key is a folder
 * of another.
 */
export interface OpenObjectStore {
  /** The most bytes between two slashes of a key. @default any number */
  readonly maxNameBytes?: number;
  head(key: string): Promise<ObjectHead | undefined>;
  get(key: string): Promise<(ObjectHead & { readonly body: Uint8Array }) | undefined>;
  /**
   * Stores an object whole, durable when it resolves. Resolves with its etag.
   *
   * @throws {PreconditionFailedError} when the condition does not hold
   */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<string>;
  /** The keys that begin with the prefix, in the order of their bytes. */
  list(prefix: string): AsyncIterable<string>;
  close(): Promise<void>;
}
