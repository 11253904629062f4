import { NoiseRandom, makeBadRow, makeRecord } from './noise-record.ts';

/** Which enricher, how busy, how large. */
export interface NoiseOptions {
  /** The same seed prints the same text. @default 1 */
  readonly seed?: number;
  /** 0.1.0 prints bare lines through the lock of the records; 0.2.0 prints through a lock of its own, into the records. */
  readonly enricher: '0.1.0' | '0.2.0';
  /** A thread each. */
  readonly shards: number;
  readonly records: number;
  /** How long a record is, about. */
  readonly sizeBytes: number;
  /** @default 98 for 0.1.0, 108 for 0.2.0 */
  readonly columns?: 98 | 108 | 125 | 131;
  /** How likely it is another thread's turn after a write, 0 to 1. @default 1, the most that can be */
  readonly switching?: number;
  /** Of a thousand records, how many are refused, bring an error with its stack trace, see a block of the library's. @default 5 */
  readonly perMille?: number;
  /** What a partition key is: a visitor's address or a UUID; or one of those, an address cut short, a host's name. @default 'addresses' */
  readonly keys?: 'addresses' | 'hosts';
}

/** What was printed. */
export interface Printed {
  /** All of it, as it came out of the pipe. */
  readonly text: Buffer;
  /** The records in the order in which they were printed, without their newlines. */
  readonly records: readonly Buffer[];
  readonly badRows: readonly Buffer[];
  /** How many other things were printed: log lines, lines of stack traces, blocks. */
  readonly noise: number;
  /** How many records do not stand whole on a line of their own. */
  readonly damaged: number;
}

/** What one call prints, write by write; the lock is held from the first to the last. */
interface Print {
  readonly what: 'record' | 'bad-row' | 'noise';
  readonly lock: 'stdout' | 'stderr';
  readonly writes: readonly Buffer[];
}

interface Thread {
  /** What it prints next; nothing once it has done its work. */
  readonly next: () => Print[];
  prints: Print[];
  written: number;
}

const WRITE_BYTES = 8192;
const PAGE_BYTES = 4096;
const NEWLINE = Buffer.from('\n');
const LOGGER = 'com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource';
const TUPLE =
  '(Checkpoint failed after 10 attempts.,com.amazonaws.services.kinesis.clientlibrary.exceptions.ThrottlingException: slow down)';
const TRACE = [
  'com.amazonaws.services.kinesis.clientlibrary.exceptions.ThrottlingException: Rate exceeded [400]',
  '\tat com.amazonaws.services.kinesis.leases.impl.LeaseManager.renewLease(LeaseManager.java:312)',
  '\tat java.lang.Thread.run(Thread.java:745)',
  '\t... 12 more',
];
const WORKER = 'Nov 26, 2014 5:38:00 PM com.amazonaws.services.kinesis.clientlibrary.lib.worker.Worker';
const BLOCKS = [
  `${WORKER} info\nINFO: Sleeping ...\n`,
  `${WORKER} info\nINFO: Current stream shard assignments: shardId-000000000000, shardId-000000000001\n`,
  `${WORKER} run\nSEVERE: Worker.run caught exception\ncom.amazonaws.AmazonServiceException: no [x]\n\tat java.lang.Thread.run(Thread.java:745)\n`,
];

/**
 * Prints records as scala-kinesis-enrich did, noise and all: the oracle of `stripCheckpoints`.
 *
 * A record and a log line are each printed in two steps, the text and its newline, under a lock; a text of more than 8,192
 * bytes takes several writes, and a full pipe cuts some at 4,096. Threads take turns at random, write by write.
 */
export function printNoisily(options: NoiseOptions): Printed {
  const random = new NoiseRandom(options.seed ?? 1);
  const records: Buffer[] = [];
  const badRows: Buffer[] = [];
  let noise = 0;
  const writes = takeTurns(makeThreads(options, random), options.switching ?? 1, random, ({ what, writes: parts }) => {
    if (what === 'record') records.push(Buffer.concat(parts.slice(0, -1)));
    else if (what === 'bad-row') badRows.push(parts[0]!);
    else noise++;
  });
  const text = Buffer.concat(writes);
  const lines = new Set(text.toString('latin1').split('\n'));
  const damaged = records.filter((record) => !lines.has(record.toString('latin1'))).length;
  return { text, records, badRows, noise, damaged };
}

function makeThreads(
  { enricher, shards, records, sizeBytes, columns, perMille = 5, keys = 'addresses' }: NoiseOptions,
  random: NoiseRandom,
): Thread[] {
  const isOld = enricher === '0.1.0';
  const width = columns ?? (isOld ? 98 : 108);
  const happens = (): boolean => random.below(1000) < perMille;
  const log = (text: string): Print => ({
    what: 'noise',
    lock: isOld ? 'stdout' : 'stderr',
    writes: [Buffer.from(text), NEWLINE],
  });
  let made = 0;

  const threads: Thread[] = Array.from({ length: shards }, (_, number) => {
    const say = (message: string, level = 'INFO'): Print =>
      log(isOld ? message : `[pool-1-thread-${number + 1}] ${level} ${LOGGER} - ${message}`);
    const shard = `shardId-${String(number).padStart(12, '0')}`;
    let batch = -1;
    const next = (): Print[] => {
      if (made >= records) return [];
      const prints: Print[] = [];
      if (batch === -1) prints.push(say(`Initializing record processor for shard: ${shard}`));
      if (batch-- <= 0) {
        batch = random.below(30);
        if (random.below(2) === 0) prints.push(say(`Checkpointing shard ${shard}`));
        prints.push(say(`Processing ${batch + 1} records from ${shard}`));
      }
      const address = [1 + random.below(254), random.below(256), random.below(256), random.below(256)].join('.');
      // Without an address the collector takes a UUID.
      prints.push(say(`Sequence number: 49${random.digits(54)}`));
      prints.push(
        say(`Partition key: ${keys === 'hosts' ? anyKey(address, random) : random.below(10) === 0 ? random.uuid() : address}`),
      );
      // 0.1.0 prints what it refuses to stderr, which is elsewhere.
      if (happens()) {
        if (!isOld) prints.push({ what: 'bad-row', lock: 'stderr', writes: [makeBadRow(random), NEWLINE] });
        return prints;
      }
      made++;
      const record = makeRecord(random, width, sizeBytes, address);
      prints.push({ what: 'record', lock: 'stdout', writes: [...cutIntoWrites(record, random), NEWLINE] });
      if (happens()) {
        if (isOld) prints.push(log(TUPLE));
        else prints.push(say('Checkpoint failed after 10 attempts.', 'ERROR'), ...TRACE.map(log));
      }
      return prints;
    };
    return { next, prints: [], written: 0 };
  });
  if (!isOld) {
    // The worker's own thread: each block in one write. Most of its turns it does nothing.
    const next = (): Print[] =>
      made >= records ? [] : [{ what: 'noise', lock: 'stderr', writes: happens() ? [Buffer.from(random.pick(BLOCKS))] : [] }];
    threads.push({ next, prints: [], written: 0 });
  }
  return threads;
}

function anyKey(address: string, random: NoiseRandom): string {
  const host = random.pick(['ip-10-0-0-1.ec2.internal', `collector-${random.below(30)}`]);
  return random.pick([address, random.uuid(), address.replace(/\d+$/, 'x'), host, host]);
}

function cutIntoWrites(record: Buffer, random: NoiseRandom): Buffer[] {
  const writes: Buffer[] = [];
  for (let at = 0; at < record.length; at += WRITE_BYTES) {
    const write = record.subarray(at, at + WRITE_BYTES);
    if (write.length > PAGE_BYTES && random.below(4) === 0)
      writes.push(write.subarray(0, PAGE_BYTES), write.subarray(PAGE_BYTES));
    else writes.push(write);
  }
  return writes;
}

function takeTurns(threads: Thread[], switching: number, random: NoiseRandom, begin: (print: Print) => void): Buffer[] {
  const holders = new Map<string, Thread>();
  const writes: Buffer[] = [];
  let thread: Thread | undefined;
  for (;;) {
    for (const one of threads) if (one.prints.length === 0) one.prints = one.next();
    const ready = threads.filter((one) => one.prints[0] && (holders.get(one.prints[0].lock) ?? one) === one);
    if (ready.length === 0) return writes;
    if (!thread || !ready.includes(thread) || random.next() < switching) thread = random.pick(ready);
    const print = thread.prints[0]!;
    if (thread.written < print.writes.length) {
      if (thread.written === 0) begin(print);
      writes.push(print.writes[thread.written++]!);
      holders.set(print.lock, thread);
    }
    if (thread.written === print.writes.length) {
      holders.delete(print.lock);
      thread.prints.shift();
      thread.written = 0;
    }
  }
}
