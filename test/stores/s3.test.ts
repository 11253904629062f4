import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { faultOf } from '../../src/fault.ts';
import { s3 } from '../../src/stores/s3.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { objectStoreConformance } from './object-store.conformance.ts';

let server: S3Server;
let tests = 0;
beforeAll(async () => {
  server = await startS3();
});
afterAll(() => server.close());

objectStoreConformance('s3 on a server without conditional puts', async () => {
  const url = `s3://${server.bucket}/test-${tests++}`;
  return { declare: () => s3(url, { client: server.client }), isConditional: false, close: async () => {} };
});

describe('s3', () => {
  test('rejects when the bucket does not answer', async () => {
    await expect(s3('s3://nowhere', { client: server.client }).open({ report: () => {} })).rejects.toThrow(/bucket/i);
  });

  test('says how to name the region', async () => {
    const environment = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null', AWS_REGION: undefined };
    const before = Object.fromEntries(Object.keys(environment).map((name) => [name, process.env[name]]));
    const set = (values: Readonly<Record<string, string | undefined>>): void => {
      for (const [name, value] of Object.entries(values)) if (value === undefined) delete process.env[name];
      Object.assign(process.env, Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)));
    };
    set(environment);
    try {
      await expect(s3('s3://shop-events/enriched').open({ report: () => {} })).rejects.toThrow(
        's3://shop-events/enriched: Region is missing. Set AWS_REGION',
      );
    } finally {
      set(before);
    }
  });

  test('says what was denied, and what to do, be it by a status alone, also to who only reads', async () => {
    let status = 403;
    const denying = createServer((request, response) => {
      const body = request.method === 'HEAD' ? '' : '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
      response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
    }).listen(0, '127.0.0.1');
    await once(denying, 'listening');
    const endpoint = `http://127.0.0.1:${(denying.address() as AddressInfo).port}`;
    const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    try {
      const store = await s3('s3://shop-events/good', { client }).open({ report: () => {}, readOnly: true });
      await expect(store.head('a')).rejects.toThrow(/^s3:\/\/shop-events\/good: a: Forbidden\. Allow .*s3:GetObject/);
      await expect(store.get('a')).rejects.toThrow(/^s3:\/\/shop-events\/good: a: Access Denied\. Allow /);
      await expect(store.put('a', Buffer.from('x'))).rejects.toThrow(/^s3:\/\/shop-events\/good: a: Access Denied\. Allow /);
      await expect(Array.fromAsync(store.list('2026/'))).rejects.toThrow(/^s3:\/\/shop-events\/good: 2026\/\*: Access Denied\. /);
      status = 503;
      await expect(store.head('a')).rejects.toThrow(/^s3:\/\/shop-events\/good: a: ServiceUnavailable$/);
    } finally {
      client.destroy();
      denying.close();
    }
  });

  test('waits for credentials that cannot be had for a while, once it was answered', async () => {
    let areGone = true;
    const client = new S3Client({
      endpoint: server.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: async () => {
        if (areGone) throw Object.assign(new Error('could not reach the metadata service'), { name: 'CredentialsProviderError' });
        return { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', expiration: new Date() };
      },
    });
    const failure = (asked: Promise<unknown>): Promise<unknown> => asked.catch((error: unknown) => faultOf(error));
    try {
      const store = await s3(`s3://${server.bucket}/gone`, { client }).open({ report: () => {}, readOnly: true });
      expect(await failure(store.head('a'))).toBe('permanent');
      areGone = false;
      expect(await store.head('a')).toBeUndefined();
      areGone = true;
      expect(await failure(store.put('a', Buffer.from('x')))).toBe('transient');
      expect(await failure(store.get('a'))).toBe('transient');
    } finally {
      client.destroy();
    }
  });

  test('reaches the endpoint it is given', async () => {
    const credentials = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };
    Object.assign(process.env, credentials);
    try {
      const store = await s3(`s3://${server.bucket}/endpoint`, { endpoint: server.endpoint }).open({ report: () => {} });
      await store.put('a', Buffer.from('x'));
      expect(await store.head('a')).toMatchObject({ sizeBytes: 1 });
      await store.close();
    } finally {
      for (const name of Object.keys(credentials)) delete process.env[name];
    }
  });

  test('names its bucket and prefix, and nothing secret', () => {
    expect(s3('s3://bucket').describe).toBe('s3://bucket');
    expect(s3('s3://bucket/a/b/').describe).toBe('s3://bucket/a/b');
  });

  test.each(['bucket/prefix', 's3://', 's3://b', 's3://Bucket/x', 's3://me:secret@bucket/x'])('takes no %s for a URL', (url) => {
    expect(() => s3(url)).toThrow(TypeError);
    expect(() => s3(url)).not.toThrow(/secret/);
  });
});
