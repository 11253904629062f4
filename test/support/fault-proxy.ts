import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { httpProxy } from './fault-proxy/http.ts';
import { FaultPlan, type PlannedFault, type SeededFaults } from './fault-proxy/plan.ts';
import { postgresProxy } from './fault-proxy/postgres.ts';
import { redisProxy } from './fault-proxy/redis.ts';

export interface FaultProxyOptions {
  /** The server's URL; its scheme says what is spoken: `http://` (Kinesis, S3; version 1.1, no TLS), `postgres://` or `redis://`. */
  readonly target: string;
  /** What goes wrong: a list for one test, a seed and rates for a long run. @default nothing */
  readonly faults?: SeededFaults | readonly PlannedFault[];
}

export interface FaultProxy {
  /** The target's URL, by way of the proxy. */
  readonly url: string;
  /** How often each kind of fault has taken place. */
  readonly injected: FaultPlan['injected'];
  /** Plans one more fault; resolves when the request has come that meets it. */
  inject(fault: PlannedFault): Promise<void>;
  /** Injects nothing more. */
  calm(): void;
  /** Ends it and every connection through it. */
  close(): Promise<void>;
}

/** Stands before a server, on loopback, and lets go wrong what its plan says; all else passes through. */
export async function startFaultProxy({ target, faults = [] }: FaultProxyOptions): Promise<FaultProxy> {
  const url = new URL(target);
  const plan = new FaultPlan(faults);
  const proxies: Readonly<Record<string, typeof httpProxy>> = {
    'http:': httpProxy,
    'postgres:': postgresProxy,
    'redis:': redisProxy,
  };
  const proxy = proxies[url.protocol];
  if (!proxy) throw new RangeError(`startFaultProxy: expected http://, postgres:// or redis://, got ${url.protocol}//`);
  const { server, close } = proxy(new URL(target), plan);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href.replace(/(?<=^http:\/\/[^/]*)\/$/, ''),
    injected: plan.injected,
    inject: (fault) => plan.inject(fault),
    calm: () => plan.calm(),
    async close() {
      plan.close();
      server.close();
      close();
      await once(server, 'close');
    },
  };
}
