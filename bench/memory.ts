import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shopLabels } from '../pipelines/labels.ts';
import {
  archive,
  decode,
  dedupe,
  directory,
  enriched,
  eventId,
  label,
  minuteWindow,
  pipeline,
  run,
  stripCheckpoints,
  validate,
} from '../src/index.ts';
import { answers } from './answers.ts';
import { here } from './here.ts';
import { nullSink } from './null-sink.ts';
import { recordMaker } from './records.ts';

/**
 * How much memory a long run takes:
 *
 *     node bench/memory.ts [--into null | files] [--room 32] [--events 10000000]
 *
 * The steps of the warehouse pipeline on records made as they are read, with `room` MiB in flight; `dedupe` remembers 10,000 identities.
 * Prints one line of JSON: besides what other rows print, the resident memory after a tenth, a half and all of the events.
 */
const { values } = parseArgs({
  options: {
    into: { type: 'string', default: 'null' },
    room: { type: 'string', default: '32' },
    events: { type: 'string', default: '10000000' },
  },
});
const events = Number(values.events);
const makeRecord = recordMaker({ templates: 1_000, inPlace: true });
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const residentMiB = new Map<number, number>();

const stage = pipeline('bench')
  .from(answers({ generate, count: events, shards: 2, startMs: Date.UTC(2026, 10, 22, 9) }))
  .pipe(
    stripCheckpoints(),
    decode(enriched),
    validate(label(shopLabels)),
    dedupe({ by: eventId, within: { hours: 1 }, capacity: 10_000 }),
    minuteWindow(),
  );
const minutes = archive(directory(join(folder, 'archive')), { prefix: 'snowplow', compression: 'zstd' });
const declared = (values.into === 'files' ? stage.to(minutes) : stage.to(nullSink('nothing'))).rejects(nullSink('rejects'));

const took = await here(async () => {
  const counts = await run(declared, { maxInFlightBytes: Number(values.room) * 2 ** 20 });
  if (counts.read !== events || counts.inFlight > 0)
    throw new Error(`bench: of ${events} events, these came: ${JSON.stringify(counts)}`);
});
await rm(folder, { recursive: true });
const [tenthMiB, halfMiB, endMiB] = [0.1, 0.5, 1].map((share) => residentMiB.get(share));
process.stdout.write(`${JSON.stringify({ events, ...took, tenthMiB, halfMiB, endMiB })}\n`);

function generate(i: number): Uint8Array {
  if ((i + 1) % (events / 10) === 0) residentMiB.set((i + 1) / events, Math.round(process.memoryUsage.rss() / 2 ** 20));
  return makeRecord(i);
}
