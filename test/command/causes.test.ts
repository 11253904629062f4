import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

it('takes no file of ours for one of the user, also where the folder has a space and letters beyond ASCII', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace läden und-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'src', 'command'), { recursive: true });
  copyFileSync(join(import.meta.dirname, '../../src/command/causes.ts'), join(folder, 'src', 'command', 'causes.ts'));
  writeFileSync(join(folder, 'src', 'ours.ts'), 'export const fail = (): never => {\n  throw new TypeError("broken");\n};\n');
  writeFileSync(
    join(folder, 'user.ts'),
    `import { causesOf } from './src/command/causes.ts';
    import { fail } from './src/ours.ts';
    try { fail(); } catch (error) { console.log(causesOf(error)); }`,
  );
  const said = execFileSync(process.execPath, [join(folder, 'user.ts')], { encoding: 'utf8' });
  expect(said).toMatch(/^TypeError: broken\n {4}at .*user\.ts:\d+:\d+\)?\n$/);
});
