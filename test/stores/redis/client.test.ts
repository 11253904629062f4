import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { RedisClient } from '../../../src/stores/redis/client.ts';

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

it('finds a node of a cluster by an address of IPv6', async () => {
  const client = new RedisClient('redis-cluster://[::1]:1', { timeoutMs: 1000 });
  await expect(client.open()).rejects.toThrow('redis-cluster [::1]:1: no connection');
});
