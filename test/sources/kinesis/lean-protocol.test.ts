import {
  DescribeStreamSummaryCommand,
  ExpiredIteratorException,
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  KinesisClient,
  ProvisionedThroughputExceededException,
} from '@aws-sdk/client-kinesis';
import { SmithyRpcV2CborProtocol, cbor } from '@smithy/core/cbor';
import { type IncomingHttpHeaders, type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { faultOf } from '../../../src/fault.ts';
import { kinesis } from '../../../src/sources/kinesis.ts';
import { kinesisClient } from '../../../src/sources/kinesis/client.ts';
import { collectBody } from '../../../src/sources/kinesis/lean/collect-body.ts';
import { isPassing } from '../../../src/sources/kinesis/failure.ts';
import { speakLean } from '../../../src/sources/kinesis/lean/lean-protocol.ts';
import { freeing } from '../../../src/sources/text/own-memory.ts';
import { startFaultyKinesis } from '../../support/faulty-kinesis.ts';
import { readSource } from '../../support/read-source.ts';

const CBOR = 'application/x-amz-cbor-1.1';
const JSON_1_1 = 'application/x-amz-json-1.1';
const answer = {
  Records: [{ SequenceNumber: '1', Data: new TextEncoder().encode('hello'), PartitionKey: 'any' }],
  MillisBehindLatest: 0,
};
const inJson = JSON.stringify({ ...answer, Records: [{ ...answer.Records[0], Data: 'aGVsbG8=' }] });

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A server that answers as it is told. */
async function answering(
  listener: RequestListener,
): Promise<{ endpoint: string; headers: IncomingHttpHeaders[]; bodies: Buffer[] }> {
  const [headers, bodies]: [IncomingHttpHeaders[], Buffer[]] = [[], []];
  const server = createServer((request, response) => {
    headers.push(request.headers);
    void buffer(request).then((body) => {
      bodies.push(body);
      listener(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, headers, bodies };
}

function clientOf(endpoint: string, protocol: 'lean' | 'stock' = 'lean'): KinesisClient {
  const client = kinesisClient({ endpoint, protocol });
  closing.push(() => client.destroy());
  return client;
}

const getRecords = (client: KinesisClient): Promise<GetRecordsCommandOutput> =>
  client.send(new GetRecordsCommand({ ShardIterator: 'i', Limit: 5 }));

async function failure(endpoint: string, protocol: 'lean' | 'stock' = 'lean'): Promise<Error> {
  return getRecords(clientOf(endpoint, protocol)).then(
    () => expect.fail('it gave an answer'),
    (error: Error) => error,
  );
}

describe('the lean protocol', () => {
  it('asks for records in CBOR, signed, and for everything else in JSON', async () => {
    const { endpoint, headers, bodies } = await answering(({ headers: { 'content-type': type } }, response) =>
      response.end(type === CBOR ? cbor.serialize(answer) : '{"StreamDescriptionSummary":{"StreamName":"shop"}}'),
    );
    const client = clientOf(endpoint);
    expect(await getRecords(client)).toMatchObject(answer);
    const described = await client.send(new DescribeStreamSummaryCommand({ StreamName: 'shop' }));
    expect(described.StreamDescriptionSummary!.StreamName).toBe('shop');
    expect(headers.map((one) => one['content-type'])).toEqual([CBOR, JSON_1_1]);
    expect(headers[0]).toMatchObject({
      'x-amz-target': 'Kinesis_20131202.GetRecords',
      'content-length': String(bodies[0]!.length),
      authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=local\/.*SignedHeaders=.*content-type;.*Signature=/),
    });
    expect(cbor.deserialize(bodies[0]!)).toEqual({ ShardIterator: 'i', Limit: 5 });
  });

  it('gives what the stock protocol gives, with its metadata', async () => {
    const { endpoint } = await answering(({ headers: { 'content-type': type } }, response) =>
      response
        .setHeader('x-amzn-RequestId', 'r1')
        .setHeader('x-amz-id-2', 'i2')
        .end(type === CBOR ? cbor.serialize(answer) : inJson),
    );
    const lean = await getRecords(clientOf(endpoint));
    const stock = await getRecords(clientOf(endpoint, 'stock'));
    expect(lean).toEqual(stock);
    expect(lean.$metadata).toMatchObject({ httpStatusCode: 200, requestId: 'r1', extendedRequestId: 'i2' });
  });

  it('reads an answer in JSON too, from a server that speaks nothing else', async () => {
    const { endpoint } = await answering((_, response) => response.end(inJson));
    expect(await getRecords(clientOf(endpoint))).toMatchObject(answer);
  });

  it('reads an answer that comes in pieces', async () => {
    const { endpoint } = await answering(async (_, response) => {
      response.flushHeaders();
      for (const byte of cbor.serialize(answer)) {
        response.write(Buffer.of(byte));
        await nextTurn();
      }
      response.end();
    });
    expect(await getRecords(clientOf(endpoint))).toMatchObject(answer);
  });

  for (const [format, write] of [
    ['CBOR', (error: object) => cbor.serialize(error)],
    ['JSON', (error: object) => JSON.stringify(error)],
  ] as const)
    it(`makes the SDK's exceptions of errors in ${format}`, async () => {
      const refusing = async (type: string): Promise<Error> => {
        const { endpoint } = await answering((_, response) => {
          response.statusCode = 400;
          response.setHeader('x-amzn-RequestId', 'r1').end(write({ __type: type, message: 'as the test wants it' }));
        });
        return failure(endpoint);
      };
      const throttled = await refusing('ProvisionedThroughputExceededException');
      expect(throttled).toBeInstanceOf(ProvisionedThroughputExceededException);
      expect(throttled).toMatchObject({
        name: 'ProvisionedThroughputExceededException',
        message: 'as the test wants it',
        $fault: 'client',
        $metadata: { httpStatusCode: 400, requestId: 'r1' },
      });
      expect(isPassing(throttled)).toBe(true);
      expect(await refusing('com.amazonaws.kinesis#ExpiredIteratorException')).toBeInstanceOf(ExpiredIteratorException);
      expect((await refusing('SerializationException')).name).toBe('SerializationException');
    });

  it('tells errors that are neither by their status', async () => {
    for (const [body, status] of [
      ['<html>Service Unavailable</html>', 503],
      ['', 500],
      [Buffer.of(0xa1, 0xff), 502],
    ] as const) {
      const { endpoint } = await answering((_, response) => {
        response.statusCode = status;
        response.end(body);
      });
      const error = await failure(endpoint);
      expect(error).toMatchObject({ $metadata: { httpStatusCode: status } });
      expect(faultOf(error)).toBe('transient');
      expect(error.message).toBe((await failure(endpoint, 'stock')).message);
    }
  });

  it('sets a wrong clock right, as the stock protocol does', async () => {
    for (const protocol of ['lean', 'stock'] as const) {
      const { endpoint, headers } = await answering(({ headers: { 'content-type': type } }, response) => {
        response.statusCode = 400;
        response.setHeader('date', new Date(Date.now() + 3_600_000).toUTCString());
        const error = { __type: 'InvalidSignatureException', message: 'Signature expired' };
        response.end(type === CBOR ? cbor.serialize(error) : JSON.stringify(error));
      });
      const client = clientOf(endpoint, protocol);
      for (const corrected of [true, undefined]) {
        const error = await getRecords(client).catch((cause: unknown) => cause);
        expect(error).toMatchObject({ name: 'InvalidSignatureException' });
        if (corrected) expect(error).toMatchObject({ $metadata: { clockSkewCorrected: true } });
      }
      const [first, second] = headers.map((one) => signedAtMs(String(one['x-amz-date'])));
      expect(second! - first!).toBeGreaterThan(3_000_000);
    }
  });

  it('leaves it to the SDK to try again', async () => {
    let calls = 0;
    const { endpoint } = await answering((_, response) => {
      if (++calls === 3) return void response.end(cbor.serialize(answer));
      response.statusCode = 500;
      response.end(cbor.serialize({ __type: 'InternalFailure' }));
    });
    const credentials = { accessKeyId: 'a', secretAccessKey: 's' };
    const client = new KinesisClient({
      endpoint,
      region: 'eu-west-1',
      credentials,
      maxAttempts: 3,
      requestHandler: clientOf(endpoint).config.requestHandler,
    });
    speakLean(client);
    expect(await getRecords(client)).toMatchObject({ ...answer, $metadata: { attempts: 3 } });
  });

  it('refuses an answer that is compressed, which nobody asked for, and one without end', async () => {
    const packed = await answering((_, response) =>
      response.setHeader('content-encoding', 'gzip').end(gzipSync(cbor.serialize(answer))),
    );
    const endless = await answering((_, response) => Readable.from(endlessly()).pipe(response));
    for (const [{ endpoint }, message] of [
      [packed, 'expected an answer as it is, got one in gzip'],
      [endless, 'an answer is longer than 33554432 bytes'],
    ] as const) {
      const error = await failure(endpoint);
      expect(error.message).toContain(message);
      expect(isPassing(error)).toBe(false);
    }
  });
});

describe('kinesis, told which protocol to speak', () => {
  const shards = [{ id: 's', records: ['a', 'b'], isClosed: true }];

  async function asked(options: { protocol?: 'lean' | 'stock'; own?: boolean }): Promise<Record<string, string>> {
    const server = await startFaultyKinesis({ shards });
    closing.push(() => server.stop());
    const { endpoint, calls } = server;
    const { own, ...rest } = options;
    const where = own ? { client: clientOf(endpoint, 'stock') } : { endpoint };
    const { events, completed } = readSource(kinesis({ stream: 'shop', ...where, ...rest }));
    await completed;
    expect(events.map(({ data }) => Buffer.from(data).toString())).toEqual(['a', 'b']);
    return Object.fromEntries(calls.map(({ operation, contentType }) => [operation, contentType]));
  }

  it('speaks lean, or stock when it is told to', async () => {
    const all = { ListShards: JSON_1_1, GetShardIterator: JSON_1_1, GetRecords: JSON_1_1 };
    expect(await asked({})).toEqual({ ...all, GetRecords: CBOR });
    expect(await asked({ protocol: 'stock' })).toEqual(all);
  });

  it('leaves a client that it is given as it is, unless it is told to', async () => {
    expect((await asked({ own: true }))['GetRecords']).toBe(JSON_1_1);
    expect((await asked({ own: true, protocol: 'lean' }))['GetRecords']).toBe(CBOR);
  });

  it('says what to do when a server does not speak CBOR', async () => {
    const server = await startFaultyKinesis({
      shards,
      fault: ({ contentType }) => (contentType === CBOR ? { status: 400, type: 'SerializationException' } : undefined),
    });
    closing.push(() => server.stop());
    const { completed } = readSource(kinesis({ stream: 'shop', endpoint: server.endpoint }));
    await expect(completed).rejects.toThrow("needs kinesis({ protocol: 'stock' })");
  });

  it('refuses a protocol that there is not, and a client that speaks another', () => {
    expect(() => kinesis({ stream: 's', protocol: 'cbor' as 'lean' })).toThrow(
      "expected a protocol of 'lean' or 'stock', got cbor",
    );
    const client = new KinesisClient({ region: 'eu-west-1', protocol: SmithyRpcV2CborProtocol });
    expect(() => kinesis({ stream: 's', client, protocol: 'lean' })).toThrow('AWS JSON 1.1, got smithy.protocols#rpcv2Cbor');
  });
});

describe('a body', () => {
  it('is collected in one piece, up to its limit', async () => {
    const chunks = [Buffer.from('ab'), Buffer.from('c')];
    expect(await collectBody(Readable.from(chunks), 3)).toEqual(Buffer.from('abc'));
    expect(await collectBody(Readable.from([]), 3)).toEqual(Buffer.alloc(0));
    const endless = Readable.from(endlessly());
    await expect(collectBody(endless, 3)).rejects.toThrow('longer than 3 bytes');
    expect(endless.destroyed).toBe(true);
  });

  it('that fails or stops before its end is an error', async () => {
    const failing = new Readable({ read: () => void failing.destroy(new Error('reset')) });
    await expect(collectBody(failing, 3)).rejects.toThrow('reset');
    const stopping = new Readable({ read: () => void stopping.destroy() });
    await expect(collectBody(stopping, 3)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });
});

function* endlessly(): Generator<Buffer> {
  const block = Buffer.alloc(1024 * 1024);
  for (;;) yield block;
}

/** `20261122T090000Z`. */
function signedAtMs(date: string): number {
  return Date.parse(date.replace(/^(....)(..)(..)T(..)(..)/, '$1-$2-$3T$4:$5:'));
}

it('gives no memory back that a request handler has made', async () => {
  const bytes = Buffer.from(new Uint8Array(cbor.serialize(answer)).buffer);
  const requestHandler = {
    handle: async () => ({ response: { statusCode: 200, headers: {}, body: Readable.from([bytes]) } }),
    metadata: {},
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
  const client = new KinesisClient({
    region: 'eu-west-1',
    endpoint: 'http://127.0.0.1:1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    requestHandler: requestHandler as never,
  });
  speakLean(client);
  const { Records } = await client.send(new GetRecordsCommand({ ShardIterator: 'i' }));
  freeing(Records![0]!.Data!, 1)();
  expect(bytes.length).toBeGreaterThan(0);
});
