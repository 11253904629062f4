import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that is a Redis server when it is started under this name. */
export interface RedisProgram {
  readonly path: string;
  readonly argv0: string;
}

const LEAST_VERSION = 7;

/** Where package managers put programs that may be missing from PATH. */
const FOLDERS = ['/opt/homebrew/bin', '/usr/local/bin', '/usr/bin'];

/**
 * By its first word the package manager; each line is a call of it. Debian's package of the server would start a service on port 6379;
 * the one of the tools has the same program under the name of a checker, which goes by the name it is started under.
 */
const INSTALLERS = [
  ['apt-get update -qq', 'apt-get install -y -qq --no-install-recommends redis-tools'],
  ['brew install --quiet redis'],
  ['dnf install -y -q redis'],
  ['apk add -q redis'],
];

/**
 * Finds the machine's Redis server, or installs one with the system's package manager, and says so before it does.
 *
 * @throws {Error} saying what to install, when there is none of 7 or later and none can be installed
 */
export function redisProgram(): RedisProgram {
  const found = find();
  if (found) return found;
  const lines = INSTALLERS.find(([line]) => which(line!.split(' ')[0]!));
  if (lines) {
    for (const line of lines) install(line);
    const installed = find();
    if (installed) return installed;
  }
  throw new Error(
    `expected redis-server ${LEAST_VERSION} or later on this machine; install it (https://redis.io/docs/latest/operate/oss_and_stack/install/) and try again`,
  );
}

function find(): RedisProgram | undefined {
  for (const name of ['redis-server', 'valkey-server', 'redis-check-rdb']) {
    const path = which(name);
    if (!path) continue;
    const program = { path, argv0: name === 'redis-check-rdb' ? 'redis-server' : name };
    const { stdout } = spawnSync(path, ['--version'], { argv0: program.argv0, encoding: 'utf8' });
    const version = /\bserver v=(\d+)/.exec(stdout ?? '')?.[1];
    if (Number(version) >= LEAST_VERSION) return program;
  }
  return undefined;
}

function which(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...FOLDERS];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

function install(line: string): void {
  const needsRoot = !line.startsWith('brew') && process.getuid?.() !== 0;
  const [program, ...args] = (needsRoot ? `sudo ${line}` : line).split(' ') as [string, ...string[]];
  process.stderr.write(`There is no redis-server ${LEAST_VERSION} on this machine: ${program} ${args.join(' ')}\n`);
  spawnSync(program, args, { stdio: ['inherit', 'ignore', 'inherit'] });
}

if (import.meta.main) redisProgram();
