import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { warehouse } from '../pipelines/warehouse.ts';
import { type Window, run } from '../src/index.ts';
import { watched } from './commits.ts';
import { here } from './here.ts';
import { paced } from './paced.ts';
import { percentiles } from './percentiles.ts';
import { recordMaker } from './records.ts';
import { warehouseServer } from './warehouse-server.ts';

/**
 * How long an event takes from when it was due in this process until its row can be seen in Postgres, with windows of a second:
 *
 *     node bench/freshness.ts [--rate 5000] [--events 50000]
 *
 * The whole warehouse pipeline, the Postgres that npm brings beside it, fsync on. Lines come evenly, whatever becomes of those before. The
 * first `WARM_UP_SECONDS` do not count. Prints one line of JSON.
 */
const { values } = parseArgs({
  options: { rate: { type: 'string', default: '5000' }, events: { type: 'string' } },
});
const WARM_UP_SECONDS = 3;
const rate = Number(values.rate);
const events = Number(values.events ?? rate * 10);
const first = rate * WARM_UP_SECONDS;
const lines = Array.from({ length: first + events }, (_, i) => i).map(recordMaker({ templates: 5_000 }));
const source = paced({ lines, perSecond: rate });
const latenciesMs = new Float64Array(events);
let measured = 0;

const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const server = await warehouseServer(lines.length);
try {
  const declared = warehouse.pipeline({
    KINESIS_STREAM: 'bench',
    KINESIS_ENDPOINT: undefined,
    KINESIS_MODE: 'polling',
    AWS_REGION: undefined,
    DATABASE_URL: server.url,
    ARCHIVE_URL: `file:${join(folder, 'archive')}`,
    S3_ENDPOINT: undefined,
    TABLE: server.table,
    WINDOW: { seconds: 1 },
    STATE_FILE: join(folder, 'state'),
  });
  const sinks = declared.sinks.map((sink) =>
    sink.name === 'copy'
      ? watched(sink, (window, nowMs) => {
          for (const { position } of (window as Window<unknown>).events) {
            const index = Number(position.sequence) - 1;
            if (index >= first) latenciesMs[measured++] = nowMs - source.dueMs(index);
          }
        })
      : sink,
  );
  const took = await here(() => run({ ...declared, source, sinks }));
  if (measured < events * 0.9) throw new Error(`bench: of ${events} events ${measured} were stored`);
  process.stdout.write(`${JSON.stringify({ events, ...took, ...percentiles(latenciesMs.subarray(0, measured)) })}\n`);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
