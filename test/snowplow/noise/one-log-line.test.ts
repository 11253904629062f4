import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CheckpointNoise } from '../../../src/snowplow/noise/checkpoint-noise.ts';
import { NoiseRandom, makeRecord } from '../../support/noise-record.ts';

const LOGGER = 'com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource';
const messages = [
  'Checkpointing shard shardId-000000000001',
  'Processing 12 records from shardId-000000000000',
  'Sequence number: 49546986683135544286507457936321625675700192471156785154',
  'Initializing record processor for shard: shardId-000000000002',
  'Checkpoint failed after 10 attempts.',
  'Partition key: 10.0.2.7',
  'Running: enrich.',
  'Hello',
];
const records = Array.from({ length: 40 }, (_, i) =>
  makeRecord(new NoiseRandom(i + 1), ([98, 108, 125, 131] as const)[i % 4]!, i % 5 === 0 ? 9000 : 900, `10.0.2.${i}`),
);

/** What the text is made of, by those who weigh all ways to read it. */
function weighed(text: Buffer): { records: string[]; rejects: string[] } {
  const found = { records: [] as string[], rejects: [] as string[] };
  const noise = new CheckpointNoise();
  const out = {
    record: (bytes: Buffer) => void found.records.push(bytes.toString('latin1')),
    reject: (bytes: Buffer) => void found.rejects.push(bytes.toString('latin1')),
  };
  noise.push(text, out);
  noise.end(out);
  return found;
}

const record = fc.constantFrom(...records);
const logLine = fc
  .record({
    thread: fc.constantFrom('pool-1-thread-3', 'main', 'RecordProcessor-0003', 'nobody'),
    message: fc.oneof({ weight: 3, arbitrary: fc.constant(messages[0]!) }, fc.constantFrom(...messages)),
    newline: fc.constantFrom('', '', '\n', '\n', '\n\n'),
  })
  .map(({ thread, message, newline }) => Buffer.from(`[${thread}] INFO ${LOGGER} - ${message}${newline}`));
const other = fc
  .constantFrom('\n', '[', 'KinesisS', 'java.io.IOException: gone', '\tat a.B.c(D.java:1)', '{"line":"')
  .map((text) => Buffer.from(text));

describe('the one record of a text', () => {
  it('is what all ways to read the text come to, wherever the log line stands and whatever else there is', () => {
    let told = 0;
    fc.assert(
      fc.property(
        record,
        fc.array(fc.tuple(fc.oneof({ weight: 6, arbitrary: logLine }, { weight: 1, arbitrary: other }, record), fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 1, maxLength: 2 }), // prettier-ignore
        fc.boolean(),
        (first, insertions, hasNewline) => {
          let text = Buffer.concat([first, Buffer.from(hasNewline ? '\n' : '')]);
          for (const [bytes, share] of insertions) {
            const at = Math.round(share * text.length);
            text = Buffer.concat([text.subarray(0, at), bytes, text.subarray(at)]);
          }
          const one = new CheckpointNoise().recordOf(text);
          if (!one) return;
          told++;
          expect(weighed(text)).toEqual({ records: [one.toString('latin1')], rejects: [] });
        },
      ),
      { numRuns: 3000 },
    );
    expect(told).toBeGreaterThan(500);
  });

  it('is told at every byte of a record at which a checkpoint was printed, with its newline or without', () => {
    const [bytes] = records as [Buffer];
    for (const newline of ['', '\n'])
      for (let at = 0; at <= bytes.length; at++) {
        const log = Buffer.from(`[pool-1-thread-1] INFO ${LOGGER} - ${messages[0]}${newline}`);
        const one = new CheckpointNoise().recordOf(Buffer.concat([bytes.subarray(0, at), log, bytes.subarray(at)]));
        expect(one?.equals(bytes)).toBe(true);
      }
  });

  it('is not told of a text with none, with more than one, or with what may be other noise', () => {
    const [a, b] = records.map((one) => one.toString('latin1')) as [string, string];
    const log = `[main] INFO ${LOGGER} - ${messages[0]}\n`;
    for (const text of [
      a,
      `${a}\n`,
      log,
      `${a}\n${log}${b}`,
      `${log}${a}${log}`,
      `${a}${log}{"line":"`,
      `${log}${a}java.lang.Error`,
      'KinesisS',
      '',
    ])
      expect(new CheckpointNoise().recordOf(Buffer.from(text, 'latin1'))).toBe(undefined);
  });
});
