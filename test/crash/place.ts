import { join } from 'node:path';
import { hasConditionalS3, startConditionalS3 } from '../support/s3-services.ts';
import { bucketView, folderView } from './archive-evidence.ts';
import type { ArchivePlace } from './warehouse-act.ts';

/** A place for archives, with what has to be ended. */
export interface OpenPlace extends ArchivePlace {
  close(): Promise<void>;
}

/** Opens a place; s3rver is none, as it has no conditional writes, which owners that meet need. @default MinIO where `.ci/services` has put it */
export async function openPlace(which?: 'MinIO' | 'folder'): Promise<OpenPlace> {
  return (which ?? (hasConditionalS3() ? 'MinIO' : 'folder')) === 'MinIO' ? inMinio() : inFolder;
}

/** A folder of each act's own. */
export const inFolder: OpenPlace = {
  name: 'a folder',
  of: (_, folder) => ({
    settings: { ARCHIVE_URL: `file:${join(folder, 'archive')}` },
    view: folderView(join(folder, 'archive')),
  }),
  close: async () => {},
};

async function inMinio(): Promise<OpenPlace> {
  const server = await startConditionalS3();
  const { endpoint, bucket, client } = server;
  const { accessKeyId, secretAccessKey } = await client.config.credentials();
  return {
    name: 'MinIO',
    of: (act) => ({
      settings: {
        ARCHIVE_URL: `s3://${bucket}/${act}`,
        S3_ENDPOINT: endpoint,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
      },
      view: bucketView(client, bucket, act),
    }),
    close: () => server.close(),
  };
}
