/** One line of the table: a process that prints, as its last line, JSON of a `Measured`. */
export interface Row {
  readonly name: string;
  /** What Node is to run. */
  readonly command: readonly string[];
  /** The row to which this one's CPU is compared: what the difference between the two costs an event, and their ratio. */
  readonly against?: string;
}

export interface Group {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  /** How many events a row gets with `--quick`. @default 100_000 */
  readonly quickEvents?: number;
  /** The rows read one file of so many events: its path comes as `--file`. */
  readonly fileEvents?: number;
}

const getRecords = (...flags: readonly string[]): readonly string[] => ['bench/get-records.ts', ...flags];
const realtime = (...flags: readonly string[]): readonly string[] => ['bench/realtime.ts', ...flags];
const core = (...flags: readonly string[]): readonly string[] => ['bench/core.ts', ...flags];

const fromFile = (...flags: readonly string[]): readonly string[] => ['bench/from-file.ts', ...flags];
const limit = (of: string): readonly string[] => ['bench/limits.ts', '--of', of];

const [OLD_CAPTURE, OLD_WHOLE] = ['old chain, into files', 'old chain, whole'];

/** All that `npm run bench` measures. */
export const groups: readonly Group[] = [
  {
    name: 'core',
    title: 'From memory, one thread, into a sink that stores nothing (records of 1.3 kB, two shards, one Observable event each)',
    rows: [
      { name: 'source', command: core('--steps', '0') },
      { name: '… stripCheckpoints', command: core('--steps', '1'), against: 'source' },
      { name: '… decode', command: core('--steps', '2'), against: '… stripCheckpoints' },
      { name: '… validate(label)', command: core('--steps', '3'), against: '… decode' },
      { name: '… dedupe', command: core('--steps', '4'), against: '… validate(label)' },
      { name: '… minuteWindow', command: core('--steps', '5'), against: '… dedupe' },
      { name: 'source, no ledger', command: core('--steps', '0', '--ledger', 'off'), against: 'source' },
      { name: 'all steps, no ledger', command: core('--steps', '5', '--ledger', 'off'), against: '… minuteWindow' },
    ],
  },
  {
    name: 'capture',
    title: 'From a file of the lines that the enricher printed, log lines between and inside them',
    fileEvents: 500_000,
    quickEvents: 50_000,
    rows: [
      { name: OLD_CAPTURE, command: ['bench/old-chain.ts'] },
      { name: 'plain RxJS, strings, into nothing', command: ['bench/peers.ts'], against: OLD_CAPTURE },
      { name: 'streams of Node, into nothing', command: ['bench/peers.ts', '--by', 'streams'], against: OLD_CAPTURE },
      { name: 'millrace, into nothing', command: fromFile(), against: OLD_CAPTURE },
      { name: 'millrace, lines as one text', command: fromFile('--of', 'text'), against: OLD_CAPTURE },
      { name: 'millrace, into minutes (gzip)', command: fromFile('--into', 'files'), against: OLD_CAPTURE },
      {
        name: 'millrace, into minutes (zstd)',
        command: fromFile('--into', 'files', '--compression', 'zstd'),
        against: OLD_CAPTURE,
      },
      { name: 'limit: reading the file', command: limit('read') },
      { name: 'limit: its lines and columns', command: limit('tabs') },
      { name: 'limit: gzip', command: limit('gzip') },
      { name: 'limit: zstd', command: limit('zstd') },
    ],
  },
  {
    name: 'get-records',
    title:
      'GetRecords alone, and SubscribeToShard, 2,000 records of 1,000 bytes a call (CPU s a million are ms a MB); random bytes, as compressed data looks',
    rows: [
      { name: 'stock', command: getRecords('--protocol', 'stock') },
      { name: 'lean', command: getRecords('--protocol', 'lean'), against: 'stock' },
      { name: 'stock, random', command: getRecords('--protocol', 'stock', '--data', 'random') },
      { name: 'lean, random', command: getRecords('--protocol', 'lean', '--data', 'random'), against: 'stock, random' },
      { name: 'fan-out, stock', command: getRecords('--mode', 'fan-out', '--protocol', 'stock') },
      { name: 'fan-out, lean', command: getRecords('--mode', 'fan-out', '--protocol', 'lean'), against: 'fan-out, stock' },
    ],
  },
  {
    name: 'warehouse',
    title: 'From the same lines into Postgres (fsync on) and a folder of compressed minutes; the limit has clean rows only',
    fileEvents: 500_000,
    quickEvents: 50_000,
    rows: [
      { name: OLD_WHOLE, command: ['bench/old-chain.ts', '--whole'] },
      { name: 'millrace, gzip', command: fromFile('--into', 'postgres'), against: OLD_WHOLE },
      { name: 'millrace, zstd', command: fromFile('--into', 'postgres', '--compression', 'zstd'), against: OLD_WHOLE },
      { name: 'limit: psql \\copy', command: limit('copy'), against: OLD_WHOLE },
    ],
  },
  {
    name: 'duckdb',
    title: 'From the same lines into DuckDB alone, on one thread of it; the limit has clean rows only',
    fileEvents: 500_000,
    quickEvents: 50_000,
    rows: [
      { name: "limit: DuckDB's own COPY", command: limit('duckdb') },
      { name: 'millrace', command: fromFile('--into', 'duckdb'), against: "limit: DuckDB's own COPY" },
    ],
  },
  {
    name: 'realtime',
    title:
      'The whole realtime pipeline into Redis, and the old Python script: the same lines, the same keys in the end, nothing warmed up',
    quickEvents: 15_000,
    rows: [
      { name: 'old, event by event', command: realtime('--how', 'old') },
      { name: 'old, batches of 1,000', command: realtime('--how', 'old', '--batch', '1000'), against: 'old, event by event' },
      { name: 'millrace', command: realtime(), against: 'old, batches of 1,000' },
    ],
  },
  {
    name: 'redis',
    title: 'Seven commands an event into a redis-server of its own, batches of 1,000, one after the other',
    quickEvents: 50_000,
    rows: [
      { name: "ioredis's pipeline, at least once", command: ['bench/redis-apply.ts', '--by', 'pipeline'] },
      { name: 'apply, exactly once', command: ['bench/redis-apply.ts'], against: "ioredis's pipeline, at least once" },
    ],
  },
  {
    name: 'latency',
    title:
      'The whole realtime pipeline on one thread: from when a line is due in its process, evenly, until Redis has answered; after three seconds of warm-up',
    quickEvents: 5_000,
    rows: [1000, 5000, 20_000].map((rate) => ({
      name: `${rate.toLocaleString('en')} events/s`,
      command: ['bench/latency.ts', '--rate', String(rate)],
    })),
  },
  {
    name: 'end-to-end',
    title: 'The same behind kinesis-local, 20 events/s: from PutRecord until the key is there',
    quickEvents: 40,
    rows: [
      { name: 'polling', command: ['bench/end-to-end.ts'] },
      { name: 'fan-out', command: ['bench/end-to-end.ts', '--mode', 'fan-out'] },
    ],
  },
];
