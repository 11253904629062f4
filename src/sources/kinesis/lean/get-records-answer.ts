import type { ChildShard, GetRecordsOutput, _Record } from '@aws-sdk/client-kinesis';
import { CborReader, cborKeys } from './cbor-reader.ts';

/** The most records of one answer. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html */
const MAX_RECORDS = 10_000;

const ANSWER = cborKeys('Records', 'NextShardIterator', 'MillisBehindLatest', 'ChildShards');
const RECORD = cborKeys('Data', 'SequenceNumber', 'PartitionKey', 'ApproximateArrivalTimestamp', 'EncryptionType');
const NO_BYTES = new Uint8Array();

/**
 * Reads an answer of GetRecords from CBOR, into what the SDK's client gives. The data of its records are views of the bytes.
 *
 * Kinesis counts times in milliseconds in CBOR, in seconds in JSON. https://github.com/aws/aws-sdk-java-v2/issues/184
 *
 * @throws {SyntaxError} when it is cut off, or is none
 */
export function readGetRecords(bytes: Buffer): GetRecordsOutput {
  const reader = new CborReader(bytes);
  const answer: GetRecordsOutput = { Records: undefined };
  for (let left = reader.enter('map'); reader.hasMore(left); left--) {
    const key = reader.key(ANSWER);
    if (key === 'Records') answer.Records = reader.isNull() ? undefined : readRecords(reader);
    else if (key === 'NextShardIterator') answer.NextShardIterator = reader.text();
    else if (key === 'MillisBehindLatest') answer.MillisBehindLatest = reader.number();
    else if (key === 'ChildShards') answer.ChildShards = (reader.value() ?? undefined) as ChildShard[] | undefined;
    else reader.value();
  }
  reader.end();
  return answer;
}

function readRecords(reader: CborReader): _Record[] {
  const records: _Record[] = [];
  for (let left = reader.enter('list'); reader.hasMore(left); left--) {
    if (records.length === MAX_RECORDS) throw new SyntaxError(`GetRecords: expected at most ${MAX_RECORDS} records, got more`);
    records.push(readRecord(reader));
  }
  return records;
}

function readRecord(reader: CborReader): _Record {
  // What has no bytes at all has none in it: a required field that is missing is empty.
  const record: _Record = { SequenceNumber: undefined, Data: NO_BYTES };
  for (let left = reader.enter('map'); reader.hasMore(left); left--) {
    const key = reader.key(RECORD);
    if (key === 'Data') record.Data = reader.bytes() ?? NO_BYTES;
    else if (key === 'SequenceNumber') record.SequenceNumber = reader.text();
    else if (key === 'PartitionKey') record.PartitionKey = reader.text();
    else if (key === 'ApproximateArrivalTimestamp') record.ApproximateArrivalTimestamp = time(reader.number());
    else if (key === 'EncryptionType') record.EncryptionType = reader.text() as _Record['EncryptionType'];
    else reader.value();
  }
  if (record.SequenceNumber === undefined) throw new SyntaxError('GetRecords: expected a sequence number in every record');
  return record;
}

function time(sinceEpochMs: number | undefined): Date | undefined {
  return sinceEpochMs === undefined ? undefined : new Date(sinceEpochMs);
}
