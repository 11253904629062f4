import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

/**
 * Has the compiler look at the project of a file: the nearest folder above it with a tsconfig.json. Says that it fits together, or why that
 * was not looked at.
 *
 * @throws {Error} with what the compiler says, that of the file itself first
 */
export function checkTypes(file: string): string {
  const config = configOf(file);
  if (config === undefined) return `not checked, as no tsconfig.json is beside ${file} or above it`;
  const compiler = compilerFor(config);
  if (compiler === undefined) return 'not checked, as the package typescript is not installed';
  const { status, stdout } = spawnSync(
    process.execPath,
    [compiler, '--project', config, '--noEmit', '--pretty', 'false', '--listFiles'],
    { encoding: 'utf8', maxBuffer: Infinity },
  );
  const lines = stdout.split('\n').map((line) => line.trimEnd());
  const own = realpathSync(file);
  const errors = lines.filter((line) => /(^|: )error TS\d+: /.test(line));
  const ours = errors.filter((line) => isSame(/^(.+?)\(\d+,\d+\): /.exec(line)?.[1], own));
  if (ours.length > 0) throw new Error(ours.join('; '));
  const isListed = lines.some((line) => isSame(line, own));
  if (!isListed) return `not checked, as ${relative('', config)} does not list ${file}`;
  if (status !== 0) throw new Error(errors.slice(0, 5).join('; ') || stdout.slice(0, 500));
  return `${file} fits together`;
}

function configOf(file: string): string | undefined {
  for (let folder = dirname(resolve(file)); ; folder = dirname(folder)) {
    const config = join(folder, 'tsconfig.json');
    if (existsSync(config)) return config;
    if (folder === dirname(folder)) return undefined;
  }
}

/** The project's own compiler; else one that is installed beside this package. */
function compilerFor(config: string): string | undefined {
  for (const from of [config, import.meta.filename]) {
    try {
      return join(dirname(createRequire(from).resolve('typescript/package.json')), 'bin', 'tsc');
    } catch {}
  }
  return undefined;
}

function isSame(path: string | undefined, own: string): boolean {
  return path !== undefined && path !== '' && existsSync(path) && realpathSync(path) === own;
}
