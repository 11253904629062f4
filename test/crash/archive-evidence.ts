import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, NoSuchKey, type S3Client } from '@aws-sdk/client-s3';
import type { Position } from '../../src/position.ts';
import { type FoundObject, positionIn } from './checker.ts';

const DOCUMENTS = '_millrace/warehouse/archive/';
const OBJECTS = 'snowplow/';

/** What an archive holds. */
export interface ArchiveEvidence {
  readonly objects: readonly FoundObject[];
  /** By shard; read before the objects, so each says no more than what they have. */
  readonly documents: ReadonlyMap<string, { readonly epoch: number; readonly position: Position | undefined }>;
}

/** An archive as one looks at it from outside. */
export interface ArchiveView {
  /** Keys below a prefix with what changes when their objects do. */
  list(prefix: string): Promise<readonly { readonly key: string; readonly version: string }[]>;
  get(key: string): Promise<Uint8Array | undefined>;
}

/** Looks into a folder, past the code that is tested. */
export function folderView(folder: string): ArchiveView {
  return {
    async list(prefix) {
      const entries = await readdir(join(folder, prefix), { recursive: true, withFileTypes: true }).catch(() => []);
      const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      return Promise.all(
        files.map(async (path) => {
          // Each put makes a file of its own.
          const { ino, mtimeMs } = await stat(path);
          return { key: path.slice(folder.length + 1), version: `${ino} ${mtimeMs}` };
        }),
      );
    },
    get: (key) => readFile(join(folder, key)).catch(() => undefined),
  };
}

/** Looks into a bucket. */
export function bucketView(client: S3Client, bucket: string, root: string): ArchiveView {
  return {
    async list(prefix) {
      const found: { key: string; version: string }[] = [];
      for (let token: string | undefined; ;) {
        const page = await client.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: `${root}/${prefix}`, ...(token && { ContinuationToken: token }) }),
        );
        for (const { Key, ETag } of page.Contents ?? []) found.push({ key: Key!.slice(root.length + 1), version: ETag! });
        token = page.NextContinuationToken;
        if (!token) return found;
      }
    },
    async get(key) {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${root}/${key}` }));
        return await Body!.transformToByteArray();
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        throw error;
      }
    },
  };
}

/** Reads an archive again and again; what has not changed is read once. */
export class ArchiveReader {
  readonly #view: ArchiveView;
  readonly #known = new Map<string, { readonly version: string; readonly object: FoundObject }>();

  constructor(view: ArchiveView) {
    this.#view = view;
  }

  async read(): Promise<ArchiveEvidence> {
    const documents = new Map<string, { epoch: number; position: Position | undefined }>();
    for (const { key } of await this.#view.list(DOCUMENTS)) {
      const shard = decodeURIComponent(key.slice(DOCUMENTS.length).replace(/\.json$/, ''));
      const body = await this.#view.get(key);
      if (!body) continue;
      const { epoch, position } = JSON.parse(Buffer.from(body).toString()) as { epoch: number; position?: string };
      documents.set(shard, { epoch, position: positionIn(shard, position) });
    }
    const objects: FoundObject[] = [];
    for (const { key, version } of await this.#view.list(OBJECTS)) {
      const known = this.#known.get(key);
      if (known?.version === version) {
        objects.push(known.object);
        continue;
      }
      const body = await this.#view.get(key);
      if (!body) continue;
      const object = objectOf(key, body);
      this.#known.set(key, { version, object });
      objects.push(object);
    }
    return { objects, documents };
  }
}

/** The shard is in the key, the epoch in the comment of the gzip header. */
function objectOf(key: string, body: Uint8Array): FoundObject {
  const shard = /\/\d{4}-(shardId-\d+)-[\d.]+\.tsv\.gz$/.exec(key)?.[1] ?? 'none';
  const epoch = /^millrace epoch (\d+)\0/.exec(Buffer.from(body.subarray(10, 60)).toString('latin1'))?.[1];
  return { key, shard, epoch: Number(epoch ?? 0), text: gunzipSync(body).toString('latin1') };
}
