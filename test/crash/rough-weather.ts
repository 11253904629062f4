import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import type { FaultKind, PlannedFault } from '../support/fault-proxy/plan.ts';

type Rates = Partial<Readonly<Record<FaultKind, number>>>;

/** Which share of the calls goes wrong, and how: as on a bad day, so that most runs still come to do their work. */
const RATES = {
  kinesis: {
    ProvisionedThroughputExceededException: 0.02,
    LimitExceededException: 0.01,
    InternalFailure: 0.01,
    ExpiredIteratorException: 0.01,
    'reset-request': 0.005,
    'reset-answer': 0.01,
    'drop-answer': 0.005,
    delay: 0.02,
  },
  postgres: { 'reset-request': 0.004, 'reset-answer': 0.004, 'drop-answer': 0.012, late: 0.02, delay: 0.02 },
  s3: {
    SlowDown: 0.02,
    InternalError: 0.01,
    'InternalError-after-effect': 0.01,
    'error-in-200': 0.005,
    'reset-request': 0.005,
    'reset-answer': 0.005,
    'drop-answer': 0.02,
    late: 0.01,
    delay: 0.02,
  },
  redis: { 'reset-request': 0.003, 'reset-answer': 0.005, 'drop-answer': 0.01, late: 0.01, delay: 0.02 },
} as const satisfies Record<string, Rates>;

/** Proxies before the servers of an act, each of which lets some calls go wrong. */
export class RoughWeather {
  readonly #seed: number;
  readonly #proxies = new Map<keyof typeof RATES, FaultProxy>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** A server's URL, by way of a proxy. */
  async before(server: keyof typeof RATES, url: string): Promise<string> {
    const proxy = await startFaultProxy({ target: url, faults: { seed: this.#seed, rates: RATES[server] } });
    this.#proxies.set(server, proxy);
    return proxy.url;
  }

  /** Plans that a call to a server goes wrong; resolves when that has come. */
  async inject(server: keyof typeof RATES, fault: PlannedFault): Promise<void> {
    await this.#proxies.get(server)?.inject(fault);
  }

  /** How often each kind of fault has taken place. */
  get injected(): ReadonlyMap<string, number> {
    const sums = new Map<string, number>();
    for (const { injected } of this.#proxies.values())
      for (const [kind, count] of Object.entries(injected)) sums.set(kind, (sums.get(kind) ?? 0) + count);
    return sums;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
  }
}
