import { once } from 'node:events';
import { type IncomingMessage, type Server, createServer, request as ask } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { faultOf } from '../../src/fault.ts';
import { type OpenObjectStore, PreconditionFailedError } from '../../src/stores/object-store.ts';
import { type S3Options, s3 } from '../../src/stores/s3.ts';
import { certificate, certificateKey } from '../support/certificate.ts';
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

  test('says how to trust a server with a certificate of its own', async () => {
    const secure = createSecureServer({ cert: certificate, key: certificateKey }).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const endpoint = `https://localhost:${(secure.address() as AddressInfo).port}`;
    const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    const error = await s3('s3://shop-events', { client }).check!().then(String, (failure: unknown) => failure);
    expect(error).toMatchObject({
      message: expect.stringMatching(/self-signed certificate.*\. Start it with NODE_EXTRA_CA_CERTS=\/path\/ca\.pem/),
    });
    expect(faultOf(error)).toBe('permanent');
    client.destroy();
    secure.close();
  });

  describe('says what was answered, and what to do', () => {
    interface Answer {
      readonly status: number;
      readonly body: string;
      readonly isCut?: boolean;
    }
    let answer: Answer | ((asked: IncomingMessage) => Answer) = { status: 200, body: '' };
    let client: S3Client;
    let store: OpenObjectStore;
    let end: () => void;
    beforeAll(async () => {
      const answering = createServer((request, response) => {
        const { status, body, isCut } = typeof answer === 'function' ? answer(request) : answer;
        response.writeHead(status, { 'content-type': 'application/xml', ...(isCut && { 'content-length': 1000 }) });
        if (isCut) response.write(body, () => setTimeout(() => request.socket.resetAndDestroy(), 20));
        else response.end(request.method === 'HEAD' ? '' : body);
      }).listen(0, '127.0.0.1');
      await once(answering, 'listening');
      const endpoint = `http://127.0.0.1:${(answering.address() as AddressInfo).port}`;
      const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
      client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 });
      store = await s3('s3://shop-events/good', { client }).open({ report: () => {}, readOnly: true });
      end = () => {
        client.destroy();
        answering.close();
      };
    });
    afterAll(() => end());
    const denied = '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
    const failureOf = (asked: Promise<unknown>): Promise<unknown> => asked.then(String, (error: unknown) => error);

    test('be it by a status alone, also to who only reads', async () => {
      answer = { status: 403, body: denied };
      await expect(store.head('a')).rejects.toThrow(/^s3:\/\/shop-events\/good: a: Forbidden\. Allow .*s3:GetObject/);
      await expect(store.get('a')).rejects.toThrow(/^s3:\/\/shop-events\/good: a: Access Denied\. Allow /);
      await expect(store.put('a', Buffer.from('x'))).rejects.toThrow(/^s3:\/\/shop-events\/good: a: Access Denied\. Allow /);
      await expect(Array.fromAsync(store.list('2026/'))).rejects.toThrow(/^s3:\/\/shop-events\/good: 2026\/\*: Access Denied\. /);
      answer = { status: 503, body: '' };
      await expect(store.head('a')).rejects.toThrow(/^s3:\/\/shop-events\/good: a: ServiceUnavailable$/);
      answer = { status: 502, body: '' };
      await expect(store.head('a')).rejects.toThrow(/^s3:\/\/shop-events\/good: a: HTTP status 502$/);
    });

    test.each([
      [502, '<html><body><hr></body></html>', /a: HTTP status 502, in an answer that is no S3 server's$/, 'transient'],
      [503, 'upstream connect error', /a: HTTP status 503, in an answer that is no S3 server's$/, 'transient'],
      [413, '<html><hr></html>', /a: HTTP status 413, .*Have the proxy .*client_max_body_size/, 'permanent'],
      [405, '<html><hr></html>', /a: HTTP status 405, .*Correct the endpoint/, 'permanent'],
      [
        403,
        denied.replace('Access Denied', 'User x is not authorized to perform: kms:GenerateDataKey.'),
        /: kms:GenerateDataKey\. Allow these credentials kms:/,
        'permanent',
      ],
      [
        403,
        denied.replace('Access Denied', 'User x may not: s3:PutObject with an explicit deny in a resource-based policy'),
        /-based policy\. A policy of the bucket, .* \?sse=aws:kms or \?sse=AES256 behind the URL$/,
        'permanent',
      ],
      [
        403,
        '<Error><Code>InvalidObjectState</Code><Message>Not valid for its storage class</Message></Error>',
        /storage class\. It was moved to Glacier: restore it/,
        'permanent',
      ],
      [
        404,
        '<Error><Code>NoSuchBucket</Code><Message>No such bucket</Message></Error>',
        /bucket\. Create the bucket, or/,
        'permanent',
      ],
    ])('with status %i and %s', async (status, body, words, fault) => {
      answer = { status, body };
      for (const asked of [store.get('a'), store.put('a', Buffer.from('x'))]) {
        const error = await failureOf(asked);
        expect(error).toMatchObject({ message: expect.stringMatching(words) });
        expect(faultOf(error)).toBe(fault);
      }
    });

    test('and of a key that is not to be used nothing of rights', async () => {
      const disabled = 'arn:aws:kms:eu-west-1:1:key/a is disabled.';
      answer = { status: 400, body: `<Error><Code>KMS.DisabledException</Code><Message>${disabled}</Message></Error>` };
      await expect(store.get('a')).rejects.toThrow(`s3://shop-events/good: a: ${disabled}`);
      await expect(store.get('a')).rejects.not.toThrow('Allow');
    });

    test.each([200, 503])('and of an answer of status %i that is cut off that it was, which passes', async (status) => {
      answer = { status, body: '<List', isCut: true };
      const error = await failureOf(Array.fromAsync(store.list('2026/')));
      expect(error).toMatchObject({ message: 's3://shop-events/good: 2026/*: aborted' });
      expect(faultOf(error)).toBe('transient');
      const [got, refused] = [await failureOf(store.get('a')), 's3://shop-events/good: a: aborted'];
      expect(got).toMatchObject({ message: refused });
      expect(faultOf(got)).toBe('transient');
    });

    test('and of a put that met another one at the same moment, that it may be tried again', async () => {
      answer = { status: 409, body: '<Error><Code>ConditionalRequestConflict</Code><Message>At that moment</Message></Error>' };
      const error = await failureOf(store.put('a', Buffer.from('x'), { condition: 'absent' }));
      expect(error).toBeInstanceOf(PreconditionFailedError);
      expect(faultOf(error)).toBe('transient');
    });

    test('be it that objects may be listed and not read, before a run', async () => {
      answer = ({ url }) =>
        url!.includes('list-type=2') ? { status: 200, body: '<ListBucketResult/>' } : { status: 403, body: denied };
      await expect(s3('s3://shop-events/good', { client }).check!()).rejects.toThrow(
        /_millrace\/probe: Access Denied\. Allow .*s3:GetObject/,
      );
    });

    test('page by page, of keys that are many', async () => {
      const pageOf = (key: string, next = ''): Answer => ({
        status: 200,
        body: `<ListBucketResult><Contents><Key>good/${key}</Key></Contents>${next}</ListBucketResult>`,
      });
      answer = ({ url }) =>
        url!.includes('continuation-token=of-b')
          ? pageOf('2026/b')
          : pageOf('2026/a', '<IsTruncated>true</IsTruncated><NextContinuationToken>of-b</NextContinuationToken>');
      expect(await Array.fromAsync(store.list('2026/'))).toEqual(['2026/a', '2026/b']);
    });

    const failed = { status: 412, body: '<Error><Code>PreconditionFailed</Code></Error>' };
    const unknown = { status: 501, body: '<Error><Code>NotImplemented</Code></Error>' };
    const done = { status: 200, body: '' };
    test.each([
      ['that keeps both conditions', failed, failed, true],
      ['that keeps those of absence alone', failed, done, false],
      ['that keeps those of a version alone', done, failed, false],
      ['that refuses to know one', failed, unknown, false],
    ])('of a server %s', async (_, ifThere, ifMatch, isConditional) => {
      let puts = 0;
      answer = ({ headers }) => (headers['if-match'] ? ifMatch : puts++ === 0 ? done : ifThere);
      const told: Diagnostic[] = [];
      await s3('s3://shop-events/good', { client }).open({ report: (one) => told.push(one) });
      expect(told).toEqual(isConditional ? [] : [{ type: 'no-conditional-writes', store: 's3://shop-events/good' }]);
    });
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

  test('wants the names of files of a server other than AWS alone, where each stays as it is', async () => {
    const nameBytes = async (options: S3Options): Promise<number | undefined> => {
      const store = await s3('s3://bucket', options).open({ report: () => {}, readOnly: true });
      await store.close();
      return store.maxNameBytes;
    };
    expect(await nameBytes({ endpoint: server.endpoint })).toBe(255);
    expect(await nameBytes({ client: server.client })).toBe(255);
    expect(await nameBytes({ region: 'eu-west-1' })).toBe(Infinity);
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

  describe('in a bucket whose policy wants each put to name its encryption', () => {
    const named = new Set<string>();
    let guard: Server;
    let client: S3Client;
    beforeAll(async () => {
      guard = createServer((request, response) => {
        const { 'x-amz-server-side-encryption': sse, 'x-amz-server-side-encryption-aws-kms-key-id': keyId } = request.headers;
        if (request.method === 'PUT') named.add(`${String(sse)} ${String(keyId)}`);
        if (request.method === 'PUT' && sse === undefined)
          return response.writeHead(403).end('<Error><Code>AccessDenied</Code><Message>with an explicit deny</Message></Error>');
        const { method, headers } = request;
        const asked = ask(`${server.endpoint}${request.url}`, { method, headers }, (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(response);
        });
        return request.pipe(asked);
      }).listen(0, '127.0.0.1');
      await once(guard, 'listening');
      client = new S3Client({
        endpoint: `http://127.0.0.1:${(guard.address() as AddressInfo).port}`,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
      });
    });
    afterAll(() => {
      client.destroy();
      guard.close();
    });

    test.each([
      ['?sse=AES256', 'AES256 undefined'],
      ['/?sse=aws:kms', 'aws:kms undefined'],
      ['?sse=aws:kms:dsse&sse-kms-key-id=arn:aws:kms:eu-west-1:1:key/a-b', 'aws:kms:dsse arn:aws:kms:eu-west-1:1:key/a-b'],
    ])('%s has all puts name it', async (parameters, headers) => {
      named.clear();
      const url = `s3://${server.bucket}/encrypted-${tests++}${parameters}`;
      expect(s3(url).describe).toBe(`s3://${server.bucket}/encrypted-${tests - 1}`);
      const store = await s3(url, { client }).open({ report: () => {} });
      await store.put('a', Buffer.from('x'), { condition: 'absent' });
      expect((await store.get('a'))?.body).toEqual(Uint8Array.from(Buffer.from('x')));
      expect([...named]).toEqual([headers]);
    });

    test('it is told how where that is left out', async () => {
      const opened = s3(`s3://${server.bucket}/plain`, { client }).open({ report: () => {} });
      await expect(opened).rejects.toThrow(/explicit deny\. .*write \?sse=aws:kms or/);
    });
  });

  test.each([
    ['?sse=kms', 's3: expected sse to be one of AES256, aws:kms, aws:kms:dsse, got "kms"'],
    ['?sse-kms-key-id=k', 's3: expected sse=aws:kms or aws:kms:dsse with sse-kms-key-id, got no sse'],
    ['?sse=AES256&sse-kms-key-id=k', 's3: expected sse=aws:kms or aws:kms:dsse with sse-kms-key-id, got AES256'],
    ['?region=eu-west-1', 's3: expected parameters sse and sse-kms-key-id behind the URL, got "region"'],
  ])('takes no %s', (parameters, words) => {
    expect(() => s3(`s3://bucket/prefix${parameters}`)).toThrow(new TypeError(words));
  });

  test('names its bucket and prefix, and nothing secret', () => {
    expect(s3('s3://bucket').describe).toBe('s3://bucket');
    expect(s3('s3://bucket/a/b/').describe).toBe('s3://bucket/a/b');
  });

  test.each(['bucket/prefix', 's3://', 's3://b', 's3://Bucket/x', 's3://me:secret@bucket/x', 's3://me:1@secret@b/x'])(
    'takes no %s for a URL',
    (url) => {
      expect(() => s3(url)).toThrow(TypeError);
      expect(() => s3(url)).not.toThrow(/secret/);
    },
  );
});
