import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shop } from '../../src/demo/shop.ts';
import { type Victim, startVictim } from '../crash/victim.ts';
import { freePort } from '../support/free-port.ts';
import { startFaultyKinesis } from '../support/faulty-kinesis.ts';
import { type Kinesis, startKinesis } from '../support/kinesis.ts';

const records = shop({ shares: { repeat: 0, 'broken-label': 0, malformed: 0, noise: 0 } })
  .take(300)
  .toArray();

let kinesis: Kinesis;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-main-'));
  kinesis = await startKinesis();
}, 60_000);

afterAll(async () => {
  await kinesis.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Settings of a warehouse with a stream, a database and an archive of its own; the stream holds the records. */
async function warehouse(name: string): Promise<Record<string, string>> {
  const stream = await kinesis.createStream(name, 2);
  await stream.put(records.map(({ data }) => data));
  return {
    KINESIS_STREAM: name,
    KINESIS_ENDPOINT: kinesis.endpoint,
    DATABASE_URL: `duckdb:${join(folder, `${name}.duckdb`)}`,
    ARCHIVE_URL: `file:${join(folder, name)}`,
    STATE_FILE: join(folder, `${name}.state`),
  };
}

async function idsIn(name: string): Promise<string[]> {
  const instance = await DuckDBInstance.create(join(folder, `${name}.duckdb`), { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  const rows = await connection.runAndReadAll('select event_id from snowplow_events');
  connection.closeSync();
  instance.closeSync();
  return rows.getRowsJson().flatMap((row) => row as string[]);
}

/** Waits until a run that tells its metrics has read so many records. */
async function hasRead(count: number, port: number): Promise<void> {
  const metrics = (): Promise<string> =>
    fetch(`http://127.0.0.1:${port}/metrics`).then(
      (response) => response.text(),
      () => 'no answer yet',
    );
  await expect
    .poll(metrics, { timeout: 50_000, interval: 20 })
    .toMatch(new RegExp(`^millrace_events_read_total\\{.*\\} ${count}$`, 'm'));
}

/** What a run says that is stopped once it has read so many records. */
async function stoppedOnceRead(count: number, settings: Record<string, string>, ...flags: string[]): ReturnType<Victim['ended']> {
  const port = await freePort();
  const run = startVictim('pipelines/warehouse.ts', settings, ['--metrics-port', String(port), ...flags]);
  await hasRead(count, port);
  run.signal('SIGTERM');
  return run.ended();
}

const all = records.map(({ eventId }) => eventId).toSorted();

describe('a pipeline file, as a process', { timeout: 60_000 }, () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s, with everything that it read stored', async (signal) => {
    const settings = await warehouse(signal.toLowerCase());
    const port = await freePort();
    const run = startVictim('pipelines/warehouse.ts', settings, ['--metrics-port', String(port)]);
    await hasRead(300, port);
    run.signal(signal);
    const { code, output } = await run.ended();
    expect(output).toContain('read 300 = stored 300 + repeats 0 + rejected 0');
    expect(code).toBe(0);
    expect((await idsIn(signal.toLowerCase())).toSorted()).toEqual(all);
  });

  it('ends once it is done, whatever would keep its process alive', async () => {
    const settings = { ...(await warehouse('open')), NODE_OPTIONS: '--import=data:text/javascript,setInterval(()=>{},1e6)' };
    const { code, output } = await startVictim('pipelines/warehouse.ts', settings, ['--for', '1s']).ended();
    expect(output).toContain('the time is up');
    expect(code).toBe(0);
  });

  it('ends at once on a second signal, and the next run stores what is missing, once', async () => {
    const settings = await warehouse('twice');
    const run = startVictim('pipelines/warehouse.ts', settings);
    await run.reading();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    run.signal('SIGTERM');
    run.signal('SIGINT');
    expect((await run.ended()).code).toBe(130);
    const next = startVictim('pipelines/warehouse.ts', settings);
    await next.reading();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    next.signal('SIGTERM');
    expect((await next.ended()).code).toBe(0);
    expect((await idsIn('twice')).toSorted()).toEqual(all);
  });

  it('reads by fan-out when it is told to, also with the consumer of a run that was killed', async () => {
    const settings = { ...(await warehouse('sent')), KINESIS_MODE: 'fan-out' };
    const killed = startVictim('pipelines/warehouse.ts', settings);
    await killed.reading();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await killed.kill();
    const { code, output } = await stoppedOnceRead(300, settings);
    expect(output).toContain('read 300 = stored 300 + repeats 0 + rejected 0');
    expect(code).toBe(0);
    expect((await idsIn('sent')).toSorted()).toEqual(all);
    const checked = await startVictim('pipelines/warehouse.ts', settings, ['--check']).ended();
    expect(checked.output).toMatch(/ok {4}source: .*, by fan-out as consumer warehouse \(active\)/);
  });

  it('ends with 1 and the cause when a store fails for good', async () => {
    const settings = { ...(await warehouse('failing')), DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/shop' };
    const { code, output } = await startVictim('pipelines/warehouse.ts', settings).ended();
    expect(code).toBe(1);
    expect(output).toMatch(/warehouse has ended: .*ECONNREFUSED/);
    expect(output).not.toContain('secret');
  });

  it('ends with 2 and all that is wrong with the settings, without having started anything', async () => {
    const { code, output } = await startVictim('pipelines/warehouse.ts', { DATABASE_URL: 'mysql://me:secret@db/x' }, [
      '--for',
      'ever',
    ]).ended();
    expect(code).toBe(2);
    expect(output).toMatch(/KINESIS_STREAM.*\n.*DATABASE_URL.*\n.*--for/);
    expect(output).not.toContain('secret');
  });

  it('ends with 2 and what a part of the pipeline says of a setting', async () => {
    const settings = { KINESIS_STREAM: 'shop', STATE_FILE: 's3://shop/state' };
    const { code, output } = await startVictim('pipelines/warehouse.ts', settings).ended();
    expect(code).toBe(2);
    expect(output).toMatch(
      /^pipelines\/warehouse\.ts: TypeError: identityLog: expected file:<path>, a path, postgres:\/\/… or redis:\/\/…, got s3:\n {4}at pipeline \(.*warehouse\.ts:\d+:\d+\)\n$/,
    );
  });

  it.each(['--help', '--graph', '--check'])('answers %s in peace when nobody reads on', async (flag) => {
    const settings = {
      ...process.env,
      KINESIS_STREAM: 'none',
      KINESIS_ENDPOINT: kinesis.endpoint,
      REDIS_URL: 'redis://127.0.0.1:1',
    };
    const child = spawn(process.execPath, ['pipelines/realtime.ts', flag], { env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect([said, code]).toEqual(['', flag === '--check' ? 1 : 0]);
  });

  it('checks the stream, the stores and the types, reads nothing and makes nothing', async () => {
    const settings = await warehouse('checked');
    const { code, output } = await startVictim('pipelines/warehouse.ts', settings, ['--check']).ended();
    expect(output.split('\n').map((line) => line.split(':')[0])).toEqual([
      'ok    settings',
      'ok    types',
      'ok    source',
      'ok    dedupe',
      'ok    archive',
      'ok    copy',
      'ok    rejects',
      '',
    ]);
    expect(code).toBe(0);
    expect(output).toContain('ok    archive: gzip objects of lines in file:');
    expect(output).toMatch(
      /: the folder is not there: a run makes it\n.*copy: snowplow_events in duckdb:.*: the file is not there/,
    );
    expect((await readdir(folder)).filter((name) => name.startsWith('checked'))).toEqual([]);
  });

  it('prints where each sink stands in each shard, and of a store that does not answer why', async () => {
    const settings = await warehouse('stands');
    const print = (more = {}) => startVictim('pipelines/warehouse.ts', { ...settings, ...more }, ['--positions']).ended();
    const before = await print();
    expect(before.output).toMatch(/SHARD +SINK +EPOCH +POSITION\narchive: directory: expected a folder at .*, got none\n$/);
    expect(before.code).toBe(1);

    await startVictim('pipelines/warehouse.ts', settings, ['--for', '6s']).ended();
    const { code, output } = await print();
    expect(code, output).toBe(0);
    const rows = output
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ +/));
    expect(rows[0]).toEqual(['SHARD', 'SINK', 'EPOCH', 'POSITION']);
    expect(rows.slice(1).map(([shard, sink, epoch]) => [shard, sink, epoch])).toEqual(
      ['shardId-000000000000', 'shardId-000000000001'].flatMap((shard) =>
        ['archive', 'copy', 'rejects'].map((sink) => [shard, sink, '1']),
      ),
    );
    for (const row of rows.slice(1)) expect(row[3]).toMatch(/^(\d+:0|@\d{4}-.*Z|TRIM_HORIZON|none)/);
    expect(output).toMatch(/ copy +1 +\d{50,}:0/);
    await writeFile(join(folder, 'no-database'), 'x'.repeat(20_000));
    const wrong = await print({ DATABASE_URL: `duckdb:${join(folder, 'no-database')}` });
    expect(wrong.code).toBe(1);
    expect(wrong.output).toMatch(/\ncopy: .*not a valid DuckDB database file/);
    expect(wrong.output).toContain('archive');
  });

  it.each([
    ['all of what it prints', '--positions', 5000, 0],
    ['its last words', '--for=1s', 1, 1],
  ] as const)('says %s to a pipe that is read late', async (_, flag, lines, code) => {
    const file = join(folder, 'talkative.ts');
    await writeFile(
      file,
      `import { command, main, pipeline, lines } from '${process.cwd()}/src/index.ts';
      const shards = Array.from({ length: 5000 }, (_, i) => ({ shard: 'shard-' + i, epoch: 1, resume: 'SHARD_END' }));
      const open = async () => { process.stderr.write('x'.repeat(200_000)); throw new Error('the last words'); };
      const sink = { name: 'talkative', describe: 'talkative', stands: async () => shards, open };
      await main(command({ summary: '', settings: {}, pipeline: () => pipeline('p').from(lines({ files: '${file}' })).to(sink) }));`,
    );
    // A pipe has 64 KiB; what waits behind that is with the process.
    const late = '{ "$0" "$1" "$2"; echo "code $?"; } 2>&1 | { sleep 3; cat; }';
    const shell = spawn('sh', ['-c', late, process.execPath, file, flag], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said = await text(shell.stdout);
    expect(said.match(/^shard-\d+|the last words$/gm)).toHaveLength(lines);
    expect(said).toMatch(new RegExp(`code ${code}\n$`));
  });

  it('says what is wrong with a stream that is not there', async () => {
    const settings = { ...(await warehouse('there')), KINESIS_STREAM: 'not-there' };
    const { code, output } = await startVictim('pipelines/warehouse.ts', settings, ['--check']).ended();
    expect(code).toBe(1);
    expect(output).toMatch(/wrong source: .*not-there/);
  });

  it('ends with 1 when the stream has forgotten what it had not read, and goes on with --accept-gap', async () => {
    const shard = { id: 's', records: ['no event', 'another'], trimmed: 0 };
    const faulty = await startFaultyKinesis({ shards: [shard] });
    const settings = {
      KINESIS_STREAM: 'gap',
      KINESIS_ENDPOINT: faulty.endpoint,
      DATABASE_URL: `duckdb:${join(folder, 'gap.duckdb')}`,
      ARCHIVE_URL: `file:${join(folder, 'gap')}`,
      STATE_FILE: join(folder, 'gap.state'),
    };
    expect((await stoppedOnceRead(2, settings)).output).toContain('read 2 = stored 0 + repeats 0 + rejected 2');
    shard.records.push('lost', 'kept');
    shard.trimmed = 3;
    const refused = await startVictim('pipelines/warehouse.ts', settings).ended();
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/GapError: s: the pipeline stands at 2:0, .*--accept-gap/);
    const accepted = await stoppedOnceRead(1, settings, '--accept-gap');
    expect(accepted.output).toContain('s: a gap behind 2:0');
    expect(accepted.output).toContain('read 1 = stored 0 + repeats 0 + rejected 1');
    expect(accepted.code).toBe(0);
    await faulty.stop();
  });

  it('draws itself', async () => {
    const { code, output } = await startVictim('pipelines/warehouse.ts', { KINESIS_STREAM: 'shop' }, ['--graph']).ended();
    expect(code).toBe(0);
    expect(output).toMatch(/^flowchart LR\n {2}source\(\["stream shop"\]\)/);
  });
});
