import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { kinesisClient } from '../../src/sources/kinesis/client.ts';
import { kinesis } from '../../src/sources/kinesis.ts';
import { startKinesis, streamOf } from '../support/kinesis.ts';
import { readSource } from '../support/read-source.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-kinesis-'));
});

afterAll(() => rm(directory, { recursive: true }));

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('startKinesisLocal', () => {
  it(
    'goes on with its streams after a stop: the same records, and a reader resumes where it stood',
    { timeout: 60_000 },
    async () => {
      const first = await startKinesis({ directory });
      const stream = await first.createStream('kept', 1);
      const put = await stream.put(['a', 'b', 'c']);
      const { completed, events } = readSource(kinesis({ stream: 'kept', endpoint: first.endpoint }), { stopAfter: 3 });
      await completed;
      expect(events.map(({ position }) => position.sequence)).toEqual(put);
      await first.stop();
      expect(isAlive(first.pid)).toBe(false);

      const second = await startKinesis({ directory });
      try {
        const [d] = await streamOf(second.client, 'kept').put(['d']);
        const again = readSource(kinesis({ stream: 'kept', endpoint: second.endpoint }), {
          acquire: async () => events[1]!.position,
          stopAfter: 2,
        });
        await again.completed;
        expect(again.events.map(({ position }) => position.sequence)).toEqual([put[2], d]);
      } finally {
        await second.stop();
      }
    },
  );

  it('is not killed while it writes its data, however long that takes', { timeout: 60_000 }, async () => {
    const own = join(directory, 'slow');
    // As the data of many thousand records do, this keeps it from anything else for longer than a stop may usually take.
    const slowly = `import fs from 'node:fs';
      const { createWriteStream } = fs;
      let isStopping = false;
      process.once('SIGTERM', () => (isStopping = true));
      fs.createWriteStream = (...args) => {
        if (isStopping) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 11_000);
        return createWriteStream(...args);
      };`;
    vi.stubEnv('NODE_OPTIONS', `--import=data:text/javascript,${encodeURIComponent(slowly)}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const first = await startKinesis({ directory: own, persistEveryMs: 60_000 });
    vi.unstubAllEnvs();
    await (await first.createStream('kept', 1)).put(['a']);
    await first.stop();
    const second = await startKinesis({ directory: own });
    try {
      expect(await streamOf(second.client, 'kept').shards()).toHaveLength(1);
    } finally {
      await second.stop();
    }
  });

  it('ends with the process that started it, also when that is killed, its data written', { timeout: 60_000 }, async () => {
    const own = join(directory, 'orphan');
    const module = join(import.meta.dirname, '../../src/demo/kinesis-local.ts');
    const program = `const { startKinesisLocal } = await import(${JSON.stringify(module)});
      const { pid, endpoint } = await startKinesisLocal({ directory: ${JSON.stringify(own)}, persistEveryMs: 60_000 });
      console.log(JSON.stringify({ pid, endpoint }));
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    // Of a test that fails, too, no process stays behind.
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { pid, endpoint } = JSON.parse(String(line)) as { pid: number; endpoint: string };
    const client = kinesisClient({ endpoint });
    const { CreateStreamCommand, ListStreamsCommand } = await import('@aws-sdk/client-kinesis');
    await client.send(new CreateStreamCommand({ StreamName: 'orphaned', ShardCount: 1 }));
    client.destroy();
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false);

    const next = await startKinesis({ directory: own });
    try {
      expect((await next.client.send(new ListStreamsCommand({}))).StreamNames).toEqual(['orphaned']);
    } finally {
      await next.stop();
    }
  });

  it('starts again after it was killed itself, with what it had written', { timeout: 60_000 }, async () => {
    const own = join(directory, 'killed');
    const first = await startKinesis({ directory: own, persistEveryMs: 20 });
    const stream = await first.createStream('kept', 1);
    await stream.put(Array.from({ length: 500 }, () => 'x'.repeat(1000)));
    process.kill(first.pid, 'SIGKILL');
    await first.stop();
    const second = await startKinesis({ directory: own });
    try {
      expect(await streamOf(second.client, 'kept').shards()).toHaveLength(1);
    } finally {
      await second.stop();
    }
  });
});
