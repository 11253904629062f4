import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Compiles `line-index.as` into `line-index-wasm.ts`; with `--check`, sees that what stands there is what comes out:
 *
 *     npm run wasm [-- --check]
 *
 * The compiler is fetched when it is needed: 100 MB, for a kilobyte that seldom changes.
 */
const COMPILER = 'assemblyscript@0.28.20';
const OPTIONS = ['-O3', '--runtime', 'stub', '--noAssert', '--enable', 'simd', '--initialMemory', '16'];

const here = import.meta.dirname;
const folder = mkdtempSync(join(tmpdir(), 'millrace-wasm-'));
const output = join(folder, 'out.wasm');
// The compiler wants the ending of TypeScript, and TypeScript's tools had better not see it.
const input = join(folder, 'in.ts');
copyFileSync(join(here, 'line-index.as'), input);
execFileSync('npx', ['--yes', '--package', COMPILER, 'asc', input, ...OPTIONS, '-o', output], { stdio: 'inherit' });
const target = join(here, 'line-index-wasm.ts');
const text = `// Written by \`npm run wasm\` from line-index.as.
export const LINE_INDEX_WASM =
  '${readFileSync(output).toString('base64')}';
`;
rmSync(folder, { recursive: true });
if (!process.argv.includes('--check')) writeFileSync(target, text);
else if (readFileSync(target, 'utf8') !== text) {
  process.stderr.write(`wasm: ${target} is not what line-index.as compiles to: npm run wasm\n`);
  process.exit(1);
}
