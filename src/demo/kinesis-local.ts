import { type ChildProcess, fork } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';

export interface KinesisLocalOptions {
  /** Where its streams are kept, so that it goes on with them when it is started again. Memory only when left out. */
  readonly directory?: string;
  /**
   * How often it writes all its streams there; a stop writes them too, a SIGKILL of the server loses what came since.
   *
   * @default 2000
   */
  readonly persistEveryMs?: number;
}

export interface KinesisLocal {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
  readonly pid: number;
  /** Ends it, its data written. */
  stop(): Promise<void>;
}

/**
 * Starts kinesis-local, a Kinesis API server for one machine, as a child process on a free loopback port.
 * It makes no stream by itself. It ends with `stop`, or when this process ends, however that ends.
 *
 * @throws {Error} when it ends before it answers, with what it said
 */
export async function startKinesisLocal({ directory, persistEveryMs = 2000 }: KinesisLocalOptions = {}): Promise<KinesisLocal> {
  if (directory !== undefined) await mkdir(directory, { recursive: true });
  const child = fork(join(import.meta.dirname, `kinesis-child${extname(import.meta.filename)}`), {
    env: {
      ...process.env,
      KINESIS_MOCK_PLAIN_PORT: '1',
      KINESIS_MOCK_TLS_PORT: '2',
      KINESIS_MOCK_CERT_PATH: join(dirname(createRequire(import.meta.url).resolve('kinesis-local')), 'server.json'),
      LOG_LEVEL: 'ERROR',
      SHARD_LIMIT: '1000',
      // It pretends to take half a second for each of these.
      CREATE_STREAM_DURATION: '20ms',
      DELETE_STREAM_DURATION: '20ms',
      SPLIT_SHARD_DURATION: '20ms',
      MERGE_SHARDS_DURATION: '20ms',
      REGISTER_STREAM_CONSUMER_DURATION: '20ms',
      DEREGISTER_STREAM_CONSUMER_DURATION: '20ms',
      ...(directory === undefined
        ? {}
        : { SHOULD_PERSIST_DATA: 'true', PERSIST_PATH: directory, PERSIST_INTERVAL: `${persistEveryMs}ms` }),
    },
    execArgv: [],
    // A group of its own: Ctrl-C on a terminal is for us, who stop it after we have drained.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const port = await portOf(child);
  child.unref();
  child.channel?.unref();
  for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.ref();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

function portOf(child: ChildProcess): Promise<number> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said = (said + chunk).slice(-4000)));
  return new Promise((resolve, reject) => {
    child.once('message', ({ port }: { port: number }) => resolve(port));
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`kinesis-local ended with ${signal ?? code}: ${said.trim()}`)));
  });
}
