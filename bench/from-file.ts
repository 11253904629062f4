import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Pipeline, archive, copyInto, databaseFrom, directory, rejectsIntoDatabase, run } from '../src/index.ts';
import { here } from './here.ts';
import { type LinesFile, linesFile, warmUpLines } from './lines.ts';
import { nullSink } from './null-sink.ts';
import type { Took } from './programs.ts';
import { warehouseServer } from './warehouse-server.ts';
import { warehouseSteps } from './warehouse-steps.ts';

/**
 * The whole warehouse pipeline on a file of lines, the one that the old chain reads:
 *
 *     node bench/from-file.ts [--into null | files | postgres | duckdb] [--of line | text] [--compression gzip | zstd] [--level 3]
 *                             [--events 500000] [--file path]
 *
 * `files` is the archive in a folder; `postgres` (the one that npm brings, fsync on) has it beside it. As `text` the lines
 * are put together again where a log line had cut a record. Prints one line of JSON: events, bytes, seconds, CPU
 * seconds of this process and of the server, peak memory of this process. It has had the first lines before, and put them elsewhere; starting the
 * process is not in it.
 */
const { values } = parseArgs({
  options: {
    into: { type: 'string', default: 'null' },
    of: { type: 'string', default: 'line' },
    compression: { type: 'string', default: 'gzip' },
    level: { type: 'string' },
    events: { type: 'string', default: '500000' },
    file: { type: 'string' },
  },
});

const of = values.of === 'text' ? 'text' : 'line';
const events = Number(values.events);
const input = await linesFile(values.file, events);
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const server = values.into === 'postgres' ? await warehouseServer(events) : undefined;

const warmUp = await warmUpLines(input);
await play('warm-up', warmUp);
await warmUp.remove();
const took = server ? await server.measured(() => play(server.table, input)) : await play('events', input);
process.stdout.write(`${JSON.stringify({ events, bytes: input.bytes, ...took })}\n`);
await server?.stop();
await rm(folder, { recursive: true });
await input.remove();

/** @param name of the pipeline, of its table, and of all that it keeps in the folder */
async function play(name: string, lines: LinesFile): Promise<Took> {
  const stage = warehouseSteps(lines, {
    name,
    of,
    stateFile: values.into === 'null' ? undefined : join(folder, `${name}.state`),
  });
  const pipeline = into(stage, name);
  return here(async () => {
    const counts = await run(pipeline);
    const dropped = Object.values(counts.dropped).reduce((sum, one) => sum + one, 0);
    if (counts.read !== lines.lines || counts.stored + counts.rejected + dropped !== lines.lines)
      throw new Error(`bench: of ${lines.lines} lines, these came: ${JSON.stringify(counts)}`);
  });
}

function into(stage: ReturnType<typeof warehouseSteps>, name: string): Pipeline {
  const minutes = archive(directory(join(folder, name)), {
    prefix: 'snowplow',
    compression: values.compression === 'zstd' ? 'zstd' : 'gzip',
    ...(values.level !== undefined && { level: Number(values.level) }),
  });
  switch (values.into) {
    case 'null':
      return stage.to(nullSink('nothing')).rejects(nullSink('rejects'));
    case 'files':
      return stage.to(minutes).rejects(nullSink('rejects'));
    default: {
      const database = databaseFrom(server?.url ?? `duckdb:${join(folder, `${name}.duckdb`)}`);
      const copied = copyInto(database, { table: name });
      return (server ? stage.to(minutes, copied) : stage.to(copied)).rejects(rejectsIntoDatabase(database));
    }
  }
}
