import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { Readable } from 'node:stream';
import { CborReader } from './cbor-reader.ts';
import { collectBody } from './collect-body.ts';
import { readGetRecords } from './get-records-answer.ts';
import { writeCbor } from './write-cbor.ts';

/** What the AWS SDK for Java, and with it the KCL, sends to Kinesis unless told otherwise. https://github.com/aws/aws-sdk-java-v2/issues/3498 */
const CBOR = 'application/x-amz-cbor-1.1';

/** An answer holds at most 10 MiB of data in 10,000 records, with partition keys of up to 1 kB: 22 MB in CBOR, 27 MB in JSON. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** As much of the SDK's slot for a protocol as is filled here. */
interface Protocol {
  getShapeId(): string;
  serializeRequest(operation: Operation, input: object, context: object): Promise<Message>;
  deserializeResponse(
    operation: Operation,
    context: object,
    response: Message & { readonly statusCode: number },
  ): Promise<object>;
}

interface Operation {
  readonly name: string;
}

interface Message {
  readonly headers: Record<string, string>;
  body?: unknown;
}

const leanClients = new WeakSet<KinesisClient>();

/**
 * Makes a client ask for records in CBOR and read them without a walk through the schema; its other calls stay as they are.
 *
 * Only what GetRecords says is translated: the SDK goes on to sign, to find credentials and endpoints, to try again, and to make
 * exceptions of errors. An answer in JSON is left to it, since AWS gives some errors so. https://github.com/aws/aws-sdk-java-v2/issues/1595
 *
 * @throws {TypeError} when the client speaks another protocol than AWS JSON 1.1
 */
export function speakLean(client: KinesisClient): void {
  if (leanClients.has(client)) return;
  const stock = client.config.protocol as unknown as Protocol;
  if (stock.getShapeId() !== 'aws.protocols#awsJson1_1')
    throw new TypeError(`kinesis: protocol 'lean' needs a client that speaks AWS JSON 1.1, got ${stock.getShapeId()}`);
  client.config.protocol = Object.assign(Object.create(stock as object), leanly(stock));
  // The SDK copies each answer, field by field, for a logger that does nothing with it.
  const { logger } = client.config;
  if (logger.constructor.name === 'NoOpLogger') client.config.logger = Object.assign(Object.create(logger), { info: undefined });
  leanClients.add(client);
}

function leanly(stock: Protocol): Pick<Protocol, 'serializeRequest' | 'deserializeResponse'> {
  return {
    async serializeRequest(operation, input, context) {
      const request = await stock.serializeRequest(operation, input, context);
      if (operation.name !== 'GetRecords') return request;
      request.headers['content-type'] = CBOR;
      request.body = writeCbor(input);
      return request;
    },
    async deserializeResponse(operation, context, response) {
      if (operation.name !== 'GetRecords' || !(response.body instanceof Readable))
        return stock.deserializeResponse(operation, context, response);
      const encoding = response.headers['content-encoding'];
      if (encoding) throw new TypeError(`expected an answer as it is, got one in ${encoding}`);
      const bytes = await collectBody(response.body, MAX_BODY_BYTES);
      const isRead = response.statusCode === 200 && !isJson(bytes);
      // The SDK's part: without a body it only reads the headers.
      response.body = isRead ? new Uint8Array() : inJson(bytes);
      const answer = await stock.deserializeResponse(operation, context, response);
      return isRead ? Object.assign(answer, readGetRecords(bytes)) : answer;
    },
  };
}

/** As CBOR, `{` begins a text of at least 8 bytes of length, and no answer is a text. */
function isJson(bytes: Buffer): boolean {
  return bytes[0] === 0x7b;
}

/** An error in CBOR as the SDK understands it; anything else as it is. */
function inJson(bytes: Buffer): Uint8Array {
  if (isJson(bytes)) return bytes;
  try {
    const reader = new CborReader(bytes);
    const error = reader.value();
    reader.end();
    return Buffer.from(JSON.stringify(error));
  } catch {
    return bytes;
  }
}
