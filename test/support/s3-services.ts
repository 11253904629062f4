import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { endsWithUs } from '../../src/demo/ends-with-us.ts';
import type { S3Server } from './s3.ts';
import { freePort } from './free-port.ts';

const START_TIMEOUT_MS = 30_000;

/** Where `.ci/services` puts the server. */
const BINARY = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'millrace', 'minio');

/** The key by which objects are encrypted that ask for it. */
export const KMS_KEY = 'millrace-key';

/** Tells whether `.ci/services` has put it there. */
export function hasConditionalS3(): boolean {
  return existsSync(BINARY);
}

/** Starts MinIO on a free port: an S3 API that keeps the conditions of a put. It is stopped by its id. */
export async function startConditionalS3(): Promise<S3Server> {
  if (!hasConditionalS3())
    throw new Error(
      `These tests need an S3 server with conditional puts: run .ci/services once (it needs Go), which makes ${BINARY}`,
    );
  const directory = await mkdtemp(join(tmpdir(), 'millrace-minio-'));
  const port = await freePort();
  const secret = 'millrace-test';
  const server = spawn(BINARY, ['server', '--quiet', '--address', `127.0.0.1:${port}`, directory], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      HOME: directory,
      MINIO_ROOT_USER: secret,
      MINIO_ROOT_PASSWORD: secret,
      MINIO_KMS_SECRET_KEY: `${KMS_KEY}:${randomBytes(32).toString('base64')}`,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
  });
  let said = '';
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk: Buffer) => (said = (said + chunk).slice(-4_000)));
  endsWithUs(server, 'KILL');
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: secret, secretAccessKey: secret },
  });
  const close = async (): Promise<void> => {
    client.destroy();
    server.kill('SIGKILL');
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await untilReady(endpoint, server);
    await client.send(new CreateBucketCommand({ Bucket: 'archive' }));
  } catch (error) {
    await close();
    throw new Error(`MinIO did not start: ${said}`, { cause: error });
  }
  return { endpoint, bucket: 'archive', client, close };
}

async function untilReady(endpoint: string, server: ChildProcess): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += 50) {
    if (server.exitCode !== null) throw new Error(`it ended with ${server.exitCode}`);
    const answer = await fetch(`${endpoint}/minio/health/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await setTimeout(50);
  }
  throw new Error(`no answer within ${START_TIMEOUT_MS} ms`);
}
