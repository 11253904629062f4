import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../../src/demo/random.ts';

/** What befalls a request or its answer. */
export type FaultKind =
  /** The request waits before it goes on to the server. */
  | 'delay'
  /** The server acts; nothing is ever heard of it. */
  | 'silence'
  /** The connection is reset in the middle of the request: the server gets no whole one. */
  | 'reset-request'
  /** The connection is reset in the middle of the answer. */
  | 'reset-answer'
  /** The connection is reset when the server has acted, before the client hears of it. */
  | 'drop-answer'
  /** The connection is reset, and the server gets the end of the request only some time later. Of what writes only. */
  | 'late'
  /** Kinesis refuses, under AWS's name of the error. */
  | 'ProvisionedThroughputExceededException'
  | 'LimitExceededException'
  | 'KMSThrottlingException'
  | 'InternalFailure'
  | 'ExpiredIteratorException'
  | 'ExpiredNextTokenException'
  /** S3 refuses; a put that failed so may have taken effect, or an error may come under status 200. */
  | 'SlowDown'
  | 'InternalError'
  | 'InternalError-after-effect'
  | 'error-in-200'
  /** Postgres is starting up. */
  | 'cannot-connect-now';

export interface Fault {
  readonly kind: FaultKind;
  /** A reset comes after so many bytes of the body, and before its last one at the latest. @default 0 */
  readonly bytes?: number;
  /** How long a delay or a late request takes. @default 100 */
  readonly delayMs?: number;
}

export interface PlannedFault extends Fault {
  /** Only requests of this operation count: `GetRecords`, `PutObject`, `COMMIT`, `EVALSHA`. @default all */
  readonly on?: string;
  /** How many such requests come before it. @default 0 */
  readonly at?: number;
}

export interface SeededFaults {
  readonly seed: number;
  /** Which share of the requests to which a fault applies meets it. */
  readonly rates: Partial<Readonly<Record<FaultKind, number>>>;
  /** @default 200 */
  readonly longestDelayMs?: number;
}

interface Planned {
  readonly fault: PlannedFault;
  left: number;
  readonly done: () => void;
}

/** Where kinds apply that do not apply everywhere. */
const APPLIES: Partial<Record<FaultKind, RegExp>> = {
  late: /^(Put|COMMIT|EVAL)/,
  ProvisionedThroughputExceededException: /^(GetRecords|GetShardIterator|PutRecords?)$/,
  LimitExceededException: /^(ListShards|DescribeStreamSummary|SubscribeToShard)$/,
  KMSThrottlingException: /^(GetRecords|SubscribeToShard|PutRecords?)$/,
  ExpiredIteratorException: /^GetRecords$/,
  ExpiredNextTokenException: /^ListShards$/,
  'InternalError-after-effect': /^PutObject$/,
  'error-in-200': /^(PutObject|ListObjectsV2)$/,
  'cannot-connect-now': /^CONNECT$/,
};

/**
 * Decides over each request: by a list, or by chances that depend on the seed, the operation and how many requests of it came
 * before. So the same requests meet the same faults, however those of different operations fall in between.
 */
export class FaultPlan {
  /** How often each kind was injected. */
  readonly injected: Partial<Record<FaultKind, number>> = {};
  readonly #ending = new AbortController();
  readonly #counts = new Map<string, number>();
  #listed: Planned[];
  #seeded: SeededFaults | undefined;

  constructor(faults: SeededFaults | readonly PlannedFault[]) {
    const isList = (given: typeof faults): given is readonly PlannedFault[] => Array.isArray(given);
    this.#listed = isList(faults) ? faults.map((fault) => ({ fault, left: fault.at ?? 0, done: () => {} })) : [];
    this.#seeded = isList(faults) ? undefined : faults;
  }

  /** What befalls the next request of this operation. */
  next(operation: string): Fault | undefined {
    const nth = this.#counts.get(operation) ?? 0;
    this.#counts.set(operation, nth + 1);
    let found: Planned | undefined;
    for (const planned of this.#listed)
      if ((planned.fault.on ?? operation) === operation && planned.left-- <= 0) found ??= planned;
    if (!found) return this.#draw(operation, nth);
    this.#listed = this.#listed.filter((planned) => planned !== found);
    found.done();
    return found.fault;
  }

  /** Adds a fault for a request to come; resolves when that has come. */
  inject(fault: PlannedFault): Promise<void> {
    return new Promise((done) => this.#listed.push({ fault, left: fault.at ?? 0, done }));
  }

  /** Counts a fault that took place. */
  count({ kind }: Fault): void {
    this.injected[kind] = (this.injected[kind] ?? 0) + 1;
  }

  /** Injects nothing more. */
  calm(): void {
    this.#listed = [];
    this.#seeded = undefined;
  }

  /** Waits as long as a fault says. Never comes back after `close`. */
  async wait({ delayMs = 100 }: Fault): Promise<void> {
    await sleep(delayMs, undefined, { signal: this.#ending.signal }).catch(() => new Promise(() => {}));
  }

  close(): void {
    this.#ending.abort();
  }

  #draw(operation: string, nth: number): Fault | undefined {
    if (!this.#seeded) return undefined;
    const { seed, rates, longestDelayMs = 200 } = this.#seeded;
    const random = new Random(seed, hash(operation), nth);
    let rest = random.below(1e9) / 1e9;
    for (const [kind, rate] of Object.entries(rates) as [FaultKind, number][]) {
      if (APPLIES[kind]?.test(operation) === false) continue;
      // Bytes of all orders of magnitude up to a mebibyte.
      if ((rest -= rate) < 0) return { kind, bytes: 2 ** random.below(21) - 1, delayMs: random.below(longestDelayMs + 1) };
    }
    return undefined;
  }
}

function hash(text: string): number {
  let word = 0;
  for (let i = 0; i < text.length; i++) word = (Math.imul(word, 31) + text.charCodeAt(i)) | 0;
  return word;
}
