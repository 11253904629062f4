import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { archive, copyInto, databaseFrom, directory, rejectsIntoDatabase, run } from '../src/index.ts';
import { here } from './here.ts';
import { linesFile } from './lines.ts';
import { nullSink } from './null-sink.ts';
import type { Took } from './programs.ts';
import { warehouseServer } from './warehouse-server.ts';
import { warehouseSteps } from './warehouse-steps.ts';

/**
 * The whole warehouse pipeline on a file of lines, the one that the old chain reads:
 *
 *     node bench/from-file.ts [--into null | files | postgres | duckdb] [--of record | text] [--compression gzip | zstd] [--level 3]
 *                             [--events 500000] [--file path]
 *
 * `files` is the archive in a folder; `postgres` (the one that npm brings, fsync on) has it beside it. Lines come through the scripted source;
 * as `text` they are put together again where a log line had cut a record. Prints one line of JSON: events, bytes, seconds, CPU
 * seconds of this process and of the server, peak memory of this process. Nothing is warmed up; starting the process is not in it.
 */
const { values } = parseArgs({
  options: {
    into: { type: 'string', default: 'null' },
    of: { type: 'string', default: 'record' },
    compression: { type: 'string', default: 'gzip' },
    level: { type: 'string' },
    events: { type: 'string', default: '500000' },
    file: { type: 'string' },
  },
});

const of = values.of === 'text' ? 'text' : 'record';
const events = Number(values.events);
const input = await linesFile(values.file, events);
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const server = values.into === 'postgres' ? await warehouseServer(events) : undefined;
const minutes = archive(directory(join(folder, 'archive')), {
  prefix: 'snowplow',
  compression: values.compression === 'zstd' ? 'zstd' : 'gzip',
  ...(values.level !== undefined && { level: Number(values.level) }),
});
const stage = warehouseSteps(input, { of, stateFile: values.into === 'null' ? undefined : join(folder, 'state') });

const took = server ? await server.measured(play) : await play();
process.stdout.write(`${JSON.stringify({ events, bytes: input.bytes, ...took })}\n`);
await server?.stop();
await rm(folder, { recursive: true });
await input.remove();

async function play(): Promise<Took> {
  const pipeline = declared();
  return here(async () => {
    const counts = await run(pipeline);
    const dropped = Object.values(counts.dropped).reduce((sum, one) => sum + one, 0);
    if (counts.read !== input.lines || counts.stored + counts.rejected + dropped !== input.lines)
      throw new Error(`bench: of ${input.lines} lines, these came: ${JSON.stringify(counts)}`);
  });
}

function declared(): ReturnType<typeof stage.to> {
  switch (values.into) {
    case 'null':
      return stage.to(nullSink('nothing')).rejects(nullSink('rejects'));
    case 'files':
      return stage.to(minutes).rejects(nullSink('rejects'));
    default: {
      const database = databaseFrom(server?.url ?? `duckdb:${join(folder, 'warehouse.duckdb')}`);
      const copied = copyInto(database, { table: server?.table ?? 'events' });
      return (server ? stage.to(minutes, copied) : stage.to(copied)).rejects(rejectsIntoDatabase(database));
    }
  }
}
