import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { endsWithUs } from './ends-with-us.ts';
import { freePort } from './free-port.ts';
import { redisProgram } from './redis-program.ts';

export interface RedisServer {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string;
  readonly pid: number;
  /** Ends it, its data written. */
  stop(): Promise<void>;
}

/**
 * Starts the machine's redis-server on a free loopback port, with its data in a directory, so that it goes on with them when it is started
 * again. It ends with `stop`, or when this process ends, however that ends.
 *
 * @throws {Error} saying what to install when there is none, or with what it said when it ends before it is ready
 */
export async function startRedisServer(directory: string): Promise<RedisServer> {
  const { path, argv0 } = redisProgram();
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'yes'];
  // A session of its own: Ctrl-C on a terminal is for us, who stop it after we have drained.
  const server = spawn(path, settings, { argv0, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  await isReady(server);
  const end = endsWithUs(server);
  server.unref();
  (server.stdout as Socket).unref();
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: server.pid!,
    async stop() {
      if (server.exitCode !== null || server.signalCode !== null) return;
      server.ref();
      const ended = once(server, 'exit');
      end();
      await ended;
    },
  };
}

function isReady(server: ChildProcess): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    server.stdout!.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4000);
      if (said.includes('Ready to accept connections')) resolve();
    });
    server.once('error', reject);
    server.once('exit', (code, signal) => reject(new Error(`redis-server ended with ${signal ?? code}: ${said.trim()}`)));
  });
}
