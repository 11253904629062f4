import { createReadStream, closeSync, openSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createGzip, createZstdCompress } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { enrichedColumns } from '../src/index.ts';
import { LineIndex } from '../src/lines/line-index.ts';
import { STORAGE_VERSION } from '../src/stores/duckdb/connection.ts';
import * as duckdbSql from '../src/stores/duckdb/sql.ts';
import { writeClean } from './clean-file.ts';
import { here } from './here.ts';
import { lineReader } from './line-reader.ts';
import { type LinesFile, linesFile, warmUpLines } from './lines.ts';
import { type Took, measured, need } from './programs.ts';
import { warehouseServer } from './warehouse-server.ts';

/**
 * What no pipeline on this machine can be faster than, on a file of lines:
 *
 *     node bench/limits.ts [--of read | tabs | gzip | zstd | copy | duckdb | duckdb-newest] [--events 500000] [--file path]
 *
 * `read` reads the file; `tabs` finds its lines and their columns, too; `gzip` and `zstd` compress it; `copy` is `psql \copy` of the rows that the
 * warehouse pipeline would store, and `duckdb` DuckDB's own COPY of them, on one thread, into a file as it makes one by itself; `duckdb-newest` into one of the format that
 * millrace asks for. Prints one line of JSON: events, bytes, seconds, CPU seconds of this process (of psql) and of the server, peak memory.
 */
const { values } = parseArgs({
  options: {
    of: { type: 'string', default: 'read' },
    events: { type: 'string', default: '500000' },
    file: { type: 'string' },
  },
});

const BLOCK_BYTES = 512 * 1024;

const limits: Readonly<Record<string, () => Promise<Took>>> = {
  read: () => here(readAll),
  tabs,
  gzip: () => here(() => pipeline(blocks(), createGzip({ chunkSize: BLOCK_BYTES }), nowhere())),
  zstd: () => here(() => pipeline(blocks(), createZstdCompress({ chunkSize: BLOCK_BYTES }), nowhere())),
  copy,
  duckdb: () => duckdb(''),
  'duckdb-newest': () => duckdb(`(STORAGE_VERSION '${STORAGE_VERSION}')`),
};

const limit = limits[values.of];
if (!limit) throw new Error(`bench: expected --of ${Object.keys(limits).join(' | ')}, got ${values.of}`);
if (values.of === 'copy') need('psql', 'python3');
const events = Number(values.events);
const input = await linesFile(values.file, events);
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const clean = join(folder, 'clean');
const took = await limit();
process.stdout.write(`${JSON.stringify({ events, bytes: input.bytes, ...took })}\n`);
await rm(folder, { recursive: true });
await input.remove();

function readAll(): void {
  const fd = openSync(input.path, 'r');
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  while (readSync(fd, block, 0, BLOCK_BYTES, null) > 0);
  closeSync(fd);
}

async function tabs(): Promise<Took> {
  const warmUp = await warmUpLines(input);
  findTabs(warmUp);
  await warmUp.remove();
  return here(() => findTabs(input));
}

function findTabs({ path, lines }: LinesFile): void {
  const next = lineReader(path);
  const index = new LineIndex();
  let columns = 0;
  for (let i = 0; i < lines; i++) {
    index.add(next());
    columns += index.count;
  }
  if (columns < lines) throw new Error(`bench: found ${columns} columns`);
}

async function copy(): Promise<Took> {
  const rows = await writeClean(clean, input, true);
  const server = await warehouseServer(events);
  const statement = `\\copy ${server.table} from '${clean}' with (format text, null '', encoding 'UTF8', on_error ignore, log_verbosity silent)`;
  const took = await server.measured(() => measured(['psql', '-q', '-v', 'ON_ERROR_STOP=1', '-c', statement, server.url]));
  check(await server.count(), rows);
  await server.stop();
  return took;
}

async function duckdb(options: string): Promise<Took> {
  const rows = await writeClean(clean, input, false);
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  await connection.run(`ATTACH '${join(folder, 'warehouse.duckdb')}' AS ${duckdbSql.CATALOG} ${options}`);
  await connection.run(`USE ${duckdbSql.CATALOG}`);
  for (const statement of duckdbSql.createTable({ name: 'events', columns: enrichedColumns })) await connection.run(statement);
  const format = `FORMAT csv, DELIMITER '\t', HEADER false, QUOTE '', ESCAPE '', NULLSTR '', STORE_REJECTS true`;
  const took = await here(() => connection.run(`COPY events FROM '${clean}' (${format})`));
  const counted = await connection.runAndReadAll('SELECT count(*)::INTEGER FROM events');
  check(counted.getRows()[0]![0] as number, rows);
  connection.closeSync();
  instance.closeSync();
  return took;
}

/** What does not convert is left out; a millionth of the rows does not. */
function check(stored: number, rows: number): void {
  if (stored > rows || stored < 0.999 * rows) throw new Error(`bench: of ${rows} rows ${stored} were stored`);
}

function blocks(): NodeJS.ReadableStream {
  return createReadStream(input.path, { highWaterMark: BLOCK_BYTES });
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
