import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { catalogue } from '../../src/demo/shop/catalogue.ts';
import { startRedisServer } from '../../src/demo/redis-server.ts';
import { startVictim } from '../crash/victim.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-demo-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('npm start', { timeout: 120_000 }, () => {
  it('runs both pipelines, follows a visitor, ends on Ctrl-C with everything stored, and goes on where it stopped', async () => {
    const directory = join(folder, 'shop');
    const first = startVictim('pipelines/demo.ts', {}, ['--directory', directory, '--rate', '200']);
    await first.says('recommended  ');
    const page = await fetch(first.output.match(/live: (http:\/\/127\.0\.0\.1:\d+) /)![1]!);
    expect(await page.text()).toMatch(/<h1>warehouse<\/h1>[^]*<h1>realtime<\/h1>/);
    const database = join(directory, 'warehouse.duckdb');
    const asked = await startVictim('src/demo/query.ts', {}, ['select 1', database]).ended();
    expect(asked.output).toMatch(/^query: process \d+ has the file open, and one at a time can: end that run first\n$/);
    expect(asked.code).toBe(1);
    const second = await startVictim('pipelines/demo.ts', {}, ['--directory', directory]).ended();
    expect(second.output).toBe(
      `pipelines/demo.ts: expected a directory of its own, and another shop is at work in ${directory}: end that one, or name another --directory\n`,
    );
    expect(second.code).toBe(2);
    first.signal('SIGINT');
    const { code, output } = await first.ended();
    expect(code, output).toBe(0);
    expect(output).toMatch(/viewed {7}\S/);
    expect(output).toMatch(/\nwarehouse: read \d{3,} = stored \d{3,} .*\nrealtime: {2}read \d{3,} = stored \d{3,} /);
    expect(output).not.toMatch(/read.*=.* in flight/);

    const redis = await startRedisServer(join(directory, 'redis'));
    const client = new Redis(redis.url);
    try {
      const [sku] = await client.lrange((await client.keys('viewed:*'))[0]!, '0', '-1');
      expect(catalogue.map((product) => product.sku)).toContain(sku);
      expect(await client.hlen('millrace:positions:realtime:apply')).toBe(2);
    } finally {
      client.disconnect();
      await redis.stop();
    }

    const rows = await startVictim('src/demo/query.ts', {}, [
      'select count(*) > 0 as stored from snowplow_events',
      database,
    ]).ended();
    expect(rows.output).toMatch(/stored[^]*true/);
    const wrong = await startVictim('src/demo/query.ts', {}, ['select nothing from nowhere', database]).ended();
    expect(wrong.output).toMatch(/^query: Catalog Error: Table with name nowhere does not exist!/);
    expect([rows.code, wrong.code]).toEqual([0, 1]);
    const third = await startVictim('pipelines/demo.ts', {}, ['--directory', directory, '--for', '2s']).ended();
    expect(third.output).not.toContain('TRIM_HORIZON');
    expect(third.output.match(/realtime: {2}shardId-\d+: reading on from \d+:[1-9]/g)).toHaveLength(2);
    expect(third.code, third.output).toBe(0);
  });

  it.each(['--check', '--graph'])('knows no %s, which its pipelines do, and starts nothing', async (flag) => {
    const directory = join(folder, 'asked');
    const { code, output } = await startVictim('pipelines/demo.ts', {}, ['--directory', directory, flag]).ended();
    expect(output).toMatch(new RegExp(`^pipelines/demo.ts: Unknown option '${flag}'`));
    expect(code).toBe(2);
    expect(existsSync(directory)).toBe(false);
    const help = await startVictim('pipelines/demo.ts', {}, ['--help']).ended();
    expect(help.output).toContain('--for <duration>');
    expect(help.output).not.toContain(flag);
  });

  it('says how to begin anew when its stream is lost, or what is in its directory cannot be read', async () => {
    const directory = join(folder, "lost, o'");
    const start = () => startVictim('pipelines/demo.ts', {}, ['--directory', directory, '--for', '9s']).ended();
    const first = startVictim('pipelines/demo.ts', {}, ['--directory', directory]);
    await first.says('recommended  ');
    first.signal('SIGINT');
    const before = await first.ended();
    expect(before.code, before.output).toBe(0);
    expect(before.output).toContain(`find '${folder}/lost, o'\\''/archive' -name`);
    await rm(join(directory, 'kinesis'), { recursive: true });
    const lost = await start();
    expect(lost.output).toMatch(/has ended: .*was deleted and made again/);
    expect(lost.output).toContain(`rm -r '${folder}/lost, o'\\'''`);
    expect(lost.code).toBe(1);
    await writeFile(join(directory, 'next-record'), 'none');
    const garbage = await start();
    expect(garbage.output).toMatch(/expected the number of a record in .*next-record, got "none"/);
    expect(garbage.output).toMatch(/rm -r .* lets the shop begin anew/);
    expect(garbage.output).not.toContain('Node.js v');
    await rm(directory, { recursive: true });
    await writeFile(directory, 'no folder');
    const file = await start();
    expect(file.output).toBe(`pipelines/demo.ts: DIRECTORY (--directory): expected a folder, got a file: ${directory}\n`);
    expect(file.code).toBe(2);
  });

  it('runs the warehouse alone where there can be no Redis, and says why', async () => {
    const directory = join(folder, 'alone');
    const before = await startVictim('pipelines/demo.ts', {}, ['--directory', directory, '--for', '1s']).ended();
    expect(before.code, before.output).toBe(0);
    await rm(join(directory, 'redis'), { recursive: true });
    await writeFile(join(directory, 'redis'), 'no folder');
    const { code, output } = await startVictim('pipelines/demo.ts', {}, ['--directory', directory, '--for', '2s']).ended();
    expect(output).toMatch(/^The warehouse runs alone: EEXIST.*\n/);
    expect(output).toMatch(/\nread \d+ = stored/);
    expect(code).toBe(0);
  });
});

describe('startRedisServer', { timeout: 60_000 }, () => {
  it('keeps its data, and ends with the process that started it, also when that is killed', async () => {
    const directory = join(folder, 'orphan');
    const module = join(import.meta.dirname, '../../src/demo/redis-server.ts');
    const program = `const { startRedisServer } = await import(${JSON.stringify(module)});
      const { pid, url } = await startRedisServer(${JSON.stringify(directory)});
      console.log(JSON.stringify({ pid, url }));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    // Of a test that fails, too, no process stays behind.
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { pid, url } = JSON.parse(String(line)) as { pid: number; url: string };
    const client = new Redis(url);
    await client.set('kept', 'yes');
    client.disconnect();
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false);

    const next = await startRedisServer(directory);
    const again = new Redis(next.url);
    expect(await again.get('kept')).toBe('yes');
    again.disconnect();
    await next.stop();
    expect(isAlive(next.pid)).toBe(false);
  });
});
