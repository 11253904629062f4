import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shopLabels } from '../pipelines/labels.ts';
import { shop } from '../src/demo/shop.ts';
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

/**
 * The whole warehouse pipeline on events made beforehand, from memory into a database and a folder:
 *
 *     npm run bench -- [--events 1000000] [--database duckdb | postgres] [--compression gzip | zstd] [--max-in-flight 96]
 *
 * Prints events a second, CPU seconds per million events and the peak of resident memory, of this process alone. `postgres` is the one
 * that npm brings, started and stopped here, with fsync on.
 */
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    database: { type: 'string', default: 'postgres' },
    compression: { type: 'string', default: 'gzip' },
    'max-in-flight': { type: 'string', default: '96' },
  },
});

/** So many different events are made; each comes again under another id. */
const TEMPLATES = 2_000;
const ID_BYTES = 36;

const count = Number(values.events);
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const templates = shop({ shares: { repeat: 0, 'broken-label': 0.01, malformed: 0, noise: 0.01 } })
  .take(TEMPLATES)
  .map(({ data, eventId: id }) => ({ data: Buffer.from(data), idAt: Buffer.from(data).indexOf(id) }))
  .toArray();

/** Record i: a template with an id of its own; one in fifty is the record before it once more. */
function record(i: number): Uint8Array {
  const n = i % 50 === 49 ? i - 1 : i;
  const { data, idAt } = templates[n % TEMPLATES]!;
  const own = Buffer.from(data);
  if (idAt >= 0) own.write(n.toString(16).padStart(12, '0'), idAt + ID_BYTES - 12, 'latin1');
  return own;
}

const postgres = values.database === 'postgres' ? await startPostgres({ fsync: true }) : undefined;
const database = databaseFrom(postgres?.url ?? `duckdb:${join(folder, 'warehouse.duckdb')}`);
const declared = pipeline('million')
  .from(
    scripted({
      generate: record,
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

const repeats = dropped['dedupe'] ?? 0;
process.stdout.write(
  `read ${read} = stored ${stored} + repeats ${repeats} + rejected ${rejected} + other ${read - stored - repeats - rejected}\n`,
);
process.stdout.write(`into ${values.database} and a folder, ${values.compression}: ${Math.round(read / seconds)} events/s, `);
process.stdout.write(`${((user + system) / 1e6 / (read / 1e6)).toFixed(1)} CPU s per million, `);
process.stdout.write(`peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB\n`);
await postgres?.stop();
await rm(folder, { recursive: true, force: true });
