import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

function isStringFastBehind(module: string): string {
  const program = `await import(${JSON.stringify(module)}); console.log(%HasFastProperties(String.prototype));`;
  return execFileSync(process.execPath, ['--allow-natives-syntax', '--input-type=module', '--eval', program], {
    encoding: 'utf8',
  }).trim();
}

it('leaves the methods of texts as fast as they were, which ioredis alone does not', () => {
  expect(isStringFastBehind('ioredis')).toBe('false');
  expect(isStringFastBehind(import.meta.resolve('../../../src/index.ts'))).toBe('true');
});
