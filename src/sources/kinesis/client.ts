import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { speakLean } from './lean/lean-protocol.ts';

export interface ClientOptions {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** @default 'stock' */
  readonly protocol?: 'lean' | 'stock';
}

/**
 * Makes a client for polling. It tries each call once: the source repeats them itself, and tells about it.
 *
 * HTTP/1.1, also to AWS: the SDK gives each HTTP/2 call a session of its own, so that it gains nothing, and big answers have to
 * pass its flow control. A server on this machine is given no secrets: no key of the environment is sent there.
 */
export function kinesisClient(options: ClientOptions): KinesisClient {
  const client = new KinesisClient({ ...configOf(options), requestHandler: http1() });
  if (options.protocol === 'lean') speakLean(client);
  return client;
}

/**
 * Makes a client for subscriptions, each of which has an HTTP/2 session of its own, as the SDK does it by itself. Without
 * TLS it is HTTP/1.1, which is what an `http:` endpoint speaks: a server for tests, never AWS.
 */
export function fanOutClient(options: ClientOptions): KinesisClient {
  if (options.endpoint?.startsWith('http:')) return kinesisClient(options);
  return new KinesisClient(configOf(options));
}

function configOf({ endpoint, region }: ClientOptions): KinesisClientConfig {
  const config: KinesisClientConfig = { maxAttempts: 1 };
  if (region !== undefined) config.region = region;
  if (endpoint === undefined) return config;
  config.endpoint = endpoint;
  if (!isLoopback(endpoint)) return config;
  return { region: 'us-east-1', ...config, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
}

function http1(): NodeHttpHandler {
  return new NodeHttpHandler({
    connectionTimeout: 5_000,
    // A call waits for none of another shard.
    httpAgent: { maxSockets: Number.POSITIVE_INFINITY },
    httpsAgent: { maxSockets: Number.POSITIVE_INFINITY },
  });
}

function isLoopback(endpoint: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(endpoint).hostname);
}
