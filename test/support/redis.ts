import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { endsWithUs } from '../../src/demo/ends-with-us.ts';
import { redisProgram } from '../../src/demo/redis-program.ts';
import { freePort } from './free-port.ts';

export interface RedisOptions {
  /** Begins as a replica of a server on this port. */
  readonly replicaOf?: number;
  readonly settings?: Readonly<Record<string, string>>;
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Where the nodes of its cluster talk to it, if it is in one. */
  readonly busPort: number;
  readonly pid: number;
  /** Talks to it; closed by `stop`. */
  readonly client: Redis;
  stop(): Promise<void>;
  /** Kills it, and starts it again on the same port and data, with these settings more; resolves once it listens. */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>;
}

/** Starts the machine's redis-server, empty, on a free port of the loopback; with an append-only file, written at once. */
export async function startRedis({ replicaOf, settings = {} }: RedisOptions = {}): Promise<RedisServer> {
  const program = redisProgram();
  const folder = await mkdtemp(join(tmpdir(), 'millrace-redis-'));
  const all = {
    port: '',
    bind: '127.0.0.1',
    save: '',
    appendonly: 'yes',
    appendfsync: 'always',
    'repl-diskless-sync-delay': '0',
    ...(replicaOf !== undefined && { replicaof: `127.0.0.1 ${replicaOf}` }),
    'cluster-port': '',
    ...settings,
  };
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(
      program.path,
      Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...(value === '' ? [''] : value.split(' '))]),
      // Not as a setting, in which a blank would begin another value.
      { cwd: folder, argv0: program.argv0, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const ready = new Promise<void>((resolve, reject) => {
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-2000);
        if (/Ready to accept connections|Running mode=/.test(said)) resolve();
      });
      child.once('close', (code) => reject(new Error(`redis-server ended with ${code}: ${said}`)));
    });
    await ready;
    endsWithUs(child, 'KILL');
    return child;
  };
  // A port that was free may be taken by another test before it listens there.
  const startSomewhere = async (tries: number): Promise<ChildProcess> => {
    [all.port, all['cluster-port']] = [String(await freePort()), String(await freePort())];
    try {
      return await start();
    } catch (error) {
      if (tries === 1 || !String(error).includes('Address already in use')) throw error;
      return startSomewhere(tries - 1);
    }
  };
  let server = await startSomewhere(5);
  const port = Number(all.port);
  const end = async (): Promise<void> => {
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  };
  const client = new Redis(port, '127.0.0.1', { protocol: 2 });
  client.on('error', () => {});
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    busPort: Number(all['cluster-port']),
    client,
    get pid() {
      return server.pid!;
    },
    async stop() {
      client.disconnect();
      await end();
      await rm(folder, { recursive: true, force: true });
    },
    async restart(more = {}) {
      await end();
      Object.assign(all, more);
      server = await start();
    },
  };
}
