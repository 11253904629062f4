import { execFileSync } from 'node:child_process';
import { copyFileSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/**
 * Compiles each `name.as` of src into `name-wasm.ts` beside it; with `--check`, sees that what stands there is what comes out:
 *
 *     npm run wasm [-- --check]
 *
 * The compiler is fetched when it is needed: 100 MB, for a few kilobytes that seldom change.
 */
const COMPILER = 'assemblyscript@0.28.20';
const OPTIONS = ['-O3', '--runtime', 'stub', '--noAssert', '--enable', 'simd', '--initialMemory', '16'];

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'millrace-wasm-'));
// The compiler wants the ending of TypeScript, and TypeScript's tools had better not see it.
const [input, output] = [join(folder, 'in.ts'), join(folder, 'out.wasm')];
for (const source of globSync('**/*.as', { cwd: root }).toSorted()) {
  copyFileSync(join(root, source), input);
  execFileSync('npx', ['--yes', '--package', COMPILER, 'asc', input, ...OPTIONS, '-o', output], { stdio: 'inherit' });
  const name = basename(source, '.as');
  const target = join(root, source.replace(/\.as$/, '-wasm.ts'));
  const text = `// Written by \`npm run wasm\` from ${name}.as.
export const ${name.toUpperCase().replaceAll('-', '_')}_WASM =
  '${readFileSync(output).toString('base64')}';
`;
  if (!process.argv.includes('--check')) writeFileSync(target, text);
  else if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write(`wasm: ${target} is not what ${name}.as compiles to: npm run wasm\n`);
    process.exitCode = 1;
  }
}
rmSync(folder, { recursive: true });
