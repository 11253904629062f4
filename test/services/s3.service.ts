import { afterAll, beforeAll } from 'vitest';
import { s3 } from '../../src/stores/s3.ts';
import { objectStoreConformance } from '../stores/object-store.conformance.ts';
import { KMS_KEY, startConditionalS3 } from '../support/s3-services.ts';
import type { S3Server } from '../support/s3.ts';

let server: S3Server | undefined;
let tests = 0;
beforeAll(async () => {
  server = await startConditionalS3();
});
afterAll(() => server?.close());

for (const encryption of ['', '?sse=AES256', `?sse=aws:kms&sse-kms-key-id=${KMS_KEY}`])
  objectStoreConformance(`s3 on a server with conditional puts ${encryption}`, async () => {
    const url = `s3://${server!.bucket}/test-${tests++}${encryption}`;
    return { declare: () => s3(url, { client: server!.client }), isConditional: true, close: async () => {} };
  });
