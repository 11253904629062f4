import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shopLabels } from '../pipelines/labels.ts';
import {
  archive,
  copyInto,
  databaseFrom,
  decode,
  dedupe,
  directory,
  enriched,
  eventId,
  identityLog,
  label,
  minuteWindow,
  pipeline,
  rejectsIntoDatabase,
  run,
  scripted,
  stripCheckpoints,
  validate,
} from '../src/index.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { recordMaker } from './records.ts';

/**
 * The whole warehouse pipeline on events made beforehand, from memory into a database and a folder:
 *
 *     node bench/million.ts [--events 1000000] [--database duckdb | postgres] [--compression gzip | zstd] [--max-in-flight 96]
 *
 * Prints one line of JSON: events, seconds, and CPU seconds and peak memory of this process alone. `postgres` is the one that npm brings,
 * started and stopped here, with fsync on. `npm run bench` runs it once a row.
 */
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    database: { type: 'string', default: 'postgres' },
    compression: { type: 'string', default: 'gzip' },
    'max-in-flight': { type: 'string', default: '96' },
  },
});

const count = Number(values.events);
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const generate = recordMaker({ templates: 2_000 });
const postgres = values.database === 'postgres' ? await startPostgres({ fsync: true }) : undefined;
const database = databaseFrom(postgres?.url ?? `duckdb:${join(folder, 'warehouse.duckdb')}`);
const declared = pipeline('million')
  .from(
    scripted({
      generate,
      count,
      shards: 2,
      recordsPerDelivery: 2000,
      arrivalStepMs: 1,
      startMs: Date.UTC(2026, 10, 22, 9),
    }),
  )
  .pipe(
    stripCheckpoints(),
    decode(enriched),
    validate(label(shopLabels)),
    dedupe({ by: eventId, within: { hours: 1 }, state: identityLog(join(folder, 'state')) }),
    minuteWindow(),
  )
  .to(
    archive(directory(join(folder, 'archive')), {
      prefix: 'snowplow',
      compression: values.compression === 'zstd' ? 'zstd' : 'gzip',
    }),
    copyInto(database, { table: 'bench_events' }),
  )
  .rejects(rejectsIntoDatabase(database));

const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
const { read, stored, dropped, rejected } = await run(declared, { maxInFlightBytes: Number(values['max-in-flight']) * 2 ** 20 });
const seconds = (performance.now() - startedAt) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);

const { dedupe: repeats = 0, ...others } = dropped;
const total = stored + rejected + repeats + Object.values(others).reduce((sum, one) => sum + one, 0);
if (read !== total) throw new Error(`bench: read ${read}, and found ${total} again`);
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(
  `${JSON.stringify({ events: read, seconds, cpuSeconds: (user + system) / 1e6, peakMiB, stored, repeats, rejected })}\n`,
);
await postgres?.stop();
await rm(folder, { recursive: true, force: true });
