import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lineIndex } from '../../../src/lines/line-index.ts';
import { CheckpointNoise } from '../../../src/snowplow/noise/checkpoint-noise.ts';
import { lineOf } from '../line.ts';

const record = (title: string, app = 'shop', columns = 131): string =>
  lineOf({ app_id: app, page_title: title }, columns).toString();
const thrown = 'com.amazonaws.ThrottlingException: Rate exceeded';
const log =
  '[pool-1-thread-1] INFO com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource - Checkpointing shard shardId-000000000000';
const blockHead = 'Nov 26, 2014 5:38:00 PM com.amazonaws.services.kinesis.clientlibrary.lib.worker.Worker run';
const [a, b, old] = [record('a'), record('b', 'other'), record('c', 'shop', 98)];

const lines = [
  a,
  b,
  old,
  // A record in two parts, with a log line between them, and blocks of java.util.logging.
  `${a.slice(0, 40)}${log}`,
  a.slice(40),
  log,
  '',
  blockHead,
  `${a}${blockHead}`,
  'INFO: Sleeping ...',
  // What may stand in a record, or may be what the enricher printed into it.
  record('{"line":"x","errors":["no"]}'),
  record(`${'x'.repeat(5000)}${thrown}`),
  thrown,
  record('long'.repeat(2000)),
].map((line) => `${line}\n`);
/** Pieces of a text that end inside a line. */
const pieces = [a.slice(0, 40), 'x'.repeat(7500)];

/** What a text came to, in order; each line that may be is taken as a whole, or all are pushed. */
function read(text: readonly string[], takes: boolean): readonly string[] {
  const noise = new CheckpointNoise({ maxPendingBytes: 7000 });
  const found: string[] = [];
  const out = {
    record: (bytes: Buffer, from: number, to: number) => found.push(`${from}-${to} ${bytes.toString()}`),
    reject: (bytes: Buffer, from: number, to: number, code: string) => found.push(`${from}-${to} ${code} ${bytes.toString()}`),
  };
  let at = 0;
  for (const piece of text) {
    const bytes = Buffer.from(piece.replace('\n', ''));
    lineIndex.add(bytes);
    const isClean = lineIndex.count > 2 && !lineIndex.hasLogger && !lineIndex.hasOddEnds && !lineIndex.hasBadRow;
    if (takes && isClean && piece.endsWith('\n') && noise.takes(bytes)) out.record(bytes, at, at + bytes.length);
    else noise.push(Buffer.from(piece), out);
    at += Buffer.byteLength(piece);
    found.push(`done to ${noise.doneTo}`);
  }
  noise.end(out);
  return found;
}

it('makes the same of lines that it takes as of lines that are pushed', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...lines, ...pieces), { maxLength: 12 }), (text) => {
      expect(read(text, true)).toEqual(read(text, false));
    }),
    { numRuns: 300 },
  );
}, 60_000);
