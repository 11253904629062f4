import { KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';

export interface ClientOptions {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
}

/**
 * Makes a client for polling. It tries each call once: the source repeats them itself, and tells about it.
 *
 * HTTP/1.1, also to AWS: the SDK gives each HTTP/2 call a session of its own, so that it gains nothing, and big answers have to
 * pass its flow control. A server on this machine is given no secrets: no key of the environment is sent there.
 */
export function kinesisClient({ endpoint, region }: ClientOptions): KinesisClient {
  const config: KinesisClientConfig = {
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5_000,
      // A call waits for none of another shard.
      httpAgent: { maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { maxSockets: Number.POSITIVE_INFINITY },
    }),
  };
  if (region !== undefined) config.region = region;
  if (endpoint !== undefined) {
    config.endpoint = endpoint;
    if (isLoopback(endpoint)) {
      config.region ??= 'us-east-1';
      config.credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    }
  }
  return new KinesisClient(config);
}

function isLoopback(endpoint: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(endpoint).hostname);
}
