import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startConditionalS3 } from '../support/s3-services.ts';

test('the fault proxy passes signed requests and conditions on, to a server that checks them', async () => {
  const server = await startConditionalS3();
  const proxy = await startFaultProxy({ target: server.endpoint, faults: [{ kind: 'drop-answer', on: 'PutObject' }] });
  const { credentials, region } = server.client.config;
  const client = new S3Client({ endpoint: proxy.url, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  try {
    const at = { Bucket: server.bucket, Key: 'a' };
    const put = (body: string) => client.send(new PutObjectCommand({ ...at, Body: body, IfNoneMatch: '*' }));
    await expect(put('first')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(put('second')).rejects.toMatchObject({ name: 'PreconditionFailed' });
    const { Body } = await client.send(new GetObjectCommand(at));
    expect(await Body!.transformToString()).toBe('first');
  } finally {
    client.destroy();
    await proxy.close();
    await server.close();
  }
});
