import type { TableKind } from './table.ts';

/** One line of the table: a process that prints, as its last line, JSON of a `Measured`. */
export interface Row {
  readonly name: string;
  /** What Node is to run. */
  readonly command: readonly string[];
  /** The row to which this one's CPU is compared: what the difference between the two costs an event, and their ratio. */
  readonly against?: string;
  /** How many events `--quick` has time for; `own` are as many as without it. @default it leaves the row out */
  readonly quick?: number | 'own';
  /** How many steps more than that row it has: the difference is told for one. @default 1 */
  readonly steps?: number;
}

export interface Group {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  /** Which columns it has. */
  readonly table: TableKind;
  readonly rows: readonly Row[];
  /** More rounds than this are not worth their time, where a row takes long. @default all of them */
  readonly maxRounds?: number;
  /** The rows read one file of so many events, with `--quick` of what all of them have time for: its path comes as `--file`. */
  readonly fileEvents?: number;
}

const getRecords = (...flags: readonly string[]): readonly string[] => ['bench/get-records.ts', ...flags];
const realtime = (...flags: readonly string[]): readonly string[] => ['bench/realtime.ts', ...flags];
const redisLimit = (by: string): readonly string[] => ['bench/redis-limit.ts', '--by', by];
/** A young generation that stays in the processor's cache, so that rows which tell nanoseconds tell those of the steps; their titles say so. */
const core = (...flags: readonly string[]): readonly string[] => ['--max-semi-space-size=8', 'bench/core.ts', ...flags];

const fromFile = (...flags: readonly string[]): readonly string[] => ['bench/from-file.ts', ...flags];
const limit = (of: string): readonly string[] => ['bench/limits.ts', '--of', of];

const packed = (compression: string, level: number): Row => ({
  name: `${compression} ${level}`,
  command: ['bench/levels.ts', '--compression', compression, '--level', String(level)],
});

const [OLD_CAPTURE, OLD_WHOLE] = ['old chain, into files', 'old chain, whole'];

/** Whoever has little memory can have Node collect its garbage sooner, for some of its CPU. */
const SMALL_HEAP = ['--max-old-space-size=48', '--max-semi-space-size=2'];

/** All that `npm run bench` measures. */
export const groups: readonly Group[] = [
  {
    name: 'core',
    title:
      'From memory through the five steps of the capture, one thread, into a sink that stores nothing (records of 1.3 kB, two shards; a young generation of 8 MiB)',
    table: 'whole',
    rows: [
      { name: OLD_CAPTURE, command: ['bench/old-chain.ts'], quick: 60_000 },
      { name: 'millrace, an Observable a step', command: core(), against: OLD_CAPTURE, quick: 300_000 },
      { name: 'millrace, as a run joins them', command: core('--fused', 'on'), against: OLD_CAPTURE, quick: 300_000 },
    ],
  },
  {
    name: 'steps',
    title: 'The same, step by step, an Observable each (a young generation of 8 MiB)',
    table: 'steps',
    rows: [
      { name: 'source', command: core('--steps', '0'), quick: 1_000_000 },
      {
        name: '… a step that does nothing',
        command: core('--steps', '0', '--more', '5'),
        steps: 5,
        against: 'source',
        quick: 1_000_000,
      },
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
    name: 'growth',
    title:
      'All steps, as a run joins them, by how many shards there are, and how many identities dedupe remembers, its table being full (a young generation of 8 MiB)',
    table: 'steps',
    maxRounds: 3,
    rows: [
      ...[1, 4, 16, 64].map((shards) => ({
        name: `${shards} shard${shards === 1 ? '' : 's'}`,
        command: core('--fused', 'on', '--shards', String(shards)),
        against: '1 shard',
      })),
      ...[1, 10, 60].map((millions) => ({
        name: `${millions} million identities`,
        command: core('--fused', 'on', '--ids', String(millions * 1e6)),
        against: '1 million identities',
      })),
    ],
  },
  {
    name: 'dedupe',
    title: 'dedupe alone, deliveries of a thousand, 5 % more new ones than it may remember and then nine tenths of them again',
    table: 'dedupe',
    maxRounds: 3,
    rows: [1, 10, 60].map((millions) => ({
      name: `${millions} million identities`,
      command: ['bench/dedupe.ts', '--ids', String(millions * 1e6)],
      ...(millions === 1 && { quick: 'own' }),
    })),
  },
  {
    name: 'capture',
    title: 'From a file of the lines that the enricher printed, log lines between and inside them',
    table: 'file',
    fileEvents: 500_000,
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
    name: 'levels',
    title: "What the archive's objects cost by the compressor's level, and how large they are (records of 1.3 kB)",
    table: 'levels',
    maxRounds: 3,
    fileEvents: 100_000,
    rows: [
      ...[1, 2, 3, 4, 5, 6, 9].map((level) => packed('gzip', level)),
      ...[1, 2, 3, 6, 9].map((level) => packed('zstd', level)),
    ],
  },
  {
    name: 'get-records',
    title:
      'GetRecords alone, and SubscribeToShard, 2,000 records of 1,000 bytes a call (CPU s a million are ms a MB); random bytes, as compressed data looks',
    table: 'steps',
    rows: [
      { name: 'stock', command: getRecords('--protocol', 'stock'), quick: 50_000 },
      { name: 'lean', command: getRecords('--protocol', 'lean'), against: 'stock', quick: 100_000 },
      { name: 'stock, random', command: getRecords('--protocol', 'stock', '--data', 'random') },
      { name: 'lean, random', command: getRecords('--protocol', 'lean', '--data', 'random'), against: 'stock, random' },
      { name: 'fan-out, stock', command: getRecords('--mode', 'fan-out', '--protocol', 'stock') },
      { name: 'fan-out, lean', command: getRecords('--mode', 'fan-out', '--protocol', 'lean'), against: 'fan-out, stock' },
    ],
  },
  {
    name: 'warehouse',
    title:
      'From the same lines into Postgres (fsync on) and a folder of compressed minutes, gzip at level 3 and zstd at 1, in the old chain gzip at 6; the limit has clean rows only',
    table: 'file',
    fileEvents: 500_000,
    rows: [
      { name: OLD_WHOLE, command: ['bench/old-chain.ts', '--whole'], quick: 40_000 },
      { name: 'millrace, gzip', command: fromFile('--into', 'postgres'), against: OLD_WHOLE },
      {
        name: 'millrace, zstd',
        command: fromFile('--into', 'postgres', '--compression', 'zstd'),
        against: OLD_WHOLE,
        quick: 40_000,
      },
      { name: 'limit: psql \\copy', command: limit('copy'), against: OLD_WHOLE },
    ],
  },
  {
    name: 'duckdb',
    title: 'From the same lines into DuckDB alone, on one thread of it; the limit has clean rows only',
    table: 'file',
    fileEvents: 500_000,
    rows: [
      { name: "limit: DuckDB's own COPY", command: limit('duckdb') },
      { name: 'limit: the same, newest file format', command: limit('duckdb-newest'), against: "limit: DuckDB's own COPY" },
      { name: 'millrace', command: fromFile('--into', 'duckdb'), against: "limit: DuckDB's own COPY" },
    ],
  },
  {
    name: 'realtime',
    title:
      'The whole realtime pipeline into Redis, and the old Python script: the same lines, the same keys in the end; millrace has run before, and knows nothing of it but its compiled code',
    table: 'server',
    rows: [
      { name: 'old, event by event', command: realtime('--how', 'old') },
      {
        name: 'old, batches of 1,000',
        command: realtime('--how', 'old', '--batch', '1000'),
        against: 'old, event by event',
        quick: 15_000,
      },
      { name: 'millrace', command: realtime(), against: 'old, batches of 1,000', quick: 30_000 },
      { name: 'limit: the commands from a bare writer', command: redisLimit('bare'), against: 'old, batches of 1,000' },
      { name: 'limit: redis-benchmark', command: redisLimit('redis-benchmark'), against: 'old, batches of 1,000' },
    ],
  },
  {
    name: 'redis',
    title: 'Seven commands an event into a redis-server of its own, batches of 1,000, one after the other',
    table: 'server',
    rows: [
      { name: "ioredis's pipeline, at least once", command: ['bench/redis-apply.ts', '--by', 'pipeline'] },
      { name: 'apply, exactly once', command: ['bench/redis-apply.ts'], against: "ioredis's pipeline, at least once" },
    ],
  },
  {
    name: 'latency',
    title:
      'The whole realtime pipeline on one thread: from when a line is due in its process, evenly, until Redis has answered; after three seconds of warm-up',
    table: 'latency',
    rows: [1000, 5000, 20_000].map((rate) => ({
      name: `${rate.toLocaleString('en')} events/s`,
      command: ['bench/latency.ts', '--rate', String(rate)],
      ...(rate === 5000 && { quick: 2_000 }),
    })),
  },
  {
    name: 'end-to-end',
    title: 'The same behind kinesis-local, 20 events/s: from PutRecord until the key is there',
    table: 'latency',
    rows: [
      { name: 'polling', command: ['bench/end-to-end.ts'], quick: 20 },
      { name: 'fan-out', command: ['bench/end-to-end.ts', '--mode', 'fan-out'] },
    ],
  },
  {
    name: 'freshness',
    title:
      'The whole warehouse pipeline, windows of a second, Postgres (fsync on) and a folder of gzip: from when an event is due in its process, evenly, until its row can be seen; after three seconds of warm-up',
    table: 'latency',
    rows: [{ name: '5,000 events/s', command: ['bench/freshness.ts'], quick: 5_000 }],
  },
  {
    name: 'memory',
    title:
      'What a run takes of memory, ten million events as Kinesis answers them, 32 MiB in flight, 10,000 identities remembered',
    table: 'memory',
    maxRounds: 3,
    rows: [
      { name: 'into nothing', command: ['bench/memory.ts'], quick: 500_000 },
      { name: 'into minutes (zstd)', command: ['bench/memory.ts', '--into', 'files'] },
      { name: 'into nothing, a young generation of 4 MiB', command: ['--max-semi-space-size=4', 'bench/memory.ts'] },
      { name: 'into nothing, 16 MiB, a heap of 48', command: [...SMALL_HEAP, 'bench/memory.ts', '--room', '16'] },
    ],
  },
  {
    name: 'yahoo',
    title: 'The Yahoo streaming benchmark: ad events as JSON, views by campaign and ten seconds, into Redis, one thread',
    table: 'whole',
    rows: [
      { name: 'a plain loop, at most once', command: ['bench/yahoo.ts', '--by', 'loop'], quick: 300_000 },
      { name: 'millrace, exactly once', command: ['bench/yahoo.ts'], against: 'a plain loop, at most once', quick: 300_000 },
    ],
  },
];
