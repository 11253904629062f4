// The child process of get-records.ts: answers each GetRecords with the same records, made beforehand, in the format in which it is asked; and sends them to who subscribes.
import { randomBytes } from 'node:crypto';
import { type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cbor, tag } from '@smithy/core/cbor';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { shop } from '../src/demo/shop.ts';

const records = Number(process.argv[2]);
const isRandom = process.argv[3] === 'random';

const RECORD_BYTES = 1000;
const FIRST = 49546986683135544286507457936321625675700192471156785154n;
const ARRIVED_AT_MS = Date.UTC(2026, 10, 22, 9);
const made = shop()
  .take(records)
  .map(({ data, partitionKey }, i) => ({
    SequenceNumber: String(FIRST + BigInt(i) * 13407807929942597n),
    Data: isRandom ? randomBytes(RECORD_BYTES) : Buffer.alloc(RECORD_BYTES, data),
    PartitionKey: partitionKey,
  }))
  .toArray();
const rest = { NextShardIterator: 'A'.repeat(240), MillisBehindLatest: 0 };
const inJson = made.map((record, i) => ({
  ...record,
  Data: record.Data.toString('base64'),
  ApproximateArrivalTimestamp: (ARRIVED_AT_MS + i) / 1000,
}));
const inCbor = made.map((record, i) => ({ ...record, ApproximateArrivalTimestamp: tag({ tag: 1, value: ARRIVED_AT_MS + i }) }));
const bodies: Readonly<Record<string, Uint8Array>> = {
  'application/x-amz-json-1.1': Buffer.from(JSON.stringify({ Records: inJson, ...rest })),
  'application/x-amz-cbor-1.1': cbor.serialize({ Records: inCbor, ...rest }),
};

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString(),
  (text) => Buffer.from(text),
);
const event = codec.encode({
  headers: {
    ':message-type': { type: 'string', value: 'event' },
    ':event-type': { type: 'string', value: 'SubscribeToShardEvent' },
  },
  body: Buffer.from(JSON.stringify({ Records: inJson, ContinuationSequenceNumber: String(FIRST), MillisBehindLatest: 0 })),
});

/** Sends the same event for as long as somebody reads it. */
function sendEvents(response: ServerResponse): void {
  while (!response.destroyed && response.write(event));
  response.once('drain', () => sendEvents(response));
}

const server = createServer((request, response) => {
  if (String(request.headers['x-amz-target']).endsWith('SubscribeToShard')) return sendEvents(response);
  const format = request.headers['content-type']!;
  request.resume().once('end', () => response.setHeader('content-type', format).end(bodies[format]));
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
